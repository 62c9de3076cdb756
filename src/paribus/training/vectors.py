"""Words for loops over vectors in LLVM's own language, where compilers make too little of Python's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import llvmlite.binding as llvm
from llvmlite import ir

from paribus.training.compiling import whole

MANY_REGISTERS: Final = bool(llvm.get_host_cpu_features().get("avx512f"))
LANES: Final = 16
"""Numbers in a vector: one register of AVX-512, two of AVX2, four of the rest."""
REGISTER: Final = LANES if MANY_REGISTERS else LANES // 2
"""Numbers that are worked on at once: no more than a register has, or LLVM would hold both halves of what it needs one
of, and find no register for a sum."""
FLOAT: Final = ir.FloatType()
LANE: Final = ir.IntType(32)
VECTOR: Final = ir.VectorType(FLOAT, REGISTER)


def floats(builder: Any, *addresses: Any) -> list[Any]:
    """Addresses as such of float32 numbers."""
    return [builder.inttoptr(address, FLOAT.as_pointer()) for address in addresses]


def loop(builder: Any, steps: Any, begins: Sequence[Any], body: Callable[..., Sequence[Any]]) -> Sequence[Any]:
    """What `begins` have become after as many steps: `body(step, *now)`, in one block, tells what they become in one.

    `builder` stands behind the loop then.
    """
    before = builder.block
    head, inside, behind = map(builder.append_basic_block, ("head", "inside", "behind"))
    builder.branch(head)
    builder.position_at_end(head)
    held = [builder.phi(value.type) for value in (whole(0), *begins)]
    step, *now = held
    builder.cbranch(builder.icmp_signed("<", step, steps), inside, behind)
    builder.position_at_end(inside)
    after = body(step, *now)
    for phi, begin, value in zip(held, (whole(0), *begins), (builder.add(step, whole(1)), *after), strict=True):
        phi.add_incoming(begin, before)
        phi.add_incoming(value, inside)
    builder.branch(head)
    builder.position_at_end(behind)
    return now


def away(builder: Any, address: Any, stride: Any, count: int) -> Any:
    """The address `count` strides further."""
    return builder.gep(address, [builder.mul(stride, whole(count))])


def loaded(builder: Any, place: Any, kind: Any = VECTOR) -> Any:
    """What lies at a place that needs not be aligned."""
    value = builder.load(builder.bitcast(place, kind.as_pointer()))
    value.align = 4
    return value


def store(builder: Any, value: Any, place: Any) -> None:
    """Put a vector at a place that needs not be aligned."""
    builder.store(value, builder.bitcast(place, value.type.as_pointer())).align = 4


def spread(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    none = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(none, number, ir.Constant(LANE, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(LANE, REGISTER), [0] * REGISTER))


def nothing() -> Any:
    """A vector of zeros."""
    return ir.Constant(VECTOR, [0.0] * REGISTER)
