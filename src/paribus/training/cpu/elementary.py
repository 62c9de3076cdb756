"""Elementary functions for compiled code, with the same bits on every processor.

A C library's functions differ in the last place from one processor or library version to another, and long training
amplifies that. The functions here use only operations that IEEE 754 rounds in exactly one way. Those of float32 have no
branches, so that LLVM makes vector instructions of a loop over them. Their largest errors, in units in the last place
(ulp), are measured on dense grids against float64 functions of SciPy; `tests/training/cpu/test_elementary.py` repeats
that.
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
_ZERO, _ONE, _TWO, _FOUR = np.float32(0), np.float32(1), np.float32(2), np.float32(4)


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
_expm1_series = _polynomial(*(1 / math.factorial(k) for k in range(8, 1, -1)))
"""(exp(x) - 1 - x) / x**2 to x**6. For |x| <= ln(2) / 2 the remainder of exp(x) - 1 is below 2e-9 times x."""
_erf_near_zero = _polynomial(
    7.853857692559909e-05,
    -8.01019251659328e-4,
    5.188327559547064e-3,
    -2.6853811868884473e-2,
    1.1283585147026717e-1,
    -3.7612625824093265e-1,
    1.2837916572669042e-1,
)
"""erf(x) / x - 1 as a polynomial of x**2 for |x| <= 1: a weighted minimax fit, with a relative error of erf below 2e-9.
"""
_erfc_exponent = _polynomial(
    -1.8557489313738768e-4,
    2.9396157347701276e-3,
    -2.1805351151938115e-2,
    1.0303743550987339e-1,
    6.382256023786825e-1,
    1.1270400799722178,
    3.5370892972962407e-4,
)
"""-log(1 - erf(x)) for 1 <= x <= 4: a weighted minimax fit, with an absolute error of erf below 2e-9."""
_tanh_near_zero = _polynomial(
    0.002226971810414712,
    -0.008262742098857611,
    0.021732719995820726,
    -0.05395216671705794,
    0.13333245369051086,
    -0.3333333172072313,
)
"""(tanh(x) / x - 1) / x**2 as a polynomial of x**2 for |x| <= 0.6: a weighted minimax fit, with a relative error of
tanh below 1e-9."""
_TANH_SPLIT: Final = np.float32(0.6)
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
def expm1(x: Any) -> Any:
    """e**x - 1 of a float32 x up to 88, accurate near zero, with an error below 1.5 ulp; NaN for NaN.

    With x = n ln 2 + r as in `exp`, e**x - 1 = 2**n (e**r - 1) + (2**n - 1). For n = 0 that is the series of e**r - 1
    itself; otherwise both terms do not cancel by more than a factor of 3.
    """
    rounded = fma(x, _LOG2_E, _ROUNDING)
    n = rounded - _ROUNDING
    r = fma(-n, _LN2_LOW, fma(-n, _LN2, x))
    scale = _exp2_of_rounded(rounded)
    result = fma(scale, fma(r * r, _expm1_series(r), r), scale - _ONE)
    return -_ONE if x < EXP_UNDERFLOW else result


@compiled
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x) of any float32 x, with an error below 2.5 ulp for x > -87, and 0 below; NaN for NaN.

    With z = e**-|x|, which cannot overflow, it is 1 / (1 + z) for positive x and z / (1 + z) for negative x.
    """
    z = exp(-abs(x))
    return (z if x < _ZERO else _ONE) / (_ONE + z)


@compiled
def tanh(x: Any) -> Any:
    """The hyperbolic tangent of any float32 x, with an error below 1.5 ulp; NaN for NaN.

    Up to |x| = 0.6 it is x plus x**3 times a polynomial of x**2. Further out, with z = e**(-2|x|), tanh|x| is
    1 - 2 z / (1 + z); near zero that difference would lose digits.
    """
    size, square = abs(x), x * x
    near_zero = fma(x * square, _tanh_near_zero(square), x)
    z = exp(-_TWO * size)
    magnitude = _ONE - _TWO * z / (_ONE + z)
    return near_zero if size < _TANH_SPLIT else (-magnitude if x < _ZERO else magnitude)


@compiled
def erf(x: Any) -> Any:
    """The error function of any float32 x, with an error below 1.2 ulp; NaN for NaN.

    Up to |x| = 1 it is x plus x times a polynomial of x**2, and from there on 1 - exp(-q) with a polynomial q of |x|.
    At |x| = 4 and beyond, erf|x| is 1 in float32.
    """
    size = abs(x)
    near_zero = fma(x, _erf_near_zero(x * x), x)
    magnitude = _ONE - exp(-_erfc_exponent(_FOUR if size > _FOUR else size))
    return near_zero if size < _ONE else (-magnitude if x < _ZERO else magnitude)


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


@compiled
def log1p(x: float) -> float:
    """log(1 + x) of a float64 x from 0 on, finite, with an error below 4.5 ulp.

    u = 1 + x is rounded; log(u) is the logarithm of another number, by a factor of about x / (u - 1) (Kahan).
    """
    u = 1.0 + x
    return x if u == 1.0 else log(u) * (x / (u - 1.0))


@compiled
def power(x: float, n: int) -> float:
    """x**n of a float64 x and an integer n from 0 on, by repeated squaring: n = 5 gives x * (x**2)**2.

    Numba's own `**` does the same up to n = 65,536, but calls the C library beyond.
    """
    result = 1.0
    while n:
        if n & 1:
            result *= x
        n >>= 1
        x *= x
    return result
