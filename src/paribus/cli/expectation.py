"""How long a study will take and what energy, as ranges, and what they rest on: timing runs, and earlier forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.cli.formatting import format_range, plural
from paribus.energy.forecast import ENOUGH

if TYPE_CHECKING:
    from paribus.store.records import Forecast


@dataclass(frozen=True)
class Expectation:
    """Between `low_s` and `high_s` seconds and between `low_j` and `high_j` joules; `basis` says why, as a clause.

    Joules are None where nothing here measures or models the energy.
    """

    low_s: float
    high_s: float
    low_j: float | None
    high_j: float | None
    basis: str

    def __str__(self) -> str:
        return format_range(self.low_s, self.high_s)

    @property
    def at_most(self) -> str:
        """The upper end in words."""
        return format_range(0.0, self.high_s).replace("less than", "at most")


def expectation(forecast: Forecast, earlier: int) -> Expectation:
    """The range of a forecast. `earlier` forecasts of its kind are in the workspace."""
    timed = "from timing a few steps of each cohort on this machine"
    if earlier >= ENOUGH:
        basis = f"{timed}; nine in ten of {plural(earlier, 'earlier forecast')} in this workspace were in such a range"
    else:
        basis = f"{timed}; such forecasts are off by up to a quarter"
    assert forecast.low_s is not None
    assert forecast.high_s is not None
    return Expectation(forecast.low_s, forecast.high_s, forecast.low_j, forecast.high_j, basis)
