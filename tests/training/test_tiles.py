"""Products of tiles: right, and with bits that depend on a number's own row and column alone."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training.tiles import BROAD, DEPTH, TALL, product, turn
from paribus.training.vectors import LANES

INNER = 2 * DEPTH + 3
SHAPES = [(TALL + 7, BROAD * LANES + LANES), (3, LANES), (64, 4 * LANES), (1, 2 * LANES), (2 * TALL, BROAD * LANES)]


def matrices(rows, columns, inner=INNER):
    draw = np.random.default_rng(rows * columns)
    return draw.standard_normal((rows, inner)).astype(np.float32), draw.random((inner, columns), dtype=np.float32)


def made(a, b, *, turned=False, rows=None, begin=0, before=None):
    out = np.full((rows or len(a), b.shape[1]), np.nan, np.float32) if before is None else before.copy()
    product(np.ascontiguousarray(a.T) if turned else a, b, out, turned, begin, before is not None)
    return out


def assert_close(out, exact):
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-5 * abs(exact).max())


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_products(rows, columns, turned):
    a, b = matrices(rows, columns)
    exact = a.astype(np.float64) @ b
    assert_close(made(a, b, turned=turned), exact)
    before = np.ones((rows, columns), np.float32)
    assert_close(made(a, b, turned=turned, before=before), exact + 1)


def test_rows_from_the_middle_of_a_turned_matrix():
    a, b = matrices(40, 32)
    assert made(a, b, turned=True, rows=9, begin=5).tobytes() == made(a, b)[5:14].tobytes()


def test_columns_that_are_not_used():
    a, b = matrices(20, 32, inner=48)
    wide_a, wide_b = np.full((20, 64), np.nan, np.float32), np.full((48, 48), np.nan, np.float32)
    wide_a[:, :48], wide_b[:, :32] = a, b
    out = np.zeros((20, 32), np.float32)
    product(wide_a, wide_b, out, False, 0, False)
    assert out.tobytes() == made(a, b).tobytes()


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_bits_are_those_of_a_row_and_a_vector_of_columns_alone(rows, columns):
    a, b = matrices(rows, columns)
    together = made(a, b)
    for row in range(rows):
        assert made(a[row : row + 1], b).tobytes() == together[row].tobytes()
    for column in range(0, columns, LANES):
        own = np.ascontiguousarray(b[:, column : column + LANES])
        assert made(a, own).tobytes() == np.ascontiguousarray(together[:, column : column + LANES]).tobytes()


def test_sums_are_as_exact_as_numpy_s():
    a, b = matrices(64, 64, inner=4096)
    exact = a.astype(np.float64) @ b
    ours, theirs = (np.sqrt(np.mean((out - exact) ** 2)) for out in (made(a, b), a @ b))
    assert ours < 1.5 * theirs


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 32)])
def test_turning(shape):
    matrix = matrices(*shape, inner=shape[1])[0]
    out = turn(matrix, np.zeros(matrix.size + 1, np.float32))
    assert out.shape == matrix.T.shape
    assert (out == matrix.T).all()
