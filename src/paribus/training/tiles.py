"""Matrix products for compiled code, made of tiles that stay in the processor's registers.

Libraries are tuned for large matrices; a small network's are narrow, and much of their time goes into copying them into
a library's own order. Here every number of a product is a sum of `DEPTH` fused multiply-adds along the inner side from
first to last, plus the next such sum, and so on: its bits depend on nothing but its own row and column, neither on
how many others there are nor on how wide the processor's vectors are.

A tile (Van Zee, van de Geijn 2015) is some rows by one or two vectors of numbers: in each step along the inner side,
the vectors of the right matrix are multiplied by one number from each row of the left one. Tiles are written in LLVM's
own language, because no loop in Python makes a compiler keep so many sums in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from paribus.training.compiling import compiled, whole, written
from paribus.training.vectors import (
    FLOAT,
    LANE,
    LANES,
    MANY_REGISTERS,
    REGISTER,
    VECTOR,
    away,
    floats,
    loaded,
    loop,
    nothing,
    spread,
    store,
)

DEPTH: Final = 256
"""Steps along the inner side after which the next columns' turn comes: so much of the right matrix stays in L1."""
GROUP: Final = 3
"""Rows of the left matrix that are found from one address: at it, and one and two strides from it."""
SIDE: Final = 8
"""Rows and columns of what is transposed at once."""

TALL: Final = 12 if MANY_REGISTERS else 6
BROAD: Final = 2 if MANY_REGISTERS else 1
"""Rows and vectors of the largest tile, which leaves registers for what it is made from."""
FEW: Final = TALL // 2
"""Rows of a tile that leaves out steps: few, so that there are such in which all are zero."""

_BYTE, _ROW = ir.IntType(8), ir.VectorType(FLOAT, SIDE)


def _tile(rows: int, vectors: int = 1) -> Any:
    """`tile((a, a_row, a_step, b, b_step, out, out_row, steps, add))`: `out` (row, column) = or += `a` @ `b`.

    Matrices are addresses; `a_row` and `out_row` lead from one row to the next, `a_step` and `b_step` from one step
    along the inner side to the next, counted in numbers.
    """
    return written(9, partial(_write_tile, rows=rows, vectors=vectors))


