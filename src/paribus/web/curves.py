"""Curves of the runs in training: their last checkpoints, and what the live file said since.

The live file has one epoch of each run, the latest. The viewer reads it every second and keeps what it reads, thinned:
a small network finishes thousands of epochs in that time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from paribus.spec.metrics import Metric
from paribus.store.records import Curve
from paribus.web.progress import shown_metrics
from paribus.web.studies import StudyState, is_of

MAX_POINTS = 160
"""Epochs kept of a run; when there are more, every second one is dropped."""
MAX_LINES = 40
"""Runs that are drawn: the first replicates of each arm."""
LOG_FROM = 3.0
"""A loss whose highest value is this many times its lowest gets a logarithmic axis."""


@dataclass
class _Line:
    """The values of one run, at some of its epochs in rising order."""

    points: dict[int, Mapping[str, float]] = field(default_factory=dict[int, Mapping[str, float]])

    def add(self, epoch: int, values: Mapping[str, float]) -> None:
        last = next(reversed(self.points), 0)
        if epoch <= last:
            self.points = {at: v for at, v in self.points.items() if at < epoch}  # it began again from a checkpoint
        self.points[epoch] = values
        if len(self.points) > MAX_POINTS:
            kept = list(self.points)[::-2]
            self.points = {at: self.points[at] for at in reversed(kept)}


@dataclass(frozen=True)
class LiveChart:
    """One metric of the runs in training: rows of arm, key, replicate, epoch and value."""

    metric: Metric
    rows: tuple[Mapping[str, Any], ...]
    log: bool


@final
class LiveCurves:
    """The curves of one study's runs in training."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def unknown(self, state: StudyState, live: Mapping[str, Any] | None) -> list[str]:
        """Runs in training of which nothing is known yet: `begin` gives what is recorded of them."""
        found = _latest(live) if is_of(live, state.id) else {}
        return [run_id for run_id in found if run_id not in self._lines]

    def begin(self, run_id: str, recorded: Mapping[str, Curve]) -> None:
        """Take over the curves of a run's last checkpoint, thinned."""
        line = self._lines[run_id] = _Line()
        length = max((len(curve) for curve in recorded.values()), default=0)
        for epoch in _thinned(length):
            line.add(epoch, {name: float(c[epoch - 1]) for name, c in recorded.items() if epoch <= len(c)})

    def take(self, live: Mapping[str, Any]) -> None:
        """Note the latest epoch of every run of the study."""
        for run_id, (epoch, values) in _latest(live).items():
            line = self._lines.setdefault(run_id, _Line())
            if epoch > 0 and epoch not in line.points:
                line.add(epoch, values)

    def series(self, run_id: str, metric: str) -> tuple[list[int], list[float]]:
        """The epochs at which a run's metric is known and finite, and its values there."""
        points = self._lines[run_id].points if run_id in self._lines else {}
        known = [
            (epoch, values[metric]) for epoch, values in points.items() if math.isfinite(values.get(metric, math.nan))
        ]
        return [epoch for epoch, _ in known], [value for _, value in known]

    def charts(self, state: StudyState) -> list[LiveChart]:
        """A loss and a result of the runs in training; none where nothing trains."""
        drawn = _drawn(state, self._lines)
        names = [name for run_id, _, _ in drawn for values in self._lines[run_id].points.values() for name in values]
        found: list[LiveChart] = []
        for metric in shown_metrics(list(dict.fromkeys(names))):
            rows = [
                {"arm": state.study.arms[place].name, "key": f"a{place}", "replicate": replicate, "epoch": epoch,
                 "value": float(f"{value:.5g}")}
                for run_id, place, replicate in drawn
                for epoch, value in zip(*self.series(run_id, metric.name), strict=True)
            ]  # fmt: skip
            values = [row["value"] for row in rows]
            log = metric.form != "share" and bool(values) and 0 < LOG_FROM * min(values) < max(values)
            found.append(LiveChart(metric, tuple(rows), log))
        return found


def _drawn(state: StudyState, known: Iterable[str]) -> list[tuple[str, int, int]]:
    """(run, place of its arm, replicate) of the runs that are drawn: as many of each arm as there is room for."""
    begun = set(known)
    places = {arm.name: place for place, arm in enumerate(state.study.arms)}
    found = [(m.run_id, places[m.arm], m.replicate) for m in state.members if m.run_id in begun]
    arms = {place for _, place, _ in found}
    each = max(1, MAX_LINES // max(1, len(arms)))
    shown: list[tuple[str, int, int]] = []
    for place in sorted(arms):
        shown += [one for one in found if one[1] == place][:each]
    return shown[:MAX_LINES]


def _latest(live: Mapping[str, Any] | None) -> dict[str, tuple[int, Mapping[str, float]]]:
    """The latest epoch and its finite or missing values of each run in the live file, which may hold anything."""
    runs = (live or {}).get("runs")
    found: dict[str, tuple[int, Mapping[str, float]]] = {}
    for run_id, latest in runs.items() if isinstance(runs, dict) else ():
        epoch = latest.get("epoch") if isinstance(latest, dict) else None
        metrics = latest.get("metrics") if isinstance(latest, dict) else None
        if isinstance(epoch, int) and isinstance(metrics, dict):
            values = {n: float(v) for n, v in metrics.items() if isinstance(v, int | float)}
            found[str(run_id)] = epoch, values
    return found


def _thinned(length: int) -> Sequence[int]:
    """About half of `MAX_POINTS` epochs of 1..length, the last among them."""
    step = max(1, -(-2 * length // MAX_POINTS))
    return range(length, 0, -step)[::-1]
