"""Elementary functions, against NumPy's and SciPy's with more digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import EXP_UNDERFLOW, erf, exp, expm1, log, log1p, power, sigmoid, tanh


@compiled
def every_exp(x, out):
    for i in range(len(x)):
        out[i] = exp(x[i])


@compiled
def every_log(x, out):
    for i in range(len(x)):
        out[i] = log(x[i])


@compiled
def every_expm1(x, out):
    for i in range(len(x)):
        out[i] = expm1(x[i])


@compiled
def every_sigmoid(x, out):
    for i in range(len(x)):
        out[i] = sigmoid(x[i])


@compiled
def every_tanh(x, out):
    for i in range(len(x)):
        out[i] = tanh(x[i])


@compiled
def every_erf(x, out):
    for i in range(len(x)):
        out[i] = erf(x[i])


@compiled
def every_log1p(x, out):
    for i in range(len(x)):
        out[i] = log1p(x[i])


DENSE = np.arange(np.float32(2.0**-30).view(np.int32), np.float32(87).view(np.int32), 499, dtype=np.int32)
"""The bits of every 499th float32 from 2**-30 to 87."""
FUNCTIONS = {
    "expm1": (every_expm1, np.expm1, 1.5),
    "sigmoid": (every_sigmoid, special.expit, 2.5),
    "tanh": (every_tanh, np.tanh, 1.5),
    "erf": (every_erf, special.erf, 1.2),
}
"""Each with its reference and its largest error in ulp, as its docstring states it."""
NAN, INF = float("nan"), float("inf")


def applied(function, x):
    out = np.empty_like(x)
    function(x, out)
    return out


def ulps(found, exact):
    """The distance to the exact result, in units of its last place."""
    digits = np.finfo(found.dtype).nmant + 1
    return np.abs(found - exact) / np.ldexp(1.0, np.frexp(exact)[1] - digits)


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


@pytest.mark.parametrize(("function", "reference", "largest"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_float32_functions_are_within_their_stated_error(function, reference, largest):
    magnitudes = DENSE.view(np.float32)
    x = np.concatenate([magnitudes, -magnitudes])
    assert ulps(applied(function, x), reference(x.astype(np.float64))).max() < largest


@pytest.mark.parametrize(("function", "reference", "largest"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_float32_functions_at_zero_and_far_out(function, reference, largest):
    x = np.array([0, 1e-30, -1e-30, -INF, -1e30, NAN], np.float32)
    np.testing.assert_array_equal(applied(function, x), reference(x.astype(np.float64)).astype(np.float32))
    if function is not every_expm1:
        np.testing.assert_array_equal(applied(function, np.array([1e30, INF], np.float32)), 1)


def test_log1p_is_within_its_stated_error():
    x = np.concatenate([[0], np.logspace(-280, 10, 100001), np.linspace(0, 1, 100001)])
    assert ulps(applied(every_log1p, x), np.log1p(x.astype(np.longdouble))).max() < 4.5


@pytest.mark.parametrize("x", [0.5, 0.9, 0.999, 0.99999])
def test_power(x):
    exponents = [*range(100), 1000, 65536, 65537, 100_001]
    exact = [np.longdouble(x) ** n for n in exponents]
    np.testing.assert_allclose([power(x, n) for n in exponents], np.array(exact, np.float64), rtol=1e-10, atol=1e-300)
    assert power(x, 5) == x * ((x * x) * (x * x))
