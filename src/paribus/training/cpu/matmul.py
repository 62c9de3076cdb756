"""Matrix multiplication for small networks, made of tiles (see `tiles`).

BLAS libraries are tuned for large matrices. A small network's are narrow, and a library would spend much of its time on
copying them into its own layout.

**Bits.** Every element of `a @ b` is

    (p[0] + ... + p[255]) + (p[256] + ... + p[511]) + ...,    p[k] = a[row, k] * b[k, column],

blocks of `INNER_BLOCK` fused multiply-adds from zero, in the order of k, each block then added to the sum of the blocks
before it. So an element's bits depend on its own row and column alone: neither on the number of other rows and columns,
nor on the shapes of tiles, nor on the width of the processor's vectors.
"""

from __future__ import annotations

from typing import Any, Final

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.tiles import TILE_ROWS, TILE_VECTORS, dense_tile
from paribus.training.cpu.vectors import LANES

INNER_BLOCK: Final = 256
"""Steps along the inner dimension before the next columns are computed: the part of `b` in use, 256 rows of one or two
vectors, is 16 or 32 KiB and stays in the L1 cache for all rows of `a`."""

_largest, _tall, _four, _two, _one = (
    dense_tile(TILE_ROWS, TILE_VECTORS),
    dense_tile(TILE_ROWS),
    dense_tile(4),
    dense_tile(2),
    dense_tile(1),
)


@compiled
def matmul(a: Any, b: Any, out: Any, transposed: bool, first: int, accumulate: bool) -> None:
    """`out` = `a` @ `b`, or `out` += `a` @ `b` with `accumulate`. All matrices are contiguous float32.

    `b` is (inner, columns) and `out` (rows, columns) with a multiple of `LANES` columns. `a` is (rows, inner); with
    `transposed`, it is (inner, all rows), and its columns `first` to `first` + rows are used. `a` and `b` may have more
    columns than are used. Example: a weight's gradient `x.T @ g`, rows 48 to 96 of it, is
    `matmul(x, g, out, True, 48, False)` with `out` of 48 rows.
    """
    rows, columns = out.shape
    inner, b_step = b.shape
    a_row, a_step = (1, a.shape[1]) if transposed else (a.shape[1], 1)
    for start in range(0, inner, INNER_BLOCK):
        steps, adding = min(INNER_BLOCK, inner - start), int(accumulate or start > 0)
        a_at = a.ctypes.data + 4 * (first + start * a_step)
        for column in range(0, columns, TILE_VECTORS * LANES):
            b_at, out_at = b.ctypes.data + 4 * (start * b_step + column), out.ctypes.data + 4 * column
            row = 0
            while column + TILE_VECTORS * LANES <= columns and rows - row >= TILE_ROWS:
                a_tile, out_tile = a_at + 4 * row * a_row, out_at + 4 * row * columns
                _largest((a_tile, a_row, a_step, b_at, b_step, out_tile, columns, steps, adding))
                row += TILE_ROWS
            for _ in range(column, min(column + TILE_VECTORS * LANES, columns), LANES):
                _one_vector(a_at, a_row, a_step, b_at, b_step, out_at, columns, steps, adding, row, rows)
                b_at, out_at = b_at + 4 * LANES, out_at + 4 * LANES


@compiled
def _one_vector(
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_step: int,
    out: int,
    out_row: int,
    steps: int,
    adding: int,
    row: int,
    rows: int,
) -> None:
    """One vector of columns, rows `row` to `rows`, in tiles of `TILE_ROWS`, 4, 2 and 1 rows. Addresses are in bytes."""
    while rows - row >= TILE_ROWS:
        _tall((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, adding))
        row += TILE_ROWS
    while rows - row >= 4:
        _four((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, adding))
        row += 4
    if rows - row >= 2:
        _two((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, adding))
        row += 2
    if rows - row:
        _one((a + 4 * row * a_row, a_row, a_step, b, b_step, out + 4 * row * out_row, out_row, steps, adding))
