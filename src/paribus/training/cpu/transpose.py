"""Transposing a matrix block by block, within vector registers."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir

from paribus.training.cpu.compiling import compiled, llvm_intrinsic
from paribus.training.cpu.vectors import FLOAT, INT32, float_pointers, load, offset, store

TRANSPOSE_BLOCK: Final = 8
"""Rows and columns of a block: 8 rows of 8 float32 values are 8 registers of AVX2."""
_ROW: Final = ir.VectorType(FLOAT, TRANSPOSE_BLOCK)


def _emit_block(builder: Any, a: Any, a_row: Any, out: Any, out_row: Any) -> None:
    """Transpose one block, in three rounds of shuffles of two rows each.

    A square is transposed by exchanging its upper right and lower left quarter and then transposing every quarter in
    the same way. The rounds do that for quarters of 4 x 4, 2 x 2 and 1 x 1 values. In the first round, rows 0 and 4,
    a0..a7 and e0..e7, become a0..a3 e0..e3 and a4..a7 e4..e7.
    """
    a, out = float_pointers(builder, a, out)
    rows = [load(builder, offset(builder, a, a_row, row), _ROW) for row in range(TRANSPOSE_BLOCK)]
    lanes = range(TRANSPOSE_BLOCK)
    for half in (TRANSPOSE_BLOCK // 2, TRANSPOSE_BLOCK // 4, TRANSPOSE_BLOCK // 8):
        # in a shuffle of two rows, lanes from TRANSPOSE_BLOCK on are the second row's
        upper_lanes = [lane + TRANSPOSE_BLOCK - half if lane & half else lane for lane in lanes]
        lower_lanes = [lane + TRANSPOSE_BLOCK if lane & half else lane + half for lane in lanes]
        for upper in (row for row in lanes if not row & half):
            pair = rows[upper], rows[upper + half]
            rows[upper], rows[upper + half] = (
                builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(INT32, TRANSPOSE_BLOCK), taken))
                for taken in (upper_lanes, lower_lanes)
            )
    for row, value in enumerate(rows):
        store(builder, value, offset(builder, out, out_row, row))


_transpose_block = llvm_intrinsic(4, _emit_block)


@compiled
def transpose(matrix: Any, buffer: Any) -> Any:
    """The transpose (columns, rows) of a contiguous float32 matrix (rows, columns), written to the start of `buffer`.

    Rows and columns are multiples of `TRANSPOSE_BLOCK`. `buffer` is a float32 array of at least rows * columns values.
    """
    rows, columns = matrix.shape
    out = buffer[: rows * columns].reshape(columns, rows)
    for row in range(0, rows, TRANSPOSE_BLOCK):
        for column in range(0, columns, TRANSPOSE_BLOCK):
            source, target = row * columns + column, column * rows + row
            _transpose_block((matrix.ctypes.data + 4 * source, columns, out.ctypes.data + 4 * target, rows))
    return out
