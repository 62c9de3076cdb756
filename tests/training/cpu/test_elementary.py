"""Elementary functions, against NumPy's with at least twice the digits."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import EXP_UNDERFLOW, exp, log


@compiled
def every_exp(x, out):
    for i in range(len(x)):
        out[i] = exp(x[i])


@compiled
def every_log(x, out):
    for i in range(len(x)):
        out[i] = log(x[i])


def applied(function, x):
    out = np.empty_like(x)
    function(x, out)
    return out


def ulps(found, exact):
    """The distance to the exact result, in units of its last place."""
    return np.abs(found - exact) / np.spacing(np.abs(exact).astype(found.dtype))


def test_exp_is_within_one_ulp():
    small = -np.logspace(-8, 0, 20001)
    x = np.concatenate([np.linspace(-70, 88, 200001), small, -small]).astype(np.float32)
    assert ulps(applied(every_exp, x), np.exp(x.astype(np.float64))).max() < 1


@pytest.mark.parametrize(
    ("x", "power"),
    [(0, 1), (np.nextafter(EXP_UNDERFLOW, np.float32(-100)), 0), (-1e30, 0), (-np.inf, 0), (np.nan, np.nan)],
)
def test_exp_at_the_ends(x, power):
    np.testing.assert_array_equal(applied(every_exp, np.array([x], np.float32)), np.float32(power))


def test_log_is_within_three_ulps():
    x = np.concatenate([np.logspace(-30, 30, 200001), 1 + np.logspace(-15, 0, 20001), 1 - np.logspace(-15, -1)])
    assert ulps(applied(every_log, x), np.log(x.astype(np.longdouble))).max() < 3


def test_log_of_one_and_of_nan():
    np.testing.assert_array_equal(applied(every_log, np.array([1.0, np.nan])), [0.0, np.nan])
