"""Matrix products for compiled code: the `sgemm` of a tuned library, called by its address.

PyTorch's own is taken where its library shows one (MKL, on x86), because it is the fastest at hand; else SciPy's.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from paribus.training.compiling import compiled

_NAMES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib", "win32": "torch_cpu.dll"}
_ARGUMENTS = 13


@lru_cache(maxsize=1)
def sgemm_address() -> int:
    """Where `sgemm_` of Fortran BLAS lies in this process."""
    library = Path(torch.__file__).parent / "lib" / _NAMES.get(sys.platform, "none")
    try:
        found = ctypes.cast(ctypes.CDLL(str(library)).sgemm_, ctypes.c_void_p).value
    except (OSError, AttributeError):
        found = None
    return found or scipy_address()


def scipy_address() -> int:
    """Where the `sgemm` of the BLAS that SciPy brings lies in this process."""
    capsule = import_module("scipy.linalg.cython_blas").__pyx_capi__["sgemm"]
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer_of(capsule, name_of(capsule))


def _typed_call(_context: Any, _address: Any, _pointers: Any) -> Any:
    """A call of the function at an address with a tuple of pointers, all given as whole numbers."""

    def generate(_generating: Any, builder: Any, _signature: Any, given: Any) -> Any:
        address, pointers = given
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer] * _ARGUMENTS)
        function = builder.inttoptr(address, kind.as_pointer())
        values = [builder.inttoptr(builder.extract_value(pointers, i), pointer) for i in range(_ARGUMENTS)]
        builder.call(function, values)
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(types.int64, types.UniTuple(types.int64, _ARGUMENTS)), generate


_call: Any = intrinsic(_typed_call)


@compiled
def product(sgemm: int, a: Any, b: Any, out: Any, a_turned: bool, b_turned: bool) -> None:
    """`out = a @ b` for contiguous float32 matrices, where a turned one stands for its transpose."""
    rows, columns = out.shape
    inner = a.shape[0] if a_turned else a.shape[1]
    # Fortran reads a matrix by columns: what it sees is out' = b' a'
    turned = np.empty(2, np.uint8)
    turned[0], turned[1] = 84 if b_turned else 78, 84 if a_turned else 78  # "T" or "N"
    sizes = np.empty(6, np.int32)
    sizes[0], sizes[1], sizes[2] = columns, rows, inner
    sizes[3], sizes[4], sizes[5] = b.shape[1], a.shape[1], columns
    scales = np.empty(2, np.float32)
    scales[0], scales[1] = 1.0, 0.0
    t, s, f = turned.ctypes.data, sizes.ctypes.data, scales.ctypes.data
    pointers = (
        t, t + 1, s, s + 4, s + 8, f, b.ctypes.data, s + 12, a.ctypes.data, s + 16, f + 4, out.ctypes.data, s + 20,
    )  # fmt: skip
    _call(sgemm, pointers)
