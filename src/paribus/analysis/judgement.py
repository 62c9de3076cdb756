"""The verdict on paired differences: their intervals against the smallest effect that matters.

Differences are signed so that + favours the claim, and `by` is the margin. Two intervals of the mean difference decide:
one of 95 %, and one of 90 %, which makes two one-sided tests at 5 % each (Schuirmann 1987). In this order:

1. SUPPORTED: the 95 % interval lies wholly above +by.
2. EQUIVALENT: the 90 % interval lies wholly within [-by, +by]. The difference is too small to matter, real or not.
3. REFUTED: the 95 % interval lies wholly below +by. It is "worse" where the interval lies wholly below 0, and otherwise
   "not better by the margin".
4. INCONCLUSIVE: none of these. These replicates cannot tell.

A margin `by` below 0 is one of non-inferiority: SUPPORTED says "not worse by more than that", REFUTED "worse by more
than the margin", and EQUIVALENT does not occur.

Source: Lakens 2017, "Equivalence tests"; Piaggio et al. 2012 (CONSORT for non-inferiority and equivalence trials).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from paribus.analysis.estimates import LEVEL, Interval, t_quantile, t_tail
from paribus.spec.metrics import Kind

Verdict = Literal["SUPPORTED", "EQUIVALENT", "REFUTED", "INCONCLUSIVE"]
"""In the order in which they are tried and counted."""

MAX_NEEDED: Final = 1000
"""Replicates beyond which "more replicates would decide" is no help."""
SKEW_ERRORS: Final = 2.0
"""Differences are called skewed if their skewness exceeds this many of its standard errors under normality."""
MIN_SKEW_REPLICATES: Final = 5
_ALPHA: Final = (1 - LEVEL) / 2


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on.

    `detail` says which kind of REFUTED or INCONCLUSIVE it is. `interval` has the level at which superiority is judged,
    `equivalence` the one of the two one-sided tests; both are None where the replicates have none. `p` is the p-value
    of the test that comes nearest to a decision, as a share of the level at which that test decides: at most 1 where
    it does. `needed` is about how many replicates would decide if mean and spread stayed as they are.
    """

    verdict: Verdict
    detail: str = ""
    interval: Interval | None = None
    equivalence: Interval | None = None
    p: float | None = None
    needed: int | None = None
    skewed: bool = False


def judge(differences: Sequence[float], by: float, kind: Kind = "continuous", alpha: float = _ALPHA) -> Judgement:
    """The verdict on differences, one a replicate, against the margin `by`.

    `kind` is that of the metric (see `spec.metrics.Metric`). `alpha` is the level of each one-sided
    test of superiority; equivalence is tested at twice that level. Raises ValueError for differences that are not
    finite.
    """
    if not all(map(math.isfinite, differences)):
        raise ValueError("differences must be finite")
    n = len(differences)
    if n == 0:
        return _undecided("no replicate has both sides finished")
    if kind == "exact":
        return _exact(differences, by)
    if n == 1:
        return _undecided("one replicate")
    if kind == "binary":
        return _judged_exactly(differences, by, alpha)
    mean, sd = mean_and_sd(differences)
    if sd == 0:
        return _undecided("the replicates have no spread")
    found = _judged_by_t(mean, sd / math.sqrt(n), n - 1, by, alpha)
    more = needed(mean, sd, n, by, alpha) if found.verdict == "INCONCLUSIVE" else None
    return replace(found, needed=more, skewed=is_skewed(differences))


def judge_unpaired(first: Sequence[float], second: Sequence[float], by: float, alpha: float = _ALPHA) -> Judgement:
    """The verdict on the mean of `first` less that of `second`, whose values do not belong together in pairs.

    The intervals are Welch's (1947), which let the two spreads differ.
    """
    if min(len(first), len(second)) < 2:
        return _undecided("one replicate")
    (mean_1, sd_1), (mean_2, sd_2) = mean_and_sd(first), mean_and_sd(second)
    parts = sd_1**2 / len(first), sd_2**2 / len(second)
    if sum(parts) == 0:
        return _undecided("the replicates have no spread")
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(first) - 1) + parts[1] ** 2 / (len(second) - 1))
    found = _judged_by_t(mean_1 - mean_2, math.sqrt(sum(parts)), freedom, by, alpha)
    return replace(found, skewed=is_skewed(first) or is_skewed(second))


def decide(interval: Interval, equivalence: Interval, by: float) -> tuple[Verdict, str]:
    """The verdict, and its detail, that the two intervals (+ favours the claim) give against the margin `by`."""
    if interval.low > by:
        return "SUPPORTED", ""
    if _within(equivalence, by):
        return "EQUIVALENT", ""
    if interval.high < by:
        if by < 0:
            return "REFUTED", "worse by more than the margin"
        return "REFUTED", "worse" if interval.high < 0 else "not better by the margin"
    return "INCONCLUSIVE", ""


