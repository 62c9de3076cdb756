import numpy as np
import pytest

from paribus.data.pool import Pool, TestSet, whole


def small_pool(labels=True, divisor=255.0):
    values = np.arange(20, dtype=np.uint8).reshape(5, 4)
    return Pool("small", values, divisor, np.arange(5) if labels else None, (2, 2), "f" * 64)


def test_a_pool_refuses_to_be_written_to():
    pool = small_pool()
    with pytest.raises(ValueError, match="read-only"):
        pool.values[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        pool.labels[0] = 1


@pytest.mark.parametrize("divisor", [255.0, 1.0])
def test_inputs_are_the_values_divided_in_float32(divisor):
    inputs = whole(small_pool(divisor=divisor)).take(slice(1, 3)).inputs
    expected = np.array([[4, 5, 6, 7], [8, 9, 10, 11]], np.float32) / np.float32(divisor)
    np.testing.assert_array_equal(inputs, expected)
    assert inputs.dtype == np.float32
    inputs[0, 0] = 7  # a copy


def test_taking_keeps_examples_and_labels_together():
    pool = small_pool()
    part = whole(pool).take(np.array([3, 0]))
    np.testing.assert_array_equal(part.inputs, whole(pool).inputs[[3, 0]])
    np.testing.assert_array_equal(part.labels, [3, 0])
    np.testing.assert_array_equal(part.true_labels, [3, 0])
    np.testing.assert_array_equal(part.take(slice(1, 2)).rows, [0])
    assert len(part) == 2
    assert part.pool is pool
    assert whole(pool).take(slice(0, 0)).inputs.shape == (0, 4)


def test_a_pool_without_labels_gives_splits_without_labels():
    part = whole(small_pool(labels=False)).take(slice(2))
    assert part.labels is None
    assert part.true_labels is None


def test_the_test_set_is_not_read_until_it_is_opened_for_a_stated_purpose():
    opened = []

    def read(examples):
        opened.append(examples)
        return whole(small_pool()).take(slice(examples))

    test = TestSet(4, read)
    assert (test.examples, opened) == (4, [])
    with pytest.raises(ValueError, match="the test set is read for one of"):
        test.open("curiosity")
    assert opened == []
    assert len(test.open("selected snapshot")) == 4
    assert len(test.open("monitoring", limit=3)) == 3
    assert len(test.open("monitoring", limit=100)) == 4
    assert [name for name in vars(test) if not name.startswith("_")] == ["examples"]
