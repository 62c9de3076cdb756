"""Matmul and transpose: right, and with bits that depend on an element's own row and column alone."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training.cpu.matmul import INNER_BLOCK, matmul
from paribus.training.cpu.tiles import TILE_ROWS, TILE_VECTORS
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.vectors import LANES

INNER = 2 * INNER_BLOCK + 3
SHAPES = [
    (TILE_ROWS + 7, TILE_VECTORS * LANES + LANES),
    (3, LANES),
    (64, 4 * LANES),
    (1, 2 * LANES),
    (2 * TILE_ROWS, TILE_VECTORS * LANES),
]


def matrices(rows, columns, inner=INNER):
    generator = np.random.default_rng(rows * columns)
    a = generator.standard_normal((rows, inner)).astype(np.float32)
    return a, generator.random((inner, columns), dtype=np.float32)


def result(a, b, *, transposed=False, rows=None, first=0, before=None):
    out = np.full((rows or len(a), b.shape[1]), np.nan, np.float32) if before is None else before.copy()
    matmul(np.ascontiguousarray(a.T) if transposed else a, b, out, transposed, first, before is not None)
    return out


def assert_close(out, exact):
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-5 * abs(exact).max())


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_matmul_and_its_accumulation_equal_numpy_s_in_float64(rows, columns, transposed):
    a, b = matrices(rows, columns)
    exact = a.astype(np.float64) @ b
    assert_close(result(a, b, transposed=transposed), exact)
    before = np.ones((rows, columns), np.float32)
    assert_close(result(a, b, transposed=transposed, before=before), exact + 1)


def test_rows_from_the_middle_of_a_transposed_matrix():
    a, b = matrices(40, 32)
    assert result(a, b, transposed=True, rows=9, first=5).tobytes() == result(a, b)[5:14].tobytes()


def test_unused_columns_have_no_effect():
    a, b = matrices(20, 32, inner=48)
    wide_a, wide_b = np.full((20, 64), np.nan, np.float32), np.full((48, 48), np.nan, np.float32)
    wide_a[:, :48], wide_b[:, :32] = a, b
    out = np.zeros((20, 32), np.float32)
    matmul(wide_a, wide_b, out, False, 0, False)
    assert out.tobytes() == result(a, b).tobytes()


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_bits_are_those_of_a_single_row_and_of_a_single_vector_of_columns(rows, columns):
    a, b = matrices(rows, columns)
    together = result(a, b)
    for row in range(rows):
        assert result(a[row : row + 1], b).tobytes() == together[row].tobytes()
    for column in range(0, columns, LANES):
        own = np.ascontiguousarray(b[:, column : column + LANES])
        assert result(a, own).tobytes() == np.ascontiguousarray(together[:, column : column + LANES]).tobytes()


def test_sums_are_as_exact_as_numpy_s():
    a, b = matrices(64, 64, inner=4096)
    exact = a.astype(np.float64) @ b
    ours, theirs = (np.sqrt(np.mean((out - exact) ** 2)) for out in (result(a, b), a @ b))
    assert ours < 1.5 * theirs


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 32)])
def test_transpose(shape):
    matrix = matrices(*shape, inner=shape[1])[0]
    out = transpose(matrix, np.zeros(matrix.size + 1, np.float32))
    assert out.shape == matrix.T.shape
    assert (out == matrix.T).all()
