"""Images without labels: read as they are, or refused in one line that says what to do."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

from paribus.data import npy_file


@pytest.mark.parametrize("shape", [(5, 6, 6), (5, 56, 46), (5, 1, 7), (1, 64, 64)])
def test_grey_images_of_any_size_are_flattened_row_by_row(shape, tmp_path, parts):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "hw2_Q1.npy", images)
    found = parts(tmp_path / "hw2_Q1.npy")
    np.testing.assert_array_equal(found.train.values, images.reshape(len(images), -1))
    assert (found.train.shape, found.train.values.dtype, found.train.divisor) == (shape[1:], np.uint8, 255)
    assert (found.classes, found.train.labels, found.validation, found.test) == ((), None, None, None)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, ">i4", np.int8])
def test_whole_numbers_from_0_to_255_are_bytes(dtype, tmp_path, parts):
    images = np.random.default_rng(0).integers(0, 128, (5, 6, 6)).astype(dtype)
    np.save(tmp_path / "a.npy", images)
    pool = parts(tmp_path / "a.npy").train
    np.testing.assert_array_equal(pool.values, images.reshape(5, 36))
    assert (pool.values.dtype, pool.divisor) == (np.uint8, 255)


def test_booleans_are_bytes_of_0_and_1_that_are_not_divided(tmp_path, parts):
    images = np.random.default_rng(0).random((5, 6, 6)) > 0.5
    np.save(tmp_path / "a.npy", images)
    pool = parts(tmp_path / "a.npy").train
    np.testing.assert_array_equal(pool.values, images.reshape(5, 36))
    assert (pool.values.dtype, pool.divisor) == (np.uint8, 1)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_of_any_order_become_float32(dtype, order, tmp_path, parts):
    images = np.asarray(np.random.default_rng(0).random((5, 6, 6)).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", images)
    pool = parts(tmp_path / "a.npy").train
    np.testing.assert_array_equal(pool.values, images.reshape(5, 36).astype(np.float32))
    assert (pool.values.dtype, pool.divisor) == (np.float32, 1)
    assert pool.values.dtype.isnative
    assert pool.values.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32, "<f8", ">f4", np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_file_is_read_alike_and_may_be_written_to_afterwards(dtype, order, tmp_path, parts, monkeypatch):
    monkeypatch.setattr(npy_file, "MAPPED_BYTES", 1)
    images = np.asarray(np.random.default_rng(0).integers(0, 2, (5, 6, 6)).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", images)
    pool = parts(tmp_path / "a.npy").train
    with (tmp_path / "a.npy").open("r+b") as file:
        file.seek(-images.nbytes, io.SEEK_END)
        file.write(b"\xff" * images.nbytes)
    np.testing.assert_array_equal(pool.values, images.reshape(5, 36).astype(pool.values.dtype))


@pytest.mark.parametrize(
    ("images", "rule", "remedy"),
    [
        (np.zeros((8, 16), np.uint8), "on which axis the examples are, got shape 8 x 16", 'layout = "rows"'),
        (np.zeros((3, 8, 8, 2), np.uint8), "on which axis the channels are", '"channels-last" or "channels-first"'),
        (np.zeros((3, 3, 8, 3), np.uint8), "on which axis the channels are", '"channels-last" or "channels-first"'),
        (np.zeros((3, 2, 8, 8, 3), np.uint8), "one to four axes", "array.reshape(len(array), -1)"),
        (np.zeros((0, 8, 8), np.uint8), "not be empty", ""),
        (np.zeros((1, 257, 256), np.uint8), "at most 65536 pixels", "smaller"),
        (np.full((3, 8, 8), 255.0), "got 255.0 to 255.0", "divide by 255"),
        (np.full((3, 8, 8), 1.000001), "got 1.000001 to 1.000001", "numpy.clip"),
        (np.full((3, 8, 8), 1.000001, np.float32), "got 1.000001 to 1.000001", "numpy.clip"),
        (np.full((3, 8, 8), -1e-6), "got -1e-06 to -1e-06", "numpy.clip"),
        (np.linspace(-1, 1, 64).reshape(1, 8, 8), "within [0, 1]", "(images + 1) / 2"),
        (np.full((3, 8, 8), -3e5), "within [0, 1]", "images.max() - images.min()"),
        (np.full((3, 8, 8), np.nan), "finite", "replace"),
        (np.full((3, 8, 8), np.inf), "finite", "replace"),
        (np.full((3, 8, 8), 300, np.uint16), "0 to 255 where they are whole numbers, got 300 to 300", "scale"),
        (np.full((3, 8, 8), -1), "0 to 255 where they are whole numbers, got -1 to -1", "scale"),
        (np.full((3, 8, 8), None), "Python objects", "astype"),
        (np.full((3, 8, 8), 1j), "plain numbers", "astype"),
    ],
    ids=["wide", "two channels", "channels in doubt", "five axes", "none", "too large", "to 255", "rounded",
         "rounded float32", "below 0", "to -1", "any", "NaN", "infinite", "uint16", "negative", "objects", "complex"],
)  # fmt: skip
def test_images_that_break_a_rule_are_refused_with_a_remedy_that_fits(images, rule, remedy, tmp_path, refused):
    np.save(tmp_path / "hw2_Q1.npy", images)
    refused(tmp_path / "hw2_Q1.npy", rule, remedy)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool, ">i2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_channels_come_first_in_a_pool_whatever_the_layout_of_the_file(dtype, channels, tmp_path, parts):
    images = np.random.default_rng(0).integers(0, 2, (5, channels, 6, 7)).astype(dtype)
    np.save(tmp_path / "first.npy", images)
    np.save(tmp_path / "last.npy", np.moveaxis(images, 1, -1))
    for name in ("first.npy", "last.npy"):
        pool = parts(tmp_path / name).train
        np.testing.assert_array_equal(pool.values, images.reshape(5, -1))
        assert pool.shape == ((6, 7) if channels == 1 else (3, 6, 7))
        assert pool.values.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "inputs", "shape"),
    [
        (np.zeros((9, 4)), {}, (4,)),
        (np.zeros((4, 9)), {"layout": "rows"}, (9,)),
        (np.zeros((4, 9)), {"layout": "columns"}, (4,)),
        (np.zeros((9, 12)), {"layout": "rows", "shape": [4, 3]}, (4, 3)),
        (np.zeros((9, 12)), {"layout": "rows", "shape": [3, 2, 2]}, (3, 2, 2)),
        (np.zeros((3, 8, 8, 3)), {"layout": "channels-last"}, (3, 8, 8)),
        (np.zeros((5, 3, 8, 3)), {"layout": "channels-first"}, (3, 8, 3)),
        (np.zeros((5, 2, 8, 3)), {"layout": "channels-first"}, (2, 8, 3)),
        (np.zeros((8, 8, 3, 5)), {"layout": "columns"}, (3, 8, 8)),
    ],
)
def test_the_study_may_say_how_an_array_is_laid_out(array, inputs, shape, tmp_path, parts):
    array = np.random.default_rng(0).random(array.shape).astype(np.float32)
    np.save(tmp_path / "a.npy", array)
    pool = parts(tmp_path / "a.npy", inputs=inputs).train
    assert pool.shape == shape
    expected = np.moveaxis(array, -1, 0) if inputs.get("layout") == "columns" else array
    if expected.ndim == 4 and inputs["layout"] != "channels-first":
        expected = np.moveaxis(expected, -1, 1)
    np.testing.assert_array_equal(pool.values, expected.reshape(len(expected), -1))


def test_missing_numbers_of_a_table_are_nan_and_images_may_be_scaled_first(tmp_path, parts):
    table = np.arange(12.0).reshape(6, 2)
    table[2, 1] = np.nan
    np.save(tmp_path / "a.npy", table)
    np.testing.assert_array_equal(parts(tmp_path / "a.npy").train.values, table.astype(np.float32))
    images = np.random.default_rng(0).normal(size=(5, 6, 6))
    np.save(tmp_path / "b.npy", images)
    for scale in ("none", "centre", "standardise"):
        pool = parts(tmp_path / "b.npy", scale=scale).train
        np.testing.assert_array_equal(pool.values, images.reshape(5, -1).astype(np.float32))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_any_array_is_read_right_or_refused(array, read_or_refused):
    saved = io.BytesIO()
    np.save(saved, array)
    read_or_refused(".npy", saved.getvalue())
