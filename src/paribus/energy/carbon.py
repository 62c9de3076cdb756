"""Grams of CO2 equivalent, where somebody says what the electricity is made of. No location is ever guessed."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.energy.meters import positive_setting
from paribus.units import kwh


@dataclass(frozen=True)
class Grid:
    """Where electricity comes from: grams of CO2 equivalent a kWh, and who says so.

    `overhead` is what the building draws for each kWh of the machine (1: nothing more; also called PUE).
    """

    g_per_kwh: float
    overhead: float
    source: str


CARBONTRACKER = Grid(
    g_per_kwh=294.2,
    overhead=1.58,
    source="CarbonTracker's fallback for Europe in 2017, and its fixed overhead of a data centre",
)
"""What the reference's figures rest on without saying so. For comparison with them only, never a default."""


def grid_of_user() -> Grid | None:
    """The grid that PARIBUS_GRID_G_PER_KWH names, without overhead, or None.

    Raises UserError where it is no sensible number.
    """
    intensity = positive_setting("PARIBUS_GRID_G_PER_KWH", most=5000.0, unit="grams of CO2 a kWh")
    return None if intensity is None else Grid(intensity, 1.0, "PARIBUS_GRID_G_PER_KWH")


def carbon_g(energy_j: float, grid: Grid) -> float:
    """Grams of CO2 equivalent for energy at the machine: kWh x overhead x grams a kWh."""
    return kwh(energy_j) * grid.overhead * grid.g_per_kwh
