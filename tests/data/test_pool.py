import numpy as np
import pytest

from paribus.data.pool import Pool, TestDrawer, whole


def small_pool(labels=True):
    inputs = np.linspace(0, 1, 20, dtype=np.float32).reshape(5, 4)
    return Pool("small", inputs, np.arange(5) if labels else None, (2, 2), "f" * 64)


def test_a_pool_refuses_to_be_written_to():
    pool = small_pool()
    with pytest.raises(ValueError, match="read-only"):
        pool.inputs[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        pool.labels[0] = 1


def test_a_whole_split_is_the_pool_without_a_copy():
    pool = small_pool()
    assert np.shares_memory(whole(pool).inputs, pool.inputs)
    assert np.shares_memory(whole(pool).take(slice(1, 3)).inputs, pool.inputs)


def test_taking_keeps_images_and_labels_together():
    part = whole(small_pool()).take(np.array([3, 0]))
    np.testing.assert_array_equal(part.inputs, small_pool().inputs[[3, 0]])
    np.testing.assert_array_equal(part.labels, [3, 0])
    np.testing.assert_array_equal(part.true_labels, [3, 0])
    assert len(part) == 2
    assert whole(small_pool()).take(slice(0, 0)).inputs.shape == (0, 4)


def test_a_pool_without_labels_gives_splits_without_labels():
    part = whole(small_pool(labels=False)).take(slice(2))
    assert part.labels is None
    assert part.true_labels is None


def test_the_drawer_reads_nothing_until_it_is_opened_for_a_stated_purpose():
    opened = []

    def load():
        opened.append(True)
        return whole(small_pool())

    drawer = TestDrawer(4, load)
    assert (drawer.images, opened) == (4, [])
    with pytest.raises(ValueError, match="the drawer opens for one of"):
        drawer.open("curiosity")
    assert opened == []
    assert len(drawer.open("selected snapshot")) == 4
    assert len(drawer.open("monitoring", limit=3)) == 3
    assert len(drawer.open("monitoring", limit=100)) == 4
    assert [name for name in vars(drawer) if not name.startswith("_")] == ["images"]
