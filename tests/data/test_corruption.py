import numpy as np
import pytest

from paribus.data.corruption import Condition, conditions, replaced_labels
from paribus.seeding import LABEL_NOISE, generator
from paribus.spec.recipe import Denoising

LABELS = np.arange(10_000) % 10


def noisy(share, replicate=0):
    return replaced_labels(LABELS, share=share, classes=10, rng=generator(0, replicate, LABEL_NOISE))


def test_nine_tenths_of_the_replaced_labels_are_wrong():
    wrong = (noisy(0.3) != LABELS).mean()
    assert 0.25 < wrong < 0.29
    assert set(np.unique(noisy(0.3))) == set(range(10))
    assert noisy(0.3).dtype == np.int64


def test_equal_seeds_replace_equally_and_replicates_differ():
    np.testing.assert_array_equal(noisy(0.3), noisy(0.3))
    assert (noisy(0.3, 0) != noisy(0.3, 1)).any()


def test_a_larger_share_replaces_the_same_labels_and_more():
    less, more = noisy(0.2), noisy(0.4)
    changed = less != LABELS
    np.testing.assert_array_equal(less[changed], more[changed])
    assert (more != LABELS).sum() > changed.sum()


def test_no_share_changes_nothing_and_the_input_stays():
    before = LABELS.copy()
    np.testing.assert_array_equal(noisy(0.0), LABELS)
    noisy(0.9)
    np.testing.assert_array_equal(LABELS, before)


@pytest.mark.parametrize("condition", [Condition("uniform", 0.4), Condition("uniform", 0.9), Condition("zeroed", 0.5)])
def test_spoiled_images_are_float32_within_range_and_reproducible(condition):
    images = np.full((20, 400), 0.5, dtype=np.float32)
    spoiled = condition.applied(images, np.random.default_rng(1))
    assert spoiled.dtype == np.float32
    assert spoiled.min() >= 0
    assert spoiled.max() <= 1
    np.testing.assert_array_equal(spoiled, condition.applied(images, np.random.default_rng(1)))
    assert (images == 0.5).all()


def test_uniform_noise_spreads_over_its_whole_width():
    images = np.full((100, 400), 0.5, dtype=np.float32)
    noise = Condition("uniform", 0.4).applied(images, np.random.default_rng(1)) - 0.5
    assert np.abs(noise).max() == pytest.approx(0.4, abs=1e-3)
    assert noise.var() == pytest.approx(0.8**2 / 12, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=5e-3)


def test_zeroing_takes_its_share_and_leaves_the_rest():
    images = np.full((100, 400), 0.5, dtype=np.float32)
    zeroed = Condition("zeroed", 0.25).applied(images, np.random.default_rng(1))
    assert set(np.unique(zeroed)) == {0.0, 0.5}
    assert (zeroed == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert not Condition("zeroed", 1.0).applied(images, np.random.default_rng(1)).any()


def test_conditions_are_named_as_measurements_name_them():
    named = [c.name for c in conditions(Denoising(uniform=(0.4, 0.9), zeroed=(0.5,)))]
    assert named == ["uniform-0.4", "uniform-0.9", "zeroed-0.5"]
