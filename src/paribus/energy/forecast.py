"""How sure a forecast is: the range that earlier ones of its kind were right in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["plan", "first epochs"]
"""What a forecast rests on: timing runs before training, or the first epochs of the training itself."""

COVERAGE: Final = 0.9
ENOUGH: Final = 19
"""Earlier forecasts from which on their extremes hold the next one in nine cases of ten."""


@dataclass(frozen=True)
class Range:
    """A range of used over expected: between `low` and `high` in nine cases of ten. `n` earlier forecasts say so."""

    low: float
    high: float
    n: int


def range_of(ratios: Sequence[float], default: tuple[float, float]) -> Range:
    """The range that holds the next used / expected in nine cases of ten, from those of earlier forecasts.

    The next of exchangeable values lies between the k-th smallest and the k-th largest of n in (n + 1 - 2k) / (n + 1)
    of all cases (a distribution-free prediction interval; Vovk, Gammerman and Shafer 2005, conformal prediction). So k
    is the greatest whole number of at most (n + 1)(1 - COVERAGE) / 2. With fewer than `ENOUGH` values there is none:
    the default, widened to what was seen.
    """
    known = sorted(ratio for ratio in ratios if math.isfinite(ratio) and ratio > 0)
    n = len(known)
    if n < ENOUGH:
        return Range(min(default[0], *known, default[0]), max(default[1], *known, default[1]), n)
    k = max(1, math.floor((n + 1) * (1 - COVERAGE) / 2 + 1e-9))
    return Range(known[k - 1], known[n - k], n)
