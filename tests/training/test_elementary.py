"""The exponential and the logarithm, held against NumPy's in twice the digits."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training.compiling import compiled
from paribus.training.elementary import LEAST, exponential, logarithm


@compiled
def exponentials(numbers, powers):
    for i in range(len(numbers)):
        powers[i] = exponential(numbers[i])


@compiled
def logarithms(numbers, logs):
    for i in range(len(numbers)):
        logs[i] = logarithm(numbers[i])


def of(function, numbers):
    out = np.empty_like(numbers)
    function(numbers, out)
    return out


def units_off(found, exact):
    """How far from exact, in units of the last place."""
    return np.abs(found - exact) / np.spacing(np.abs(exact).astype(found.dtype))


def test_an_exponential_is_within_one_unit_in_the_last_place():
    small = -np.logspace(-8, 0, 20001)
    numbers = np.concatenate([np.linspace(-70, 88, 200001), small, -small]).astype(np.float32)
    assert units_off(of(exponentials, numbers), np.exp(numbers.astype(np.float64))).max() < 1


@pytest.mark.parametrize(
    ("number", "power"),
    [(0, 1), (np.nextafter(LEAST, np.float32(-100)), 0), (-1e30, 0), (-np.inf, 0), (np.nan, np.nan)],
)
def test_what_an_exponential_is_at_the_ends(number, power):
    np.testing.assert_array_equal(of(exponentials, np.array([number], np.float32)), np.float32(power))


def test_a_logarithm_is_within_three_units_in_the_last_place():
    numbers = np.concatenate([np.logspace(-30, 30, 200001), 1 + np.logspace(-15, 0, 20001), 1 - np.logspace(-15, -1)])
    assert units_off(of(logarithms, numbers), np.log(numbers.astype(np.longdouble))).max() < 3


def test_what_a_logarithm_is_of_one_and_of_no_number():
    np.testing.assert_array_equal(of(logarithms, np.array([1.0, np.nan])), [0.0, np.nan])
