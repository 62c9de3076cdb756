"""Grams of CO2 equivalent, where somebody says what the electricity is made of. No location is ever guessed."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from paribus.energy.meters import positive_setting
from paribus.errors import Shown, UserError, nearest
from paribus.units import kwh

FACTOR: Final = "PARIBUS_GRID_G_PER_KWH"
SOURCE: Final = "PARIBUS_GRID_SOURCE"
COUNTRY: Final = "PARIBUS_GRID_COUNTRY"
OVERHEAD: Final = "PARIBUS_OVERHEAD"


@dataclass(frozen=True)
class Grid:
    """Where electricity comes from: grams of CO2 equivalent a kWh, and who says so, with the year.

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
    """The grid that the user names, by a factor or by a country; None where neither is named.

    PARIBUS_GRID_G_PER_KWH is a factor, and PARIBUS_GRID_SOURCE says where it is from and of which year.
    PARIBUS_GRID_COUNTRY is a country's code of three letters: its factor and the year are those that CodeCarbon's
    package has. PARIBUS_OVERHEAD is 1 unless it is given. Raises UserError where one of them makes no sense.
    """
    factor = positive_setting(FACTOR, most=5000.0, unit="grams of CO2 a kWh")
    overhead = positive_setting(OVERHEAD, most=10.0, unit="times the machine's energy") or 1.0
    if overhead < 1.0:
        raise UserError("must be at least 1", given=overhead, place=OVERHEAD, remedy="correct or unset it")
    country = os.environ.get(COUNTRY, "").strip().upper()
    if factor is not None:
        if country:
            rule, remedy = "does not go with a factor", f"unset it or {FACTOR}"
            raise UserError(rule, given=country, place=COUNTRY, remedy=remedy)
        said = os.environ.get(SOURCE, "").strip()
        return Grid(factor, overhead, said or f"{FACTOR}, which names no source and no year")
    return _of_country(country, overhead) if country else None


def _of_country(code: str, overhead: float) -> Grid:
    known = _countries()
    if code not in known:
        raise UserError("must be a country's code of three letters", given=code, place=COUNTRY,
                        remedy=nearest(code, known))  # fmt: skip
    entry = known[code]
    name, year = entry["country_name"], entry["year"]
    source = f"{name}, {year}: Our World in Data, as CodeCarbon {version('codecarbon')} has it"
    return Grid(float(entry["carbon_intensity"]), overhead, source)


def _countries() -> dict[str, Any]:
    """By code: name, grams a kWh, and year. Read from the files of CodeCarbon, whose code is not imported."""
    found = importlib.util.find_spec("codecarbon")
    if found is None or found.origin is None:
        raise UserError("needs the table of countries in CodeCarbon", given=Shown("no such package here"),
                        place=COUNTRY, remedy=f"install paribus[energy], or set {FACTOR}")  # fmt: skip
    folder = Path(found.origin).parent / "data" / "private_infra"
    return json.loads((folder / "global_energy_mix.json").read_text(encoding="utf-8"))


def carbon_g(energy_j: float, grid: Grid) -> float:
    """Grams of CO2 equivalent for energy at the machine: kWh x overhead x grams a kWh."""
    return kwh(energy_j) * grid.overhead * grid.g_per_kwh
