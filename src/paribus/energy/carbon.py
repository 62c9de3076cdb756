"""Grams of CO2 equivalent, where somebody says what the electricity is made of. No location is ever guessed."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.energy.meters import positive_setting
from paribus.units import kwh

UNKNOWN_LOCATION = "location unknown"
CAR_G_PER_KM = 120.4
"""CO2 of a kilometre by an average new car, as the reference's report counts it (4.538467 g for 0.037695 km)."""


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


def grid_of_user(overhead: float = 1.0) -> Grid | None:
    """The grid that PARIBUS_GRID_G_PER_KWH names, or None. Raises UserError where it is no sensible number."""
    intensity = positive_setting("PARIBUS_GRID_G_PER_KWH", most=5000.0, unit="grams of CO2 a kWh")
    return None if intensity is None else Grid(intensity, overhead, "PARIBUS_GRID_G_PER_KWH")


def carbon_g(energy_j: float, grid: Grid) -> float:
    """Grams of CO2 equivalent for energy at the machine: kWh x overhead x grams a kWh."""
    return kwh(energy_j) * grid.overhead * grid.g_per_kwh


def car_km(grams: float) -> float:
    """Kilometres by an average car for the same grams, as the reference's report has them."""
    return grams / CAR_G_PER_KM


def told(energy_j: float | None, grid: Grid | None) -> str:
    """Carbon in words: grams and what they rest on, or why there is no figure."""
    if energy_j is None:
        return "carbon unknown: energy unknown"
    if grid is None:
        return f"carbon unknown: {UNKNOWN_LOCATION}"
    return f"{carbon_g(energy_j, grid):.3g} g CO2eq ({grid.g_per_kwh:g} g/kWh x {grid.overhead:g}, {grid.source})"
