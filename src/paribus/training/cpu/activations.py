"""Bias and activation of a hidden layer, forward and backward, in place.

Matrices are (row, unit) float32 with one row per example. Every unit is independent of the others, so padding columns,
whose values and bias are zero, stay zero.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paribus.training.cpu.compiling import compiled

_ZERO: Final = np.float32(0)


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
