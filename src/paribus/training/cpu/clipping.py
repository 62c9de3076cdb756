"""Gradient clipping, by value and by the global norm, over contiguous float32 gradients.

By norm, as `torch.nn.utils.clip_grad_norm_`: with N the norm of all of a run's gradients together,

    gradient = gradient * min(1, max_norm / (N + 1e-6))

so a step has three parts: `sum_of_squares` of each gradient, added up in float64 in the order of parameters;
`norm_coefficient` of the sum; `scale` of each gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.vectors import LANES

_EPSILON = 1e-6
_ONE = np.float32(1)


@compiled
def clip_by_value(gradient: Any, limit: Any) -> None:
    """Limit `gradient` (parameter,) to -`limit` to `limit`, as `torch.nn.utils.clip_grad_value_`. NaN stays NaN."""
    for i in range(len(gradient)):
        value = gradient[i]
        gradient[i] = limit if value > limit else (-limit if value < -limit else value)


@compiled
def sum_of_squares(gradient: Any) -> float:
    """The sum of the squares of `gradient` (parameter,), whose length is a multiple of `LANES`, in float64.

    Element i belongs to lane i % `LANES`. Each lane's squares, which are exact in float64, are added in the order of
    elements; then the lanes are added, first to last. A matrix's rows are padded to a multiple of `LANES`, so an
    element's lane is its column modulo `LANES`, and padding, which adds exact zeros, does not affect the result. So the
    bits depend on the unpadded gradient alone. Lanes are independent sums, which vector instructions do at once.
    """
    lanes = np.zeros(LANES, np.float64)
    for start in range(0, len(gradient), LANES):
        for lane in range(LANES):
            value = np.float64(gradient[start + lane])
            lanes[lane] += value * value
    total = 0.0
    for lane in range(LANES):
        total += lanes[lane]
    return total


@compiled
def norm_coefficient(squares: float, max_norm: float) -> Any:
    """min(1, `max_norm` / (sqrt(`squares`) + 1e-6)) as float32; NaN where the norm is NaN, 0 where it is infinite."""
    coefficient = max_norm / (np.sqrt(squares) + _EPSILON)
    return _ONE if coefficient > 1.0 else np.float32(coefficient)


@compiled
def scale(gradient: Any, coefficient: Any) -> None:
    """Multiply `gradient` (parameter,) by a float32 `coefficient`."""
    for i in range(len(gradient)):
        gradient[i] *= coefficient
