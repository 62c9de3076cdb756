from __future__ import annotations

import numpy as np
import pytest

from paribus.energy.forecast import ENOUGH, range_of


def test_few_forecasts_have_the_default_widened_by_what_was_seen():
    assert vars(range_of([], (0.8, 1.25))) == {"low": 0.8, "high": 1.25, "n": 0}
    assert vars(range_of([1.1, 1.6], (0.8, 1.25))) == {"low": 0.8, "high": 1.6, "n": 2}
    assert range_of([float("nan"), 0.0, float("inf")], (0.8, 1.25)).n == 0


def test_the_range_holds_the_next_ratio_in_nine_cases_of_ten():
    """Exchangeable ratios of any shape: coverage is 90 % or, between multiples, a little more."""
    random = np.random.Generator(np.random.PCG64(5))
    for n in (ENOUGH, 39, 100):
        within = 0
        for _ in range(2000):
            ratios = np.exp(random.standard_normal(n + 1) ** 2 / 4)
            found = range_of(ratios[:-1].tolist(), (1.0, 1.0))
            within += found.low <= ratios[-1] <= found.high
        assert 0.88 <= within / 2000 <= 0.94, n


def test_the_order_of_ratios_does_not_matter():
    ratios = [1 + i / 100 for i in range(40)]
    assert range_of(ratios, (1, 1)) == range_of(ratios[::-1], (1, 1))
    assert (range_of(ratios, (1, 1)).low, range_of(ratios, (1, 1)).high) == (pytest.approx(1.01), pytest.approx(1.38))
