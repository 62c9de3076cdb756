"""Reading a batch of examples from memory."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paribus.training.cpu import vectors
from paribus.training.cpu.compiling import compiled, fma, llvm_intrinsic

_ONE: Final = np.float32(1)
PREFETCH_DISTANCE: Final = 4
"""Rows ahead that are prefetched. A shuffled order jumps through memory, which the processor cannot predict."""
CACHE_LINE: Final = 64
"""Bytes that come from memory at once."""

_prefetch = llvm_intrinsic(1, vectors.prefetch)


@compiled
def prefetch(array: Any, row: int) -> None:
    """Ask for row `row` of a contiguous array (row, column), to be read soon. The processor does not wait for it."""
    size = array.shape[1] * array.itemsize
    begin = array.ctypes.data + row * size
    for line in range(begin, begin + size, CACHE_LINE):
        _prefetch((line,))


@compiled
def gather(pool: Any, divisor: Any, centre: Any, order: Any, inputs: Any) -> None:
    """`inputs[i, f]` = `pool[order[i], f]` / `divisor` - `centre[f]` for every row i and feature f, in float32.

    `pool` (example, feature) is float32 with the divisor 1, or uint8 with the divisor 255; `centre` is (feature,),
    `order` (row,), and `inputs` (row, width) with width >= features; columns behind the features are not written.

    A division is replaced by multiplications with the inverse, q = x * inverse + x * rest, where
    rest = (1 - inverse * divisor) * inverse corrects the inverse's rounding error. For these two divisors it gives the
    quotient's exact bits (a test goes through all 256 bytes), in a third of a division's time.
    """
    inverse = _ONE / divisor
    rest = fma(-inverse, divisor, _ONE) * inverse
    for row in range(len(order)):
        if row + PREFETCH_DISTANCE < len(order):
            prefetch(pool, order[row + PREFETCH_DISTANCE])
        example, into = pool[order[row]], inputs[row]
        for feature in range(len(centre)):
            value = np.float32(example[feature])
            into[feature] = fma(value, inverse, value * rest) - centre[feature]


@compiled
def multiply(inputs: Any, factor: Any, rows: int) -> None:
    """Multiply the first `rows` rows of `inputs` (row, width) by `factor` (feature,), with width >= features."""
    for row in range(rows):
        into = inputs[row]
        for feature in range(len(factor)):
            into[feature] *= factor[feature]
