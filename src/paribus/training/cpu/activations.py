"""Bias, activation and their gradients for a hidden layer, in place.

Matrices are (row, unit), contiguous float32, one row per example. With z = values + bias and an activation f:

    kind        f(z)                                f'(z)
    relu        max(0, z)                           1 if z > 0, else 0
    leaky-relu  z if z > 0, else slope * z          1 if z > 0, else slope
    elu         z if z > 0, else a * (e**z - 1)     1 if z > 0, else a * e**z
    tanh        tanh(z)                             1 - f**2 = 4 u / (1 + u)**2 with u = e**(-2 |z|)
    sigmoid     s = 1 / (1 + e**-z)                 s (1 - s) = u / (1 + u)**2 with u = e**-|z|
    gelu        z P with P = (1 + erf(z / √2)) / 2  P + z e**(-z**2 / 2) / √(2π)
    silu        z s                                 s (1 + z (1 - s))
    identity    z                                   1

**Derivatives are computed on the way forward**, where the exponentials are at hand, and are kept in a matrix of their
own. Dropout then multiplies outputs and derivatives by the same factors, so a dropped unit has the derivative zero, and
the way back is one multiplication for every kind. ReLU needs none of that: whether a unit passes its gradient on can be
seen in its output, dropped or not.

Every kind is PyTorch's, NaN and infinite values included, up to rounding. Units are independent of each other.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import erf, exp, expm1, sigmoid, tanh

CODES: Final = {
    "relu": 0,
    "leaky-relu": 1,
    "elu": 2,
    "tanh": 3,
    "sigmoid": 4,
    "gelu": 5,
    "silu": 6,
    "identity": 7,
}
"""What compiled code calls each kind. `activate` has a branch for each."""
RELU, _LEAKY_RELU, _ELU, _TANH, _SIGMOID, _GELU, _SILU, _IDENTITY = CODES.values()

_ZERO, _HALF, _ONE, _TWO, _FOUR = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2), np.float32(4)
_NAN: Final = np.float32(np.nan)
_SQRT_HALF: Final = np.float32(math.sqrt(0.5))
_NORMAL_DENSITY: Final = np.float32(1 / math.sqrt(2 * math.pi))
"""The standard normal density at zero."""


@compiled
def activate(values: Any, derivative: Any, bias: Any, kind: int, parameter: Any, units: int) -> None:
    """`values` (row, unit) = f(`values` + `bias`), and `derivative` (row, unit) = f', with `bias` (unit,).

    `kind` is one of `CODES`, `parameter` its float32 parameter, if it has one. Columns from `units` on are padding,
    where `values` and `bias` are zero; they stay zero in `values`. `derivative` is not touched for ReLU. A code without
    a branch here makes all of `values` NaN.
    """
    if kind == RELU:
        relu(values, bias)
        return
    _add_bias(values, bias)
    # one loop over all rows, as a row can be too short for vector instructions
    flat, flat_derivative = values.reshape(values.size), derivative.reshape(derivative.size)
    if kind == _LEAKY_RELU:
        _leaky_relu(flat, flat_derivative, parameter)
    elif kind == _ELU:
        _elu(flat, flat_derivative, parameter)
    elif kind == _TANH:
        _tanh(flat, flat_derivative)
    elif kind == _SIGMOID:
        _sigmoid(flat, flat_derivative)
        values[:, units:] = _ZERO  # the only kind whose f(0) is not zero
    elif kind == _GELU:
        _gelu(flat, flat_derivative)
    elif kind == _SILU:
        _silu(flat, flat_derivative)
    elif kind == _IDENTITY:
        flat_derivative[:] = _ONE
    else:
        flat[:] = _NAN


@compiled
def activate_backward(gradient: Any, values: Any, derivative: Any, kind: int, scale: Any, bias_gradient: Any) -> None:
    """The gradient before activation and dropout from the one behind them, in place, and the bias' gradient.

    `gradient`, `values` and `derivative` are (row, unit), the latter two as `activate` and dropout left them; `scale`
    is dropout's 1 / (1 - rate), or 1. Gradient = gradient * derivative, or as `relu_backward` says. `bias_gradient`
    (unit,) is the sum over rows, in their order, in float32. A dropped unit's gradient is zero.
    """
    if kind == RELU:
        relu_backward(gradient, values, scale, bias_gradient)
        return
    rows, units = gradient.shape
    bias_gradient[:] = _ZERO
    for row in range(rows):
        own, factors = gradient[row], derivative[row]
        for unit in range(units):
            own[unit] *= factors[unit]
            bias_gradient[unit] += own[unit]


@compiled
def relu(values: Any, bias: Any) -> None:
    """`values` (row, unit) = max(0, `values` + `bias`) with `bias` (unit,). NaN stays NaN, as in PyTorch."""
    rows, units = values.shape
    for row in range(rows):
        into = values[row]
        for unit in range(units):
            value = into[unit] + bias[unit]
            into[unit] = _ZERO if value < _ZERO else value  # false for NaN


@compiled
def relu_backward(gradient: Any, values: Any, scale: Any, bias_gradient: Any) -> None:
    """The gradient before ReLU and dropout from the one behind them, in place, and the bias' gradient.

    `gradient` and `values`, the layer's outputs behind dropout, are (row, unit); `scale` is dropout's 1 / (1 - rate).

        gradient = gradient * scale where values > 0 (or NaN), else 0;    bias_gradient = sum over rows of gradient

    A dropped unit has the output 0, so its gradient is 0 without a look at the dropout mask. At an output of exactly 0
    the gradient is 0, as in PyTorch. `bias_gradient` (unit,) is summed in the order of rows.
    """
    rows, units = gradient.shape
    bias_gradient[:] = _ZERO
    for row in range(rows):
        for unit in range(units):
            own = gradient[row, unit] * scale
            own = _ZERO if values[row, unit] <= _ZERO else own
            gradient[row, unit] = own
            bias_gradient[unit] += own


@compiled
def _add_bias(values: Any, bias: Any) -> None:
    rows, units = values.shape
    for row in range(rows):
        into = values[row]
        for unit in range(units):
            into[unit] += bias[unit]


@compiled
def _leaky_relu(values: Any, derivative: Any, slope: Any) -> None:
    for i in range(len(values)):
        z = values[i]
        factor = _ONE if z > _ZERO else slope
        values[i] = z * factor
        derivative[i] = factor


@compiled
def _elu(values: Any, derivative: Any, a: Any) -> None:
    for i in range(len(values)):
        z = values[i]
        values[i] = z if z > _ZERO else a * expm1(z)
        derivative[i] = _ONE if z > _ZERO else a * exp(z)


@compiled
def _tanh(values: Any, derivative: Any) -> None:
    for i in range(len(values)):
        x = values[i]
        values[i] = tanh(x)
        z = exp(-_TWO * abs(x))  # computed by tanh, too; the compiler does it once
        derivative[i] = _FOUR * z / ((_ONE + z) * (_ONE + z))


@compiled
def _sigmoid(values: Any, derivative: Any) -> None:
    for i in range(len(values)):
        x = values[i]
        values[i] = sigmoid(x)
        z = exp(-abs(x))  # computed by sigmoid, too; the compiler does it once
        derivative[i] = z / ((_ONE + z) * (_ONE + z))


@compiled
def _gelu(values: Any, derivative: Any) -> None:
    for i in range(len(values)):
        z = values[i]
        probability = _HALF * (_ONE + erf(z * _SQRT_HALF))
        values[i] = z * probability
        derivative[i] = probability + z * (exp(-_HALF * z * z) * _NORMAL_DENSITY)


@compiled
def _silu(values: Any, derivative: Any) -> None:
    for i in range(len(values)):
        z = values[i]
        s = sigmoid(z)
        values[i] = z * s
        derivative[i] = s * (_ONE + z * (_ONE - s))
