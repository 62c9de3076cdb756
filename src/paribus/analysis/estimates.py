"""A quantity over replicates: its mean, its spread, and the intervals that they support.

Student's t throughout: replicates are few, their differences near enough to normal, and t with n - 1 degrees of
freedom is exact for normal data however small n is (Student 1908; any text, e.g. Montgomery, Design and Analysis of
Experiments, sections 2.4 and 2.5). The price is a wide interval at n = 3 (t = 4.30 at the level 0.95), which is the
truth about three runs. One replicate has no spread, and so neither an interval nor a verdict.
Values without any spread have none either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LEVEL = 0.95
"""The coverage of every interval. Each interval covers by itself: none is widened for the number of its neighbours."""

LEVEL_TEXT = f"{100 * LEVEL:g} %"
"""The level as text is to show it."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, in the unit of what it is about."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)


@dataclass(frozen=True)
class Estimate:
    """`values` by replicate (None where a run is missing, unfinished or diverged); `n` of them count.

    `sd` is the sample standard deviation (n - 1 below the line), None for fewer than two values.
    """

    values: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    n: int

    @property
    def interval(self) -> Interval | None:
        """The t interval of the mean at `LEVEL`: mean ± t(n-1) sd / sqrt(n).

        None for fewer than two values, and for values without any spread: from these, t would conclude that the next
        value is certain.
        """
        return self._around(math.sqrt(1 / self.n)) if self.n else None

    @property
    def prediction(self) -> Interval | None:
        """Where one further run would lie with probability `LEVEL`: mean ± t(n-1) sd sqrt(1 + 1/n).

        None where there is no interval of the mean.

        Source: Hahn and Meeker, Statistical Intervals, section 4.7 (prediction interval for one future observation).
        """
        return self._around(math.sqrt(1 + 1 / self.n)) if self.n else None

    def _around(self, factor: float) -> Interval | None:
        if self.mean is None or not self.sd:
            return None
        half = t_quantile(self.n - 1) * self.sd * factor
        return Interval(self.mean - half, self.mean + half)


def estimate(values: Iterable[float | None]) -> Estimate:
    """The estimate from one value a replicate; values that are None or not finite do not count."""
    kept = tuple(float(v) if v is not None and math.isfinite(v) else None for v in values)
    known = [v for v in kept if v is not None]
    n = len(known)
    if not n:
        return Estimate(kept, None, None, 0)
    mean = math.fsum(known) / n
    if min(known) == max(known):
        mean = known[0]  # the sum's rounding must not give equal values a spread
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (n - 1)) if n > 1 else None
    return Estimate(kept, mean, sd, n)


@lru_cache(maxsize=256)
def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t: P(|T| <= quantile) = `level`."""
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]  # slow to import, and needed here only

    return float(stdtrit(freedom, (1 + level) / 2))


def t_tail(value: float, freedom: float) -> float:
    """P(T >= value) for Student's t."""
    from scipy.special import stdtr  # pyright: ignore[reportMissingTypeStubs]

    return float(stdtr(freedom, -value))
