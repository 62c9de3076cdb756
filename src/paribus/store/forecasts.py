"""Forecasts beside what was then used, and how far earlier ones were off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.store.records import Forecast, UsageRecord

if TYPE_CHECKING:
    from paribus.store.workspace import Workspace


@dataclass(frozen=True)
class ScoredForecast:
    """A forecast beside what was then used; a ratio is used over expected, None if not known.

    `complete` says whether all was trained that was expected to be. `within` says whether the time used lies in the
    range that was given, None where there was none.
    """

    made_at: str
    basis: str
    expected_model_epochs: int
    used_model_epochs: int
    expected_wall_s: float
    low_s: float | None
    high_s: float | None
    used_wall_s: float
    wall_ratio: float | None
    expected_energy_j: float | None
    low_j: float | None
    high_j: float | None
    used_energy_j: float | None
    energy_ratio: float | None

    @property
    def complete(self) -> bool:
        return self.expected_model_epochs == self.used_model_epochs

    @property
    def within(self) -> bool | None:
        if self.low_s is None or self.high_s is None or not self.complete:
            return None
        return self.low_s <= self.used_wall_s <= self.high_s


def scored(forecasts: Iterable[Forecast], usage: Iterable[UsageRecord]) -> tuple[ScoredForecast, ...]:
    """Forecasts of one study beside the usage of its runs; a forecast that nothing was used after is left out."""
    forecasts, usage = sorted(forecasts, key=lambda forecast: _seconds(forecast.made_at)), list(usage)
    found: list[ScoredForecast] = []
    for place, forecast in enumerate(forecasts):
        if forecast.session:
            used = [record for record in usage if record.id == forecast.session]
        else:
            begin = _seconds(forecast.made_at)
            end = min((_seconds(later.made_at) for later in forecasts[place + 1 :]), default=math.inf)
            used = [record for record in usage if begin <= _seconds(record.started_at) < end]
        if used:
            found.append(_scored(forecast, used))
    return tuple(found)


def earlier_ratios(workspace: Workspace, basis: str) -> list[float]:
    """Time used over time expected of all forecasts in a workspace whose basis begins so, trained as far as expected.

    In the order in which they were made.
    """
    found: list[tuple[str, float]] = []
    for record in workspace.studies():
        runs = {run.id for _, _, run in workspace.runs_of(record.id)}
        forecasts = [known for known in workspace.forecasts(record.id) if known.basis.startswith(basis)]
        found += [
            (one.made_at, one.wall_ratio)
            for one in scored(forecasts, workspace.usage(runs))
            if one.wall_ratio is not None and one.complete
        ]
    return [ratio for _, ratio in sorted(found, key=lambda entry: entry[0])]


def _scored(forecast: Forecast, used: list[UsageRecord]) -> ScoredForecast:
    wall = _elapsed(used)
    known = [record.energy_j for record in used if record.energy_j is not None]
    energy = math.fsum(known) if len(known) == len(used) else None
    expected = forecast.energy_j
    return ScoredForecast(
        made_at=forecast.made_at,
        basis=forecast.basis,
        expected_model_epochs=forecast.model_epochs,
        used_model_epochs=sum(record.model_epochs for record in used),
        expected_wall_s=forecast.wall_s,
        low_s=forecast.low_s,
        high_s=forecast.high_s,
        used_wall_s=wall,
        wall_ratio=wall / forecast.wall_s if forecast.wall_s > 0 else None,
        expected_energy_j=expected,
        low_j=forecast.low_j,
        high_j=forecast.high_j,
        used_energy_j=energy,
        energy_ratio=energy / expected if energy is not None and expected else None,
    )


def _elapsed(usage: Iterable[UsageRecord]) -> float:
    """Seconds during which at least one session trained: cohorts may train side by side."""
    elapsed, covered = 0.0, -math.inf
    sessions = ((_seconds(record.started_at), record.wall_s) for record in usage)
    for begin, end in sorted((begin, begin + wall_s) for begin, wall_s in sessions):
        elapsed += max(0.0, end - max(begin, covered))
        covered = max(covered, end)
    return elapsed


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
