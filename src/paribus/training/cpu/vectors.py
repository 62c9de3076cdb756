"""Building blocks for kernels in LLVM IR, where compilers make slow code of Python loops.

Every function takes llvmlite's `builder` and emits instructions at its position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

from paribus.training.cpu.compiling import int64

MANY_REGISTERS: Final = bool(llvm.get_host_cpu_features().get("avx512f"))
"""AVX-512 has 32 vector registers of 16 float32 values; AVX2 has 16 registers of 8."""
LANES: Final = 16
"""float32 values in a vector of the kernels, and the multiple to which widths are padded: one AVX-512 register, two of
AVX2, four of SSE or NEON. It is also one cache line of 64 bytes."""
REGISTER_LANES: Final = LANES if MANY_REGISTERS else LANES // 2
"""float32 values in one LLVM vector value. On AVX2 a vector of 16 would take two registers at once, and LLVM would run
out of registers for a tile's sums."""
FLOAT: Final = ir.FloatType()
INT32: Final = ir.IntType(32)
VECTOR: Final = ir.VectorType(FLOAT, REGISTER_LANES)


def float_pointers(builder: Any, *addresses: Any) -> list[Any]:
    """int64 addresses as pointers to float32."""
    return [builder.inttoptr(address, FLOAT.as_pointer()) for address in addresses]


def loop(builder: Any, steps: Any, initial: Sequence[Any], body: Callable[..., Sequence[Any]]) -> Sequence[Any]:
    """`for step in range(steps): values = body(step, *values)`, starting from `initial`; returns the last values.

    The values are SSA values (phi nodes), so LLVM keeps them in registers. `body` must stay within one basic block.
    Afterwards `builder` is positioned behind the loop.
    """
    before = builder.block
    head, inside, behind = map(builder.append_basic_block, ("head", "inside", "behind"))
    builder.branch(head)
    builder.position_at_end(head)
    phis = [builder.phi(value.type) for value in (int64(0), *initial)]
    step, *values = phis
    builder.cbranch(builder.icmp_signed("<", step, steps), inside, behind)
    builder.position_at_end(inside)
    after = body(step, *values)
    for phi, first, value in zip(phis, (int64(0), *initial), (builder.add(step, int64(1)), *after), strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(value, inside)
    builder.branch(head)
    builder.position_at_end(behind)
    return values


def offset(builder: Any, pointer: Any, stride: Any, count: int) -> Any:
    """`pointer + count * stride`, in elements."""
    return builder.gep(pointer, [builder.mul(stride, int64(count))])


def load(builder: Any, pointer: Any, kind: Any = VECTOR) -> Any:
    """The vector at `pointer`, which is aligned to 4 bytes only."""
    value = builder.load(builder.bitcast(pointer, kind.as_pointer()))
    value.align = 4
    return value


def store(builder: Any, value: Any, pointer: Any) -> None:
    """Write a vector to `pointer`, which is aligned to 4 bytes only."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


def broadcast(builder: Any, scalar: Any) -> Any:
    """A vector whose lanes all hold `scalar`."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    zero_lanes = ir.Constant(ir.VectorType(INT32, REGISTER_LANES), [0] * REGISTER_LANES)
    return builder.shuffle_vector(first, undefined, zero_lanes)


def zeros() -> Any:
    """A vector of zeros."""
    return ir.Constant(VECTOR, [0.0] * REGISTER_LANES)


def prefetch(builder: Any, address: Any) -> None:
    """Ask for the cache line at an int64 address, for reading, into every cache level. The processor does not wait."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
    intrinsic = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    read, every_cache, data = 0, 3, 1
    builder.call(
        intrinsic, [builder.inttoptr(address, byte), *(ir.Constant(INT32, what) for what in (read, every_cache, data))]
    )
