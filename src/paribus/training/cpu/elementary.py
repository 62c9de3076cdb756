"""exp and log for compiled code, with the same bits on every processor.

A C library's functions differ in the last place from one processor or library version to another, and long training
amplifies that. The functions here use only operations that IEEE 754 rounds in exactly one way.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from paribus.training.cpu.compiling import compiled, fma

EXP_UNDERFLOW: Final = np.float32(-87.0)
"""Below it, `exp` returns 0. Results soon below would be subnormal, which are slow and less precise."""

_LOG2_E: Final = np.float32(math.log2(math.e))
_LN2: Final = np.float32(math.log(2))
_LN2_LOW: Final = np.float32(math.log(2) - float(_LN2))
"""ln 2 = `_LN2` + `_LN2_LOW` to about 48 bits."""
_ROUNDING: Final = np.float32(1.5 * 2**23)
"""At this size neighbouring float32 values are 1 apart: adding it rounds x to the nearest integer n, which then stands
in the lowest bits of the sum. Example: 2.7 + 12582912 is 12582915, whose bits are those of 12582912 plus 3."""
_SQRT_HALF: Final = math.sqrt(0.5)


def _polynomial(*coefficients: float) -> Any:
    """For compiled code: a polynomial of a float32 or float64 argument by Horner's rule with fma.

    The coefficient of the highest power comes first.
    """

    def typed(_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            first, *others = (context.get_constant(x, coefficient) for coefficient in coefficients)
            return reduce(lambda total, coefficient: builder.fma(total, arguments[0], coefficient), others, first)

        return x(x), generate

    return intrinsic(typed)


_exp_series = _polynomial(*(1 / math.factorial(k) for k in range(7, -1, -1)))
"""The Taylor series of exp to x**7. For |x| <= ln(2) / 2 the remainder is below 6e-9."""
_atanh_series = _polynomial(*(1 / k for k in range(21, 0, -2)))
"""atanh(x) / x as a polynomial of x**2, to x**20. For |x| <= 0.172 the remainder is below 2e-19."""


def _power_of_two(_context: Any, rounded: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        exponent = builder.add(builder.bitcast(arguments[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(ir.IntType(32), 23)), ir.FloatType())

    return types.float32(rounded), generate


_exp2_of_rounded: Any = intrinsic(_power_of_two)
"""2**n of the float32 value n + `_ROUNDING`, for n from -126 to 127: n is moved from the sum's lowest bits into the
exponent bits of a float32, whose bias is 127."""


@compiled
def exp(x: Any) -> Any:
    """e**x of a float32 x up to 88, with an error below 1 ulp; 0 for x below `EXP_UNDERFLOW`, NaN for NaN.

    x = n ln 2 + r with an integer n and |r| <= ln(2) / 2, so that e**x = 2**n e**r. r is found in two steps, because
    n ln 2 in float32 alone would lose the digits in which x and n ln 2 differ (Cody, Waite 1980).
    """
    rounded = fma(x, _LOG2_E, _ROUNDING)
    n = rounded - _ROUNDING
    r = fma(-n, _LN2_LOW, fma(-n, _LN2, x))
    power = _exp_series(r) * _exp2_of_rounded(rounded)
    return np.float32(0) if x < EXP_UNDERFLOW else power


@compiled
def log(x: float) -> float:
    """The natural logarithm of a positive, finite float64 x, with an error below 3 ulp.

    x = m 2**n with sqrt(1/2) <= m < sqrt(2). Then log x = n ln 2 + 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.172.
    """
    m, n = math.frexp(x)
    if m < _SQRT_HALF:
        m, n = 2 * m, n - 1
    s = (m - 1) / (m + 1)
    return n * math.log(2) + 2 * s * _atanh_series(s * s)