def needed(mean: float, sd: float, n: int, by: float, alpha: float = _ALPHA) -> int | None:
    """The least number of replicates, above `n`, that would decide with this mean and spread.

    None where `MAX_NEEDED` would not. It is an estimate: mean and spread are themselves uncertain (Stein 1945).
    """

    def decides(replicates: int) -> bool:
        error = sd / math.sqrt(replicates)
        wide, narrow = (_t_interval(mean, error, replicates - 1, a) for a in (alpha, 2 * alpha))
        return decide(wide, narrow, by)[0] != "INCONCLUSIVE"

    # Intervals shrink around their mean as replicates are added, so what once decides goes on deciding.
    found = bisect_left(range(MAX_NEEDED + 1), True, lo=n + 1, key=decides)
    return found if found <= MAX_NEEDED else None


def binary_interval(differences: Sequence[float], alpha: float) -> Interval:
    """An interval for the mean of differences of -1, 0 or +1, at least exact: 1 - 2 `alpha` is its lowest coverage.

    The mean is the share of +1 less the share of -1. Each share has its exact binomial interval (Clopper and Pearson
    1934) at half the error, so that both hold together (Bonferroni). Example: +1 in 8 of 8 gives 0.22 to 1.00.
    """
    n = len(differences)
    up, down = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    return Interval(
        clopper_pearson(up, n, alpha / 2).low - clopper_pearson(down, n, alpha / 2).high,
        clopper_pearson(up, n, alpha / 2).high - clopper_pearson(down, n, alpha / 2).low,
    )


def clopper_pearson(successes: int, n: int, alpha: float = _ALPHA) -> Interval:
    """The exact binomial interval of a share, `alpha` on each side (Clopper and Pearson 1934)."""
    low = 0.0 if successes == 0 else _beta_quantile(alpha, successes, n - successes + 1)
    high = 1.0 if successes == n else _beta_quantile(1 - alpha, successes + 1, n - successes)
    return Interval(low, high)


def _beta_quantile(p: float, a: int, b: int) -> float:
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs]  # slow to import

    return float(betaincinv(a, b, p))


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample standard deviation of at least two values; equal values have exactly none."""
    n = len(values)
    mean = values[0] if min(values) == max(values) else math.fsum(values) / n
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))


def is_skewed(values: Sequence[float]) -> bool:
    """Whether the values are too skewed for a t interval to be trusted.

    Their adjusted skewness G1 is compared with its standard error under normality (Joanes and Gill 1998). False for
    fewer than `MIN_SKEW_REPLICATES`, which can show no skew.
    """
    n = len(values)
    mean, sd = mean_and_sd(values)
    if n < MIN_SKEW_REPLICATES or sd == 0:
        return False
    skewness = n / ((n - 1) * (n - 2)) * math.fsum(((value - mean) / sd) ** 3 for value in values)
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return abs(skewness) > SKEW_ERRORS * error


def holm(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjustment (1979) of several p-values; those that are None are left out of the count.

    The k-th smallest of m is multiplied by m - k + 1, and none is below a smaller one's.
    """
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    highest = 0.0
    for k, (p, place) in enumerate(known):
        highest = max(highest, p * (len(known) - k))
        found[place] = highest
    return tuple(found)


def _undecided(detail: str) -> Judgement:
    return Judgement("INCONCLUSIVE", detail)


def _exact(differences: Sequence[float], by: float) -> Judgement:
    """The verdict on numbers without any chance in them, such as parameter counts: the difference itself decides."""
    mean = math.fsum(differences) / len(differences)
    itself = Interval(mean, mean)
    return Judgement(*decide(itself, itself, by))


def _judged_by_t(mean: float, error: float, freedom: float, by: float, alpha: float) -> Judgement:
    """The verdict on a mean with its standard error, by Student's t."""
    above, below = t_tail((mean - by) / error, freedom), t_tail((by - mean) / error, freedom)
    above_minus = t_tail((mean + by) / error, freedom)
    wide, narrow = (_t_interval(mean, error, freedom, a) for a in (alpha, 2 * alpha))
    within = max(below, above_minus) if by >= 0 else math.inf
    p = min(above / alpha, below / alpha, within / (2 * alpha))
    return Judgement(*decide(wide, narrow, by), wide, narrow, p)


def _judged_exactly(differences: Sequence[float], by: float, alpha: float) -> Judgement:
    """The verdict on differences of -1, 0 and +1. A p-value is the lowest level at which a test rejects."""
    wide, narrow = binary_interval(differences, alpha), binary_interval(differences, 2 * alpha)
    p = min(
        _lowest(lambda a: binary_interval(differences, a).low > by) / alpha,
        _lowest(lambda a: binary_interval(differences, a).high < by) / alpha,
        _lowest(lambda a: _within(binary_interval(differences, a), by)) / (2 * alpha),
    )
    return Judgement(*decide(wide, narrow, by), wide, narrow, p)


def _lowest(rejects: Callable[[float], bool]) -> float:
    """The lowest one-sided level at which a test rejects, by bisection; 0.5 where it does at no level."""
    low, high = 0.0, 0.5
    for _ in range(40):
        middle = (low + high) / 2
        if rejects(middle):
            high = middle
        else:
            low = middle
    return high


def _within(interval: Interval, by: float) -> bool:
    return by >= 0 and interval.low >= -by and interval.high <= by


def _t_interval(mean: float, error: float, freedom: float, alpha: float) -> Interval:
    half = t_quantile(freedom, 1 - 2 * alpha) * error
    return Interval(mean - half, mean + half)
