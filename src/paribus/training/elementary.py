"""The exponential and the logarithm for compiled code, with the same bits on every processor.

A system's own functions end otherwise in the last place from one processor, or version of its library, to the next, and
long trainings make much of that. These consist of operations that IEEE 754 rounds in one way only.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from paribus.training.compiling import compiled, fused

LEAST: Final = np.float32(-87.0)
"""Below it, the exponential is taken for 0: its numbers would soon be too small to be kept in full."""

_LOG2_E: Final = np.float32(math.log2(math.e))
_LN2: Final = np.float32(math.log(2))
_LN2_REST: Final = np.float32(math.log(2) - float(_LN2))
_ROUNDER: Final = np.float32(1.5 * 2**23)
"""What is added to it is rounded to a whole number, which is then in its last bits."""
_ROOT: Final = math.sqrt(0.5)


def _polynomial(*terms: float) -> Any:
    """For compiled code: a polynomial of its argument, float32 or float64, with these terms, the highest first."""

    def typed(_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
            first, *others = (context.get_constant(x, term) for term in terms)
            return reduce(lambda total, term: builder.fma(total, given[0], term), others, first)

        return x(x), generate

    return intrinsic(typed)


_taylor = _polynomial(*(1 / math.factorial(k) for k in range(7, -1, -1)))
"""Of the exponential: within ln 2 / 2 of 0, what is left out is below 6e-9."""
_tangent = _polynomial(*(1 / k for k in range(21, 0, -2)))
"""Of the inverse hyperbolic tangent, over its argument and in its square: up to 0.172, all but 2e-19."""


def _power_of_two(_context: Any, rounded: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, given: Any) -> Any:
        bits = ir.IntType(32)
        exponent = builder.add(builder.bitcast(given[0], bits), ir.Constant(bits, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(bits, 23)), ir.FloatType())

    return types.float32(rounded), generate


_two_to: Any = intrinsic(_power_of_two)
"""2 to the power of the whole number, from -126 to 127, that has been added to `_ROUNDER`."""


@compiled
def exponential(x: Any) -> Any:
    """e to the power of a float32 number up to 88, within one unit in the last place; 0 below `LEAST`."""
    rounded = fused(x, _LOG2_E, _ROUNDER)
    whole = rounded - _ROUNDER
    rest = fused(-whole, _LN2_REST, fused(-whole, _LN2, x))
    power = _taylor(rest) * _two_to(rounded)
    return np.float32(0) if x < LEAST else power


@compiled
def logarithm(x: float) -> float:
    """The natural logarithm of a positive, finite number, within three units in the last place."""
    part, power = math.frexp(x)
    if part < _ROOT:
        part, power = 2 * part, power - 1
    ratio = (part - 1) / (part + 1)
    return power * math.log(2) + 2 * ratio * _tangent(ratio * ratio)