def _write_tile(
    builder: Any,
    a: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_step: Any,
    out: Any,
    out_row: Any,
    steps: Any,
    add: Any,
    *,
    rows: int,
    vectors: int,
) -> None:
    a, b, out = floats(builder, a, b, out)
    starts = [_unrelated(builder, away(builder, a, a_row, row)) for row in range(0, rows, GROUP)]

    def read(_step: Any, right: Any, *lefts: Any) -> tuple[Any, list[Any]]:
        return right, [away(builder, lefts[row // GROUP], a_row, row % GROUP) for row in range(rows)]

    walks = [(b, b_step), *((start, a_step) for start in starts)]
    _write_sums(builder, [away(builder, out, out_row, row) for row in range(rows)], vectors, walks, read, steps, add)


def _chosen_tile(rows: int, vectors: int = 1) -> Any:
    """`tile((lefts, a_step, panel, outs, column, which, steps, add))`: as a `_tile`, for some rows and some steps.

    `lefts` and `outs` are where the addresses of the rows lie, of which those of `outs` are taken from `column` on; the
    `panel` has the right vectors of one step beside those of the next, and `which` the numbers of the steps, a byte
    each.
    """
    return written(8, partial(_write_chosen, rows=rows, vectors=vectors))


def _write_chosen(
    builder: Any,
    lefts: Any,
    a_step: Any,
    panel: Any,
    outs: Any,
    column: Any,
    which: Any,
    steps: Any,
    add: Any,
    *,
    rows: int,
    vectors: int,
) -> None:
    panel, which = builder.inttoptr(panel, FLOAT.as_pointer()), builder.inttoptr(which, _BYTE.as_pointer())
    starts, in_row = (
        [builder.inttoptr(builder.load(builder.gep(table, [whole(row)])), FLOAT.as_pointer()) for row in range(rows)]
        for table in (builder.inttoptr(address, whole(0).type.as_pointer()) for address in (lefts, outs))
    )
    stride = builder.trunc(a_step, LANE)  # a short product is sooner there

    def read(step: Any) -> tuple[Any, list[Any]]:
        number = builder.zext(builder.load(builder.gep(which, [step])), LANE)
        right = builder.zext(builder.mul(number, ir.Constant(LANE, vectors * LANES)), step.type)
        along = builder.zext(builder.mul(number, stride), step.type)
        return builder.gep(panel, [right]), [builder.gep(start, [along]) for start in starts]

    _write_sums(builder, [builder.gep(start, [column]) for start in in_row], vectors, [], read, steps, add)


def _write_copied(builder: Any, a: Any, a_row: Any, out: Any, rows: Any, *, vectors: int) -> None:
    """Rows of some vectors, one right behind the other."""

    def copy(_row: Any, come_from: Any, gone_to: Any) -> list[Any]:
        for part in range(0, vectors * LANES, REGISTER):
            store(builder, loaded(builder, builder.gep(come_from, [whole(part)])), builder.gep(gone_to, [whole(part)]))
        return [builder.gep(come_from, [a_row]), builder.gep(gone_to, [whole(vectors * LANES)])]

    loop(builder, rows, floats(builder, a, out), copy)


def _write_sums(
    builder: Any, in_row: list[Any], vectors: int, walks: list[Any], read: Callable[..., Any], steps: Any, add: Any
) -> None:
    """A loop over the steps whose sums LLVM keeps in registers from the first to the last.

    `in_row` is where each row of sums goes. In each step `read(step, *places)` tells where the right vectors and each
    row's left number are; `places` are those that `walks` (place, stride) have come to.
    """
    parts = [whole(part) for part in range(0, vectors * LANES, REGISTER)]
    places = [builder.gep(start, [part]) for start in in_row for part in parts]
    fused = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{REGISTER}f32"
    )

    def take(step: Any, *now: Any) -> list[Any]:
        walked, sums = now[: len(walks)], list(now[len(walks) :])

        def add_product(row: int, part: int, number: Any, factor: Any) -> None:
            at = row * len(parts) + part
            sums[at] = builder.call(fused, [number, factor, sums[at]])

        right, lefts = read(step, *walked)
        _write_products(builder, lefts, [builder.gep(right, [part]) for part in parts], add_product)
        return [*(builder.gep(at, [stride]) for at, (_, stride) in zip(walked, walks, strict=True)), *sums]

    begins = [*(start for start, _ in walks), *(nothing() for _ in places)]
    sums = loop(builder, steps, begins, take)[len(walks) :]
    plain, adding, done = map(builder.append_basic_block, ("plain", "adding", "done"))
    builder.cbranch(builder.icmp_signed("!=", add, whole(0)), adding, plain)
    builder.position_at_end(plain)
    for place, total in zip(places, sums, strict=True):
        store(builder, total, place)
    builder.branch(done)
    builder.position_at_end(adding)
    for place, total in zip(places, sums, strict=True):
        store(builder, builder.fadd(loaded(builder, place), total), place)
    builder.branch(done)
    builder.position_at_end(done)


def _write_products(builder: Any, lefts: list[Any], rights: list[Any], add: Callable[..., None]) -> None:
    """`add(row, part, number, factor)` for every row's number and part of a right vector; the fewer stay at hand."""

    def number(row: int) -> Any:
        return spread(builder, builder.load(lefts[row]))

    def factor(part: int) -> Any:
        return loaded(builder, rights[part])

    rows, parts = range(len(lefts)), range(len(rights))
    if len(lefts) < len(rights):
        numbers = list(map(number, rows))
        for part in parts:
            one = factor(part)
            for row in rows:
                add(row, part, numbers[row], one)
        return
    factors = list(map(factor, parts))
    for row in rows:
        one = number(row)
        for part in parts:
            add(row, part, one, factors[part])


def _write_turned(builder: Any, a: Any, a_row: Any, out: Any, out_row: Any) -> None:
    """A square's transpose: halves change places across its diagonal, then those of its quarters, and of theirs."""
    a, out = floats(builder, a, out)
    rows = [loaded(builder, away(builder, a, a_row, row), _ROW) for row in range(SIDE)]
    for half in (SIDE // 2, SIDE // 4, SIDE // 8):
        lows = [lane + SIDE - half if lane & half else lane for lane in range(SIDE)]
        highs = [lane + SIDE if lane & half else lane + half for lane in range(SIDE)]
        for upper in (row for row in range(SIDE) if not row & half):
            pair = rows[upper], rows[upper + half]
            rows[upper], rows[upper + half] = (
                builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(LANE, SIDE), lanes)) for lanes in (lows, highs)
            )
    for row, value in enumerate(rows):
        store(builder, value, away(builder, out, out_row, row))


def _unrelated(builder: Any, address: Any) -> Any:
    """The same address, of which LLVM is not told where it comes from.

    It would otherwise find every row's address by adding to that of the row before, one after another in each step.
    """
    return builder.asm(ir.FunctionType(address.type, [address.type]), "", "=r,0", [address], side_effect=False)


_broad, _tall, _four, _two, _one = _tile(TALL, BROAD), _tile(TALL), _tile(4), _tile(2), _tile(1)
_few_by_one, _few_by_two, _one_by_one, _one_by_two = (_chosen_tile(rows, v) for rows in (FEW, 1) for v in (1, 2))
_copied_by_one, _copied_by_two = (written(4, partial(_write_copied, vectors=v)) for v in (1, 2))
_turned = written(4, _write_turned)


@compiled
def product(a: Any, b: Any, out: Any, turned: bool, begin: int, add: bool) -> None:
    """`out` = `a` @ `b`, or `out` += `a` @ `b` with `add`; `turned`, the transpose of `a` from its column `begin` on.

    Contiguous float32 matrices. `out` has whole vectors as columns; `a` and `b` may have more columns than are used.
    """
    rows, columns = out.shape
    inner, b_step = b.shape
    a_row, a_step = (1, a.shape[1]) if turned else (a.shape[1], 1)
    for start in range(0, inner, DEPTH):
        steps, more = min(DEPTH, inner - start), int(add or start > 0)
        left = a.ctypes.data + 4 * (begin + start * a_step)
        for first in range(0, columns, BROAD * LANES):
            right, into = b.ctypes.data + 4 * (start * b_step + first), out.ctypes.data + 4 * first
            row = 0
            while first + BROAD * LANES <= columns and rows - row >= TALL:
                at, to = left + 4 * row * a_row, into + 4 * row * columns
                _broad((at, a_row, a_step, right, b_step, to, columns, steps, more))
                row += TALL
            for _ in range(first, min(first + BROAD * LANES, columns), LANES):
                _narrow(left, a_row, a_step, right, b_step, into, columns, steps, more, row, rows)
                right, into = right + 4 * LANES, into + 4 * LANES


class Room(NamedTuple):
    """What `product_of_chosen` needs: panels, and addresses of rows of its left matrix and of what it makes (row,)."""

    panels: Any
    lefts: Any
    outs: Any


def room(rows: int, inner: int, columns: int) -> Room:
    """For products of up to `rows`; where the left matrix is turned, with a right one of (`inner`, `columns`)."""
    panels = np.zeros(max(inner * columns, DEPTH * 2 * LANES) + LANES, np.float32)
    return Room(panels, np.zeros(rows, np.int64), np.zeros(rows, np.int64))


@compiled
def product_of_chosen(a: Any, b: Any, out: Any, turned: bool, begin: int, chosen: Any, used: Any) -> None:
    """`out` = `a` @ `b`, as `product` has it, by groups of `FEW` rows of which each has steps of its own.

    `chosen` is a `zeros.Choice`, and `used` a `Room`. Where `a` is `turned`, `begin` is a whole number of groups, and
    `b` is what it was when that was 0. Where steps are left out, rows of `b` that are used one after another lie apart,
    which is what caches are bad at: so they are brought together in panels, each as wide as a tile.
    """
    rows, columns = out.shape
    inner, b_step = b.shape
    a_row, a_step = (1, a.shape[1]) if turned else (a.shape[1], 1)
    for i in range(rows):
        row = i if turned else chosen.rows_of[i]
        used.lefts[i] = a.ctypes.data + 4 * (begin + row) * a_row
        used.outs[i] = out.ctypes.data + 4 * row * columns
    for start in range(0, inner, DEPTH):
        steps, first = min(DEPTH, inner - start), 0
        while first < columns:
            two = columns - first >= 2 * LANES
            panel = ((used.panels.ctypes.data + 63) & -64) + (4 * (start * columns + first * steps) if turned else 0)
            if begin == 0:
                _bring((b.ctypes.data + 4 * (start * b_step + first), b_step, panel, steps), two)
            if turned:
                _groups(used, a_step, panel, first, chosen.rows, chosen.row_counts, begin, rows, start, two)
            else:
                _groups(used, a_step, panel, first, chosen.pixels, chosen.pixel_counts, begin, rows, start, two)
            first += LANES + two * LANES
        for i in range(rows):
            used.lefts[i] += 4 * DEPTH * a_step


@compiled
def _groups(
    used: Any,
    a_step: int,
    panel: int,
    column: int,
    which: Any,
    counts: Any,
    begin: int,
    rows: int,
    start: int,
    two: bool,
) -> None:
    """A panel's columns of `product_of_chosen`, from step `start` on: one or two vectors."""
    left, into, width = used.lefts.ctypes.data, used.outs.ctypes.data, which.shape[1]
    at, part, add = which.ctypes.data + start, start // DEPTH, int(start > 0)
    for row in range(0, rows, FEW):
        group = (begin + row) // FEW
        steps, count = at + group * width, counts[group, part]
        if rows - row < FEW:
            for i in range(row, rows):
                _one_row((left + 8 * i, a_step, panel, into + 8 * i, column, steps, count, add), two)
        elif two:
            _few_by_two((left + 8 * row, a_step, panel, into + 8 * row, column, steps, count, add))
        else:
            _few_by_one((left + 8 * row, a_step, panel, into + 8 * row, column, steps, count, add))


@compiled
def _bring(numbers: Any, two: bool) -> None:
    if two:
        _copied_by_two(numbers)
    else:
        _copied_by_one(numbers)


@compiled
def _one_row(numbers: Any, two: bool) -> None:
    if two:
        _one_by_two(numbers)
    else:
        _one_by_one(numbers)


@compiled
def _narrow(
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_step: int,
    out: int,
    out_row: int,
    steps: int,
    add: int,
    row: int,
    rows: int,
) -> None:
    """One vector's columns of a product, from `row` to `rows`."""
    while rows - row >= TALL:
        _tall((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, add))
        row += TALL
    while rows - row >= 4:
        _four((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, add))
        row += 4
    if rows - row >= 2:
        _two((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, add))
        row += 2
    if rows - row:
        _one((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, add))


@compiled
def turn(matrix: Any, scratch: Any) -> Any:
    """The transpose of a contiguous float32 matrix of whole vectors, at the beginning of `scratch` (number,)."""
    rows, columns = matrix.shape
    out = scratch[: rows * columns].reshape(columns, rows)
    for row in range(0, rows, SIDE):
        for column in range(0, columns, SIDE):
            at, to = row * columns + column, column * rows + row
            _turned((matrix.ctypes.data + 4 * at, columns, out.ctypes.data + 4 * to, rows))
    return out
