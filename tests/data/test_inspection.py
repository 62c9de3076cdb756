"""What is found out about examples agrees with pandas and NumPy."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.data.inspection import Inspected, content_hashes, inspected
from paribus.data.pool import Pool, Scaling, whole
from paribus.data.scaling import fitted

NAN = np.nan


def pool_of(values, labels=None, divisor=1.0):
    values = np.asarray(values)
    values = values if values.dtype == np.uint8 else values.astype(np.float32)
    labels = None if labels is None else np.asarray(labels, np.int64)
    return Pool("t", values, divisor, labels, values.shape[1:], "f" * 64)


def inspect(pool, train, validation=(), test=(), scale="none", classes=0):
    parts = [whole(pool).take(np.asarray(rows, np.int64)) if len(rows) else None for rows in (train, validation, test)]
    scaling = fitted(scale, parts[0])
    return inspected(Inspected(*parts, used=parts[0], scaling=scaling, classes=classes, pools=(pool,)))


# Equal contents


@given(
    st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, 1e-30, NAN]), min_size=3, max_size=3), min_size=1,
             max_size=30)
)  # fmt: skip
def test_hashes_are_equal_where_rows_are(rows):
    hashes = content_hashes(pool_of(rows))
    frame = pd.DataFrame(np.asarray(rows, np.float32) + 0)
    for i, j in itertools.combinations(range(len(rows)), 2):
        assert (hashes[i] == hashes[j]) == frame.iloc[i].equals(frame.iloc[j])


@pytest.mark.parametrize("width", [1, 7, 8, 9, 784])
def test_hashes_of_bytes_see_every_byte(width):
    values = np.zeros((2 * width + 1, width), np.uint8)
    values[np.arange(width), np.arange(width)] = 1
    values[width + np.arange(width), np.arange(width)] = 255
    assert len(np.unique(content_hashes(pool_of(values)))) == 2 * width + 1


def test_the_order_of_values_matters():
    assert len(np.unique(content_hashes(pool_of([[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3]])))) == 3


def test_examples_in_two_splits_are_those_that_pandas_finds():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (300, 4))
    train, validation, test = np.arange(0, 150), np.arange(150, 220), np.arange(220, 300)
    found = inspect(pool_of(values), train, validation, test)
    rows = {"train": train, "validation": validation, "test": test}
    frames = {name: pd.DataFrame(values[of]) for name, of in rows.items()}
    assert len(found.overlaps) == 3
    for overlap in found.overlaps:
        merged = frames[overlap.second].merge(frames[overlap.first].drop_duplicates(), how="inner")
        assert overlap.examples == len(merged)
        assert len(overlap.shown) == 10
        for pair in overlap.shown:
            assert (pair.first, pair.second) == (overlap.first, overlap.second)
            assert pair.first_row in rows[pair.first]
            assert pair.second_row in rows[pair.second]
            np.testing.assert_array_equal(values[pair.first_row], values[pair.second_row])


def test_different_examples_are_in_one_split_only():
    found = inspect(pool_of(np.arange(60).reshape(20, 3)), range(10), range(10, 15), range(15, 20))
    assert found.overlaps == ()
    assert found.test_seen


def test_rows_are_those_of_the_source():
    pool = pool_of([[1, 1], [2, 2], [3, 3], [1, 1]]).part(np.array([0, 3]))
    (overlap,) = inspect(pool, [0], [1]).overlaps
    assert (overlap.shown[0].first_row, overlap.shown[0].second_row) == (0, 3)


def test_conflicting_labels_are_those_that_pandas_finds():
    rng = np.random.default_rng(1)
    values, labels = rng.integers(0, 3, (100, 4)), rng.integers(0, 3, 100)
    found = inspect(pool_of(values, labels), range(60), range(60, 100), classes=3)
    frame = pd.DataFrame(values).assign(label=labels)
    classes = frame.groupby([0, 1, 2, 3])["label"].transform("nunique")
    assert found.conflicting == (classes > 1).sum() > 0
    for pair in found.conflicts:
        np.testing.assert_array_equal(values[pair.first_row], values[pair.second_row])
        assert labels[pair.first_row] != labels[pair.second_row]


def test_replaced_labels_are_no_conflicts():
    pool = pool_of([[1, 1], [1, 1], [2, 2]], [0, 0, 1])
    train = whole(pool)
    noisy = type(train)(pool, train.rows, np.array([0, 1, 1]), train.true_labels)
    found = inspected(Inspected(noisy, None, None, used=noisy, scaling=Scaling(None, None), classes=2, pools=(pool,)))
    assert found.conflicting == 0
    assert found.train_counts == (2, 1)


# Classes and columns


def test_classes_are_counted_in_each_split():
    labels = [0, 0, 2, 1, 1, 0]
    found = inspect(pool_of(np.arange(12).reshape(6, 2), labels), [0, 1, 2], [3, 4], [5], classes=4)
    assert (found.train_counts, found.validation_counts) == ((2, 0, 1, 0), (0, 2, 0, 0))
    assert found.test_counts == (1, 0, 0, 0)


def test_columns_are_judged_as_the_network_sees_them():
    rng = np.random.default_rng(0)
    values = rng.normal([1, 100, 0, 5], [0.1, 20, 3, 0], (500, 4)).astype(np.float32)
    values[:, 2] = rng.random(500) < 0.001
    values[7, 1] = 900
    found = inspect(pool_of(values), range(400))
    deviations = values[:400].std(axis=0, dtype=np.float64)
    assert found.scale_ratio == pytest.approx(deviations[1] / deviations[0], rel=1e-6)
    assert (found.narrow, found.wide, found.constant, found.constant_features) == (0, 1, (3,), 1)
    assert (found.largest_input, found.largest_feature) == (900, 1)
    scaled = inspect(pool_of(values), range(400), scale="standardise")
    assert scaled.scale_ratio == pytest.approx(1, rel=1e-5)
    z = (values[7, 1] - values[:400, 1].mean()) / deviations[1]
    assert (scaled.largest_input, scaled.largest_feature) == (pytest.approx(z, rel=1e-4), 1)


def test_pixels_are_not_judged_as_columns():
    pool = pool_of(np.zeros((5, 9), np.uint8), divisor=255.0)
    image = Pool("images", pool.values, 255.0, None, (3, 3), "f" * 64)
    found = inspect(image, range(5))
    assert (found.constant_features, found.scale_ratio, found.largest_input) == (0, None, None)


def test_missing_values_are_counted_by_column():
    values = np.arange(60, dtype=np.float32).reshape(20, 3)
    values[:4, 0] = values[3:10, 2] = NAN
    pool = pool_of(values)
    filled = pool_of(np.nan_to_num(values))
    train = whole(pool).take(np.arange(10))
    used = whole(filled).take(np.arange(10))
    found = inspected(Inspected(train, None, None, used=used, scaling=Scaling(None, None), classes=0, pools=(pool,)))
    assert (found.missing_values, found.missing_features, found.missing) == (11, 2, ((2, 7), (0, 4)))


@pytest.mark.parametrize(("high", "divisor", "expected"), [(2, 255.0, True), (3, 255.0, False), (2, 1.0, False)])
def test_bytes_of_zeros_and_ones(high, divisor, expected):
    values = (np.arange(20).reshape(5, 4) % high).astype(np.uint8)
    assert inspect(pool_of(values, divisor=divisor), range(5)).zeros_and_ones is expected
