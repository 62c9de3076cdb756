"""Flush-to-zero: within a compiled call, results too small for a normal float32 become zero, and are read as zero.

Adam's moments of a unit that has died shrink below 1.2e-38. Processors compute with such subnormal numbers many times
more slowly, so PyTorch's `set_flush_denormal` and this module switch them off. It changes bits, so it is part of what
the engine promises: it is set at the start of each compiled call and restored at its end, whatever the thread had.

x86-64 keeps the setting in the register MXCSR (bit 15 flushes results, bit 6 operands), AArch64 in FPCR (bit 24).
"""

from __future__ import annotations

import platform
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_ARM: Final = platform.machine().lower() in ("aarch64", "arm64")
_FLUSH: Final = 1 << 24 if _ARM else (1 << 15) | (1 << 6)
_BYTE, _WORD, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an intrinsic of LLVM."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _read(builder: Any) -> Any:
    """The control register, as an int64 value in LLVM IR."""
    if _ARM:
        return _call(builder, "llvm.aarch64.get.fpcr", _LONG)
    at = builder.alloca(_WORD)
    _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(at, _BYTE.as_pointer()))
    return builder.zext(builder.load(at), _LONG)


def _write(builder: Any, value: Any) -> None:
    if _ARM:
        _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), value)
        return
    at = builder.alloca(_WORD)
    builder.store(builder.trunc(value, _WORD), at)
    _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(at, _BYTE.as_pointer()))


def _flush(_context: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        before = _read(builder)
        _write(builder, builder.or_(before, ir.Constant(_LONG, _FLUSH)))
        return before

    return types.int64(), generate


def _restore(_context: Any, _before: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        _write(builder, arguments[0])
        return ir.Constant(_LONG, 0)

    return types.int64(types.int64), generate


flush_denormals: Any = intrinsic(_flush)
"""For compiled code: switch flush-to-zero on; returns the setting before, for `restore_denormals`."""
restore_denormals: Any = intrinsic(_restore)
"""For compiled code: put the setting back."""
