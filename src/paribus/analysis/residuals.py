"""Predictions of a regression beside the true numbers: as points where they are few, in bins where they are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from paribus.analysis.outputs import Doubles, Ints, Predicted

MAX_POINTS: Final = 800
"""More points than this hide each other, and are counted in bins."""
BINS: Final = 40
"""Bins along each axis."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """One target's predictions by one run, in the target's own units.

    `rows`, `true`, `predicted` and `residual` (true - predicted) are (example,).
    """

    arm: str
    rule: str
    replicate: int
    target: str
    rows: Ints
    true: Doubles
    predicted: Doubles

    @property
    def residual(self) -> Doubles:
        return self.true - self.predicted


@dataclass(frozen=True)
class Cell:
    """A rectangle of a plane and how many points it has, from `left` to `right` and from `low` to `high`."""

    left: float
    right: float
    low: float
    high: float
    count: int


def residuals(found: Predicted) -> tuple[Residuals, ...]:
    """One entry a target, from the first replicate of the arm: points of several replicates would be the same examples
    several times. Examples whose prediction is not finite are left out."""
    first, kept = found.replicates[0], list[Residuals]()
    for place, target in enumerate(found.targets):
        true, given = first.true[:, place], first.predicted[:, place]
        finite = np.isfinite(true) & np.isfinite(given)
        if finite.any():
            kept.append(
                Residuals(
                    found.arm, found.rule, first.replicate, target, first.rows[finite], true[finite], given[finite]
                )
            )
    return tuple(kept)


def cells(across: Doubles, up: Doubles) -> tuple[Cell, ...]:
    """The points (point,) of a plane counted in `BINS` x `BINS` rectangles over their range; empty ones left out."""
    counts, x, y = np.histogram2d(across, up, bins=BINS)
    return tuple(
        Cell(float(x[i]), float(x[i + 1]), float(y[j]), float(y[j + 1]), int(counts[i, j]))
        for i, j in zip(*np.nonzero(counts), strict=True)
    )


def largest(found: Residuals, limit: int) -> Ints:
    """The positions of the `limit` largest residuals in magnitude, the largest first."""
    return np.argsort(-np.abs(found.residual), kind="stable")[:limit].astype(np.int64)
