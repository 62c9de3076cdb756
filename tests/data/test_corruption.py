import numpy as np
import pytest
from scipy import stats

from paribus.data.corruption import Condition, conditions
from paribus.seeding import Draws
from paribus.spec.recipe import Denoising

SHAPE = (20, 20)
"""Of an image; only a block looks at it."""


@pytest.mark.parametrize("condition", [Condition("uniform", 0.4), Condition("uniform", 0.9), Condition("zeroed", 0.5)])
def test_corrupted_features_are_float32_within_range_and_reproducible(condition):
    inputs = np.full((20, 401), 0.5, dtype=np.float32)
    corrupted = condition.applied(inputs, SHAPE, Draws(1))
    assert corrupted.dtype == np.float32
    assert corrupted.min() >= 0
    assert corrupted.max() <= 1
    np.testing.assert_array_equal(corrupted, condition.applied(inputs, SHAPE, Draws(1)))
    assert (inputs == 0.5).all()


def test_uniform_noise_has_the_distribution_that_it_names():
    inputs = np.full((100, 401), 0.5, dtype=np.float32)
    noise = Condition("uniform", 0.4).applied(inputs, SHAPE, Draws(1)) - 0.5
    assert stats.kstest(noise.ravel(), stats.uniform(-0.4, 0.8).cdf).pvalue > 0.01
    assert np.abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02


def test_noise_that_leaves_the_range_is_clipped():
    inputs = np.zeros((50, 400), dtype=np.float32)
    corrupted = Condition("uniform", 0.9).applied(inputs, SHAPE, Draws(2))
    assert (corrupted == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert corrupted.max() == pytest.approx(0.9, abs=1e-3)


def test_zeroing_zeroes_its_share_and_keeps_the_rest():
    inputs = np.full((100, 401), 0.5, dtype=np.float32)
    zeroed = Condition("zeroed", 0.25).applied(inputs, SHAPE, Draws(1))
    assert set(np.unique(zeroed)) == {0.0, 0.5}
    assert stats.binomtest(int((zeroed == 0).sum()), zeroed.size, 0.25).pvalue > 0.01
    assert not Condition("zeroed", 1.0).applied(inputs, SHAPE, Draws(1)).any()


def test_the_first_examples_are_corrupted_alike_however_many_follow(monkeypatch):
    condition, inputs = Condition("uniform", 0.4), np.full((30, 7), 0.5, dtype=np.float32)
    at_once = condition.applied(inputs, SHAPE, Draws(3))
    np.testing.assert_array_equal(condition.applied(inputs[:9], SHAPE, Draws(3)), at_once[:9])
    monkeypatch.setattr("paribus.data.corruption._BLOCK_VALUES", 14)
    np.testing.assert_array_equal(condition.applied(inputs, SHAPE, Draws(3)), at_once)


def test_conditions_are_named_as_measurements_name_them():
    asked = Denoising(block=(0.25,), zeroed=(0.5,), gaussian=(0.1,), uniform=(0.4, 0.9))
    assert [c.name for c in conditions(asked)] == [
        "uniform-0.4", "uniform-0.9", "gaussian-0.1", "zeroed-0.5", "block-0.25"
    ]  # fmt: skip


def test_normal_noise_has_the_distribution_that_it_names():
    inputs = np.full((100, 400), 0.5, dtype=np.float32)
    noise = Condition("gaussian", 0.1).applied(inputs, SHAPE, Draws(1)) - 0.5
    assert stats.kstest(noise.ravel(), stats.norm(0, 0.1).cdf).pvalue > 0.01
    clipped = Condition("gaussian", 2.0).applied(inputs, SHAPE, Draws(1))
    assert (clipped.min(), clipped.max()) == (0, 1)


def test_stronger_normal_noise_is_the_same_noise_made_larger():
    inputs = np.full((3, 400), 0.5, dtype=np.float32)
    weak, strong = (Condition("gaussian", sd).applied(inputs, SHAPE, Draws(4)) - 0.5 for sd in (0.01, 0.05))
    np.testing.assert_allclose(strong, 5 * weak, atol=1e-6)


@pytest.mark.parametrize("shape", [(20, 30), (3, 10, 20)])
def test_a_block_hides_its_share_at_places_that_vary(shape):
    inputs = np.ones((200, 600), dtype=np.float32)
    hidden = Condition("block", 0.25).applied(inputs, shape, Draws(5)) == 0
    high, wide = shape[-2] // 2, shape[-1] // 2
    assert (hidden.sum(axis=1) == 600 // 4).all()
    planes = hidden.reshape(200, -1, *shape[-2:])
    assert (planes == planes[:, :1]).all()
    tops, lefts = planes[:, 0].any(axis=2).argmax(axis=1), planes[:, 0].any(axis=1).argmax(axis=1)
    for image, top, left in zip(planes[:, 0], tops, lefts, strict=True):
        assert image[top : top + high, left : left + wide].all()
    assert set(tops) == set(range(shape[-2] - high + 1))
    assert {0, shape[-1] - wide} <= set(lefts)


def test_a_block_of_everything_or_of_nothing():
    inputs = np.ones((2, 400), dtype=np.float32)
    assert not Condition("block", 1.0).applied(inputs, SHAPE, Draws(5)).any()
    assert Condition("block", 0.0).applied(inputs, SHAPE, Draws(5)).all()
    assert inputs.all()
