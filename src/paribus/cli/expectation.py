"""How long a study will take, as a range, and what that rests on: timing runs, and the errors of earlier forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.cli.formatting import format_range, plural

if TYPE_CHECKING:
    from paribus.store.workspace import Workspace

OFF_BY = (0.8, 1.25)
"""Time used over time expected, at least and at most, while a workspace has too few forecasts of its own to tell. Those
of the built-in studies were off by up to 16 % (docs/whole-study.md)."""
ENOUGH = 3
"""Forecasts from which on the workspace's own errors are used."""
AROUND_S = 2.0
"""What starting and the measurements at the end may add, which timing runs do not see."""


@dataclass(frozen=True)
class Expectation:
    """Between `low_s` and `high_s` seconds; `basis` says why, as a clause."""

    low_s: float
    high_s: float
    basis: str

    def __str__(self) -> str:
        return format_range(self.low_s, self.high_s)

    @property
    def at_most(self) -> str:
        """The upper end in words."""
        return format_range(0.0, self.high_s).replace("less than", "at most")


def expectation(expected_s: float, errors: Sequence[float]) -> Expectation:
    """The range around what timing runs expect. `errors` are (time used / time expected) of earlier forecasts."""
    timed = "from timing a few steps of each cohort on this machine"
    if len(errors) >= ENOUGH:
        low, high = min(1.0, *errors), max(1.0, *errors)
        basis = f"{timed}; the range is that of {plural(len(errors), 'earlier forecast')} in this workspace"
    else:
        low, high = OFF_BY
        basis = f"{timed}; such forecasts are off by up to a quarter"
    return Expectation(low * expected_s, high * expected_s + AROUND_S, basis)


def earlier_errors(workspace: Workspace) -> list[float]:
    """Time used over time expected of every forecast in a workspace whose runs all trained as long as expected."""
    from paribus.analysis.cost import scored

    errors: list[float] = []
    for record in workspace.studies():
        runs = {run.id for _, _, run in workspace.runs_of(record.id)}
        errors += [
            one.wall_ratio
            for one in scored(workspace.forecasts(record.id), workspace.usage(runs))
            if one.wall_ratio is not None and one.used_model_epochs == one.expected_model_epochs
        ]
    return errors
