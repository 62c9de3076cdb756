"""Tiles in LLVM IR: the innermost loops of matmul, whose sums stay in the processor's registers.

A tile (Van Zee, van de Geijn 2015) computes some rows by one or two vectors of columns of `out = a @ b`. At each step k
along the inner dimension it does

    out[row, column] += a[row, k] * b[k, column]    for its rows and columns, with one fma per vector,

so it loads each vector of `b` once for all its rows, and each number of `a` once for all its columns. The tiles are
LLVM IR because no Python loop makes a compiler keep so many sums in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils

from paribus.training.cpu.compiling import int64, llvm_intrinsic
from paribus.training.cpu.vectors import (
    FLOAT,
    INT32,
    LANES,
    MANY_REGISTERS,
    REGISTER_LANES,
    VECTOR,
    broadcast,
    float_pointers,
    load,
    loop,
    offset,
    store,
    zeros,
)

TILE_ROWS: Final = 12 if MANY_REGISTERS else 6
TILE_VECTORS: Final = 2 if MANY_REGISTERS else 1
"""Rows and vectors of the largest tile. AVX-512: 12 x 2 sums and 2 vectors of `b` in 32 registers. AVX2: 6 x 2 sums
(a vector is two registers) and 2 registers of `b` in 16. The others hold numbers of `a`."""
ROWS_PER_POINTER: Final = 3
"""Rows of `a` that one pointer p reaches with x86 addressing: p, p + stride and p + 2 * stride cost no instruction."""


def dense_tile(rows: int, vectors: int = 1) -> Any:
    """A function for compiled code that computes a tile of `rows` x `vectors`.

    `tile((a, a_row, a_step, b, b_step, out, out_row, steps, accumulate))`: `out` = `a` @ `b`, or `out` += `a` @ `b`
    with `accumulate`. `a`, `b` and `out` are addresses; `a_row` and `out_row` are the distances from one row to the
    next, `a_step` and `b_step` those from one inner step to the next, in float32 elements.
    """
    return llvm_intrinsic(9, partial(_emit_dense, rows=rows, vectors=vectors))


def _emit_dense(
    builder: Any,
    a: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_step: Any,
    out: Any,
    out_row: Any,
    steps: Any,
    accumulate: Any,
    *,
    rows: int,
    vectors: int,
) -> None:
    a, b, out = float_pointers(builder, a, b, out)
    firsts = [_opaque(builder, offset(builder, a, a_row, row)) for row in range(0, rows, ROWS_PER_POINTER)]

    def operands(_step: Any, b_now: Any, *a_now: Any) -> tuple[Any, list[Any]]:
        return b_now, [
            offset(builder, a_now[row // ROWS_PER_POINTER], a_row, row % ROWS_PER_POINTER) for row in range(rows)
        ]

    moving = [(b, b_step), *((first, a_step) for first in firsts)]
    out_rows = [offset(builder, out, out_row, row) for row in range(rows)]
    _emit_sums(builder, out_rows, vectors, moving, operands, steps, accumulate)


def listed_tile(rows: int, vectors: int = 1) -> Any:
    """A function for compiled code that computes a tile over listed inner steps only, for rows at any addresses.

    `tile((a_rows, a_step, panel, out_rows, column, listed, count, accumulate))`. `a_rows` and `out_rows` are addresses
    of tables of row addresses, one int64 per row; the columns of the tile begin at `column` of each row of `out`.
    `panel` is the address of `b`'s columns, packed: step k begins at `panel` + k * `vectors` * `LANES` elements.
    `listed` is the address of `count` step numbers, one byte each. Example: with the numbers 0, 3, 7 the tile sums the
    products of these three steps.
    """
    return llvm_intrinsic(8, partial(_emit_listed, rows=rows, vectors=vectors))


def _emit_listed(
    builder: Any,
    a_rows: Any,
    a_step: Any,
    panel: Any,
    out_rows: Any,
    column: Any,
    listed: Any,
    count: Any,
    accumulate: Any,
    *,
    rows: int,
    vectors: int,
) -> None:
    panel, listed = builder.inttoptr(panel, FLOAT.as_pointer()), builder.inttoptr(listed, ir.IntType(8).as_pointer())
    a_starts, out_starts = (
        [builder.inttoptr(builder.load(builder.gep(table, [int64(row)])), FLOAT.as_pointer()) for row in range(rows)]
        for table in (builder.inttoptr(address, int64(0).type.as_pointer()) for address in (a_rows, out_rows))
    )
    stride = builder.trunc(a_step, INT32)  # a multiplication of 32 bits is faster than one of 64

    def operands(step: Any) -> tuple[Any, list[Any]]:
        number = builder.zext(builder.load(builder.gep(listed, [step])), INT32)
        in_panel = builder.zext(builder.mul(number, ir.Constant(INT32, vectors * LANES)), step.type)
        in_row = builder.zext(builder.mul(number, stride), step.type)
        return builder.gep(panel, [in_panel]), [builder.gep(start, [in_row]) for start in a_starts]

    outs = [builder.gep(start, [column]) for start in out_starts]
    _emit_sums(builder, outs, vectors, [], operands, count, accumulate)


def panel_copy(vectors: int) -> Any:
    """A function for compiled code that packs columns of a matrix: `copy((b, b_row, panel, rows))`.

    It copies `vectors` * `LANES` columns of `rows` rows from address `b`, whose rows are `b_row` elements apart, to
    address `panel`, where they follow each other without gaps.
    """
    return llvm_intrinsic(4, partial(_emit_panel_copy, vectors=vectors))


def _emit_panel_copy(builder: Any, b: Any, b_row: Any, panel: Any, rows: Any, *, vectors: int) -> None:
    def copy(_row: Any, source: Any, target: Any) -> list[Any]:
        for lane in range(0, vectors * LANES, REGISTER_LANES):
            store(builder, load(builder, builder.gep(source, [int64(lane)])), builder.gep(target, [int64(lane)]))
        return [builder.gep(source, [b_row]), builder.gep(target, [int64(vectors * LANES)])]

    loop(builder, rows, float_pointers(builder, b, panel), copy)


def _emit_sums(
    builder: Any,
    out_rows: list[Any],
    vectors: int,
    moving: list[tuple[Any, Any]],
    operands: Callable[..., tuple[Any, list[Any]]],
    steps: Any,
    accumulate: Any,
) -> None:
    """The loop over the inner steps: every sum starts at zero and stays in a register until the last step.

    `out_rows` points to where each row's sums are written. `moving` has (start, stride) of pointers that advance with
    every step. `operands(step, *pointers)` gives a pointer to `b`'s vectors of the step, and one to each row's number
    of `a`.
    """
    parts = [int64(lane) for lane in range(0, vectors * LANES, REGISTER_LANES)]
    outs = [builder.gep(row, [part]) for row in out_rows for part in parts]
    vector_fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{REGISTER_LANES}f32"
    )

    def take_step(step: Any, *values: Any) -> list[Any]:
        pointers, sums = values[: len(moving)], list(values[len(moving) :])

        def add_product(row: int, part: int, a_value: Any, b_vector: Any) -> None:
            at = row * len(parts) + part
            sums[at] = builder.call(vector_fma, [a_value, b_vector, sums[at]])

        b_now, a_now = operands(step, *pointers)
        _emit_products(builder, a_now, [builder.gep(b_now, [part]) for part in parts], add_product)
        advanced = [builder.gep(pointer, [stride]) for pointer, (_, stride) in zip(pointers, moving, strict=True)]
        return [*advanced, *sums]

    initial = [*(start for start, _ in moving), *(zeros() for _ in outs)]
    sums = loop(builder, steps, initial, take_step)[len(moving) :]
    overwriting, adding, done = map(builder.append_basic_block, ("overwriting", "adding", "done"))
    builder.cbranch(builder.icmp_signed("!=", accumulate, int64(0)), adding, overwriting)
    builder.position_at_end(overwriting)
    for out, total in zip(outs, sums, strict=True):
        store(builder, total, out)
    builder.branch(done)
    builder.position_at_end(adding)
    for out, total in zip(outs, sums, strict=True):
        store(builder, builder.fadd(load(builder, out), total), out)
    builder.branch(done)
    builder.position_at_end(done)


def _emit_products(builder: Any, a_pointers: list[Any], b_pointers: list[Any], add: Callable[..., None]) -> None:
    """`add(row, part, a_value, b_vector)` for every row of `a` and part of `b`'s vectors.

    The smaller of both sets is loaded first and kept in registers; the other passes through one register.
    """

    def a_value(row: int) -> Any:
        return broadcast(builder, builder.load(a_pointers[row]))

    def b_vector(part: int) -> Any:
        return load(builder, b_pointers[part])

    rows, parts = range(len(a_pointers)), range(len(b_pointers))
    if len(rows) < len(parts):
        a_values = list(map(a_value, rows))
        for part in parts:
            vector = b_vector(part)
            for row in rows:
                add(row, part, a_values[row], vector)
        return
    vectors = list(map(b_vector, parts))
    for row in rows:
        value = a_value(row)
        for part in parts:
            add(row, part, value, vectors[part])


def _opaque(builder: Any, pointer: Any) -> Any:
    """The same pointer, with its origin hidden from LLVM by an empty assembly statement.

    LLVM would otherwise compute each pointer from the one before, a chain of additions in every step.
    """
    return builder.asm(ir.FunctionType(pointer.type, [pointer.type]), "", "=r,0", [pointer], side_effect=False)
