import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paribus.analysis.estimates import estimate

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20).filter(lambda v: np.std(v) > 1e-6)


@given(numbers)
def test_mean_sd_and_interval_are_those_of_scipy(values: list[float]) -> None:
    got = estimate(values)
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert got.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert got.sd == pytest.approx(np.std(values, ddof=1))
    assert got.interval is not None
    assert (got.interval.low, got.interval.high) == pytest.approx(expected, abs=1e-9)


def test_one_further_value_lies_in_the_prediction_interval_95_times_of_100() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(4000, 4))
    hits = 0
    for *known, further in draws.tolist():
        band = estimate(known).prediction
        assert band is not None
        hits += further in band
    assert hits / len(draws) == pytest.approx(0.95, abs=0.012)


def test_values_that_are_missing_or_not_finite_do_not_count() -> None:
    got = estimate([1.0, None, math.nan, 3.0])
    assert got.values == (1.0, None, None, 3.0)
    assert (got.mean, got.n) == (2.0, 2)


def test_one_value_has_no_spread_and_no_interval() -> None:
    got = estimate([0.7])
    assert (got.mean, got.sd, got.n) == (0.7, None, 1)
    assert got.interval is None
    assert got.prediction is None


def test_no_value_has_no_mean() -> None:
    got = estimate([None, None])
    assert (got.mean, got.sd, got.n, got.interval) == (None, None, 0, None)


def test_equal_values_have_a_spread_of_exactly_nothing() -> None:
    got = estimate([0.1] * 3)
    assert (got.mean, got.sd) == (0.1, 0.0)
    assert got.interval is None  # else the next value would be certain
    assert got.prediction is None
