"""What work is going to take, told before it starts, so that it can be scored against what it then took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """What one unit of work was measured to take; a unit is whatever the caller counts (model-epochs, operations).

    `joules_per_unit` is None where energy is unknown. `basis` says, for people, what was measured.
    """

    seconds_per_unit: float
    joules_per_unit: float | None
    basis: str


@dataclass(frozen=True)
class Expected:
    """What work is expected to take; `energy_j` is None where nothing is known to base it on."""

    wall_s: float
    energy_j: float | None
    basis: str


def rate(units: float, *, wall_s: float, energy_j: float | None, basis: str) -> Rate:
    """The rate at which `units` of work were done. Raises ValueError where there was none."""
    if not units > 0:
        raise ValueError("a rate needs work that was done")
    return Rate(wall_s / units, None if energy_j is None else energy_j / units, basis)


def expected(units: float, at: Rate) -> Expected:
    """What `units` of work take at a rate."""
    energy_j = None if at.joules_per_unit is None else units * at.joules_per_unit
    return Expected(units * at.seconds_per_unit, energy_j, at.basis)


def total(parts: Iterable[Expected]) -> Expected:
    """The parts of a plan, one after the other. Energy is unknown if one part's is."""
    known = tuple(parts)
    energies = [part.energy_j for part in known]
    basis = "; ".join(dict.fromkeys(part.basis for part in known))
    energy_j = None if None in energies else sum(energy for energy in energies if energy is not None)
    return Expected(sum(part.wall_s for part in known), energy_j, basis)


def error(predicted: float | None, used: float | None) -> float | None:
    """How far a prediction was off, as a share of what was used: +0.25 is a quarter too much. None where unknown."""
    if predicted is None or used is None or used <= 0:
        return None
    return predicted / used - 1
