"""Dropout from a counter-based generator: unit number i of a layer is dropped or kept by the i-th number of a sequence.

The numbers are SplitMix64's (Steele, Lea, Flood 2014): number i is mix(start + i * GOLDEN_GAMMA), computed without the
numbers before it. So a mask needs no storage, and it is the same on every processor and in every cohort.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paribus.training.cpu.compiling import compiled

GOLDEN_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
"""The increment of the counter: 2**64 divided by the golden ratio, made odd."""
MIX_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
MIX_SECOND: Final = np.uint64(0x94D049BB133111EB)
"""The multipliers of the output function."""
UNIFORM_STEP: Final = np.float32(2.0**-24)
"""The upper 24 bits of a number times this are a float32 in [0, 1)."""
_ZERO: Final = np.float32(0)
_U27, _U30, _U31, _U40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)


@compiled
def dropout(values: Any, seed: Any, position: Any, rate: Any, scale: Any) -> None:
    """Multiply `values` (row, unit) by `scale` = 1 / (1 - `rate`), or by zero where the unit's number is below `rate`.

    Unit (row, unit) of the layer takes number row * units + unit of `uniform(seed, position, ...)`; `units` includes
    padding. Zero times inf or NaN is NaN, as in PyTorch.
    """
    rows, units = values.shape
    start = _mix(seed + (position + np.uint64(1)) * GOLDEN_GAMMA)
    for row in range(rows):
        into = values[row]
        for unit in range(units):
            number = np.float32(_mix(start + np.uint64(row * units + unit) * GOLDEN_GAMMA) >> _U40) * UNIFORM_STEP
            into[unit] *= scale if number >= rate else _ZERO


@compiled
def dropout_with_derivative(values: Any, derivative: Any, seed: Any, position: Any, rate: Any, scale: Any) -> None:
    """`dropout` of `values`, and of the activation's `derivative` (row, unit) by the same factors.

    So the gradient before the activation is the gradient behind dropout times `derivative`: zero for a dropped unit.
    """
    rows, units = values.shape
    start = _mix(seed + (position + np.uint64(1)) * GOLDEN_GAMMA)
    for row in range(rows):
        into, into_derivative = values[row], derivative[row]
        for unit in range(units):
            number = np.float32(_mix(start + np.uint64(row * units + unit) * GOLDEN_GAMMA) >> _U40) * UNIFORM_STEP
            factor = scale if number >= rate else _ZERO
            into[unit] *= factor
            into_derivative[unit] *= factor


@compiled
def uniform(seed: Any, position: Any, count: int) -> Any:
    """The first `count` numbers of the sequence that `seed` (uint64) and `position` select: float32 in [0, 1).

    `position` numbers the layers of an epoch's batches, so that each has a sequence of its own.
    """
    numbers = np.empty(count, np.float32)
    start = _mix(np.uint64(seed) + (np.uint64(position) + np.uint64(1)) * GOLDEN_GAMMA)
    for i in range(count):
        numbers[i] = np.float32(_mix(start + np.uint64(i) * GOLDEN_GAMMA) >> _U40) * UNIFORM_STEP
    return numbers


@compiled
def _mix(z: Any) -> Any:
    """SplitMix64's output function: every input bit changes about half of the output bits."""
    z = (z ^ (z >> _U30)) * MIX_FIRST
    z = (z ^ (z >> _U27)) * MIX_SECOND
    return z ^ (z >> _U31)
