"""Matrix multiplication that skips inner steps where the left matrix is zero.

`zero_skipping` says which steps to skip, and why that changes no bit of a finite result.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.matmul import INNER_BLOCK
from paribus.training.cpu.tiles import TILE_ROWS, listed_tile, panel_copy
from paribus.training.cpu.vectors import LANES

SKIP_ROWS: Final = TILE_ROWS // 2
"""Rows of a tile that skips steps. A step can be skipped if all rows of the tile are zero there: the fewer rows, the
more steps."""

_rows_by_one, _rows_by_two = (listed_tile(SKIP_ROWS, vectors) for vectors in (1, 2))
_row_by_one, _row_by_two = (listed_tile(1, vectors) for vectors in (1, 2))
_copy_one, _copy_two = (panel_copy(vectors) for vectors in (1, 2))


class SkippingBuffers(NamedTuple):
    """Workspace of `zero_skipping_matmul`: packed columns of `b`, and addresses of rows of `a` and `out`, (row,)."""

    panels: Any
    a_rows: Any
    out_rows: Any


def skipping_buffers(rows: int, inner: int, columns: int) -> SkippingBuffers:
    """Buffers for results of up to `rows` rows; with a transposed `a`, for a `b` of (`inner`, `columns`)."""
    panels = np.zeros(max(inner * columns, INNER_BLOCK * 2 * LANES) + LANES, np.float32)
    return SkippingBuffers(panels, np.zeros(rows, np.int64), np.zeros(rows, np.int64))


@compiled
def zero_skipping_matmul(a: Any, b: Any, out: Any, transposed: bool, first: int, steps: Any, buffers: Any) -> None:
    """`out` = `a` @ `b` with the bits of `matmul`, in tiles of `SKIP_ROWS` rows, each over its own list of steps.

    `steps` is a `zero_skipping.NonzeroSteps`, `buffers` a `SkippingBuffers`. Without `transposed`, a tile takes rows of
    `a` that follow each other in `steps.row_order`, and `first` is 0. With `transposed`, a tile takes neighbouring
    columns of `a`; `first` is a multiple of `SKIP_ROWS`, and the call with `first` = 0 comes before the others with the
    same `b`, because it packs `b` for all of them.

    Skipping makes a tile read rows of `b` that lie far apart, which caches and prefetchers serve badly. So the columns
    of a tile are packed first: a panel has 16 or 32 columns, and its rows follow each other without gaps.
    """
    rows, columns = out.shape
    inner, b_step = b.shape
    a_row, a_step = (1, a.shape[1]) if transposed else (a.shape[1], 1)
    for i in range(rows):
        row = i if transposed else steps.row_order[i]
        buffers.a_rows[i] = a.ctypes.data + 4 * (first + row) * a_row
        buffers.out_rows[i] = out.ctypes.data + 4 * row * columns
    panels = (buffers.panels.ctypes.data + 63) & -64  # the next address that starts a cache line
    for start in range(0, inner, INNER_BLOCK):
        count, column = min(INNER_BLOCK, inner - start), 0
        while column < columns:
            two = columns - column >= 2 * LANES
            panel = panels + (4 * (start * columns + column * count) if transposed else 0)
            if first == 0:
                _pack((b.ctypes.data + 4 * (start * b_step + column), b_step, panel, count), two)
            if transposed:
                _panel_tiles(
                    buffers, a_step, panel, column, steps.examples, steps.example_counts, first, rows, start, two
                )
            else:
                _panel_tiles(
                    buffers, a_step, panel, column, steps.features, steps.feature_counts, first, rows, start, two
                )
            column += LANES + two * LANES
        for i in range(rows):
            buffers.a_rows[i] += 4 * INNER_BLOCK * a_step


@compiled
def _panel_tiles(
    buffers: Any,
    a_step: int,
    panel: int,
    column: int,
    numbers: Any,
    counts: Any,
    first: int,
    rows: int,
    start: int,
    two: bool,
) -> None:
    """All rows of the columns of one panel, one vector of them or `two`, over the inner block that begins at `start`.

    `numbers` (tile, step) and `counts` (tile, block) are the lists of steps. Rows that fill no tile are computed one by
    one, over the list of the tile that they belong to.
    """
    a_rows, out_rows, width = buffers.a_rows.ctypes.data, buffers.out_rows.ctypes.data, numbers.shape[1]
    listed_at, block, adding = numbers.ctypes.data + start, start // INNER_BLOCK, int(start > 0)
    for row in range(0, rows, SKIP_ROWS):
        tile = (first + row) // SKIP_ROWS
        listed, count = listed_at + tile * width, counts[tile, block]
        if rows - row < SKIP_ROWS:
            for i in range(row, rows):
                _single_row((a_rows + 8 * i, a_step, panel, out_rows + 8 * i, column, listed, count, adding), two)
        elif two:
            _rows_by_two((a_rows + 8 * row, a_step, panel, out_rows + 8 * row, column, listed, count, adding))
        else:
            _rows_by_one((a_rows + 8 * row, a_step, panel, out_rows + 8 * row, column, listed, count, adding))


@compiled
def _pack(arguments: Any, two: bool) -> None:
    if two:
        _copy_two(arguments)
    else:
        _copy_one(arguments)


@compiled
def _single_row(arguments: Any, two: bool) -> None:
    if two:
        _row_by_two(arguments)
    else:
        _row_by_one(arguments)
