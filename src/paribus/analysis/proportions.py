"""Intervals of shares: what the size of a held-out split leaves open, as apart from the spread over replicates."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from paribus.analysis.estimates import LEVEL, Interval


def wilson(share: float, examples: float) -> Interval | None:
    """Wilson's interval of a share of this many examples at `LEVEL`; None for no example.

    It stays within [0, 1], and has a width at shares of 0 and 1 too, where a t interval or p ± 1.96 sqrt(p q / n) has
    none. Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927); Brown, Cai and
    DasGupta, "Interval estimation for a binomial proportion" (2001). `examples` need not be whole: the mean of a count
    over replicates serves as well.
    """
    if examples <= 0:
        return None
    z = _normal_quantile()
    share = min(max(share, 0.0), 1.0)
    shrunk = 1 + z * z / examples
    middle = (share + z * z / (2 * examples)) / shrunk
    half = z / shrunk * math.sqrt(share * (1 - share) / examples + z * z / (4 * examples * examples))
    # At a share of 0 or 1 one end is that share: rounding must not move it.
    low = 0.0 if share == 0 else max(middle - half, 0.0)
    return Interval(low, 1.0 if share == 1 else min(middle + half, 1.0))


def f1_interval(f1: float, union: float) -> Interval | None:
    """The interval of an F1 score; `union` counts the examples that are of the class, or are predicted to be.

    F1 = 2 TP / (2 TP + FP + FN) = 2 q / (1 + q) with q = TP / (TP + FP + FN), the share of the union that is right,
    which has Wilson's interval. F1 rises with q, so the ends of the one are the ends of the other. Source of q: Hand,
    Christen and Kirielle, "F*: an interpretable transformation of the F-measure" (2021).
    """
    found = wilson(f1 / (2 - f1), union)
    return None if found is None else Interval(_from_share(found.low), _from_share(found.high))


def _from_share(share: float) -> float:
    return 2 * share / (1 + share)


@lru_cache(maxsize=1)
def _normal_quantile() -> float:
    """The two-sided quantile of the normal distribution at `LEVEL`, about 1.96."""
    return NormalDist().inv_cdf((1 + LEVEL) / 2)
