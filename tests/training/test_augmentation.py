"""Augmented inputs: what is drawn, that targets stay clean, and that company and interruptions change nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from paribus import seeding
from paribus.data.pool import Pool, Scaling, whole
from paribus.seeding import Stream
from paribus.spec.augmentation import Augmentation
from paribus.training.augmentation import Augmenter
from paribus.training.cohort import ActiveRun, Cohort, architecture
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import RunSettings
from paribus.training.evaluation import measure_run
from paribus.training.memory import bytes_per_run
from paribus.training.plan import static_key
from paribus.training.schedules import schedule_of
from tests.training.conftest import AUTOENCODER, CLASSIFIER, active, differing, recipe, train_epoch, trained
from tests.training.oracle import plain_loop
from tests.training.test_plan import planned

STREAM = Stream(seed=3, index=1)
UNLIKELY = 1e-4
"""A test of fixed draws fails where a sample this odd, or odder, would be rarer than this."""


def pool_of(values, shape, divisor=1.0):
    return Pool("mine", values, divisor, None, shape, "0" * 64)


def bytes_of(count, shape, low=1):
    values = np.random.default_rng(0).integers(low, 256, (count, int(np.prod(shape))), dtype=np.uint8)
    return pool_of(values, shape, 255.0)


def augmented(pool, epoch=1, scaling=Scaling(None, None), stream=STREAM, **table):  # noqa: B008
    augmenter = Augmenter(Augmentation.model_validate(table), whole(pool), pool.shape, scaling, stream)
    into = np.empty(pool.values.shape, augmenter.dtype)
    augmenter.fill(into, np.arange(len(pool)), epoch)
    return into


def places(pool, found, shift, *, flips=False):
    """For each example its (flip, down, right), where PyTorch's padding by these gives what was found."""
    images = torch.tensor(pool.values.reshape(len(pool), -1, *pool.shape[-2:]).copy())
    theirs = {}
    for flip in (False, True) if flips else (False,):
        mirrored = images.flip(-1) if flip else images
        for down in range(-shift, shift + 1):
            for right in range(-shift, shift + 1):
                moved = functional.pad(mirrored, (right, -right, down, -down))
                theirs[flip, down, right] = moved.numpy().reshape(found.shape)
    names = list(theirs)
    hits = np.array([(theirs[name] == found).all(axis=1) for name in names])
    assert (hits.sum(axis=0) == 1).all()
    return [names[i] for i in hits.argmax(axis=0)]


@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7)], ids=["grey", "colour"])
def test_images_are_moved_and_mirrored_as_pytorch_does_each_way_equally_often(shape):
    pool = bytes_of(3000, shape)
    found = augmented(pool, shift=2, flip="horizontal")
    assert found.dtype == np.uint8
    counts = np.unique(places(pool, found, 2, flips=True), axis=0, return_counts=True)[1]
    assert len(counts) == 2 * 5 * 5
    assert stats.chisquare(counts).pvalue > UNLIKELY


def test_a_shift_of_floats_is_exact():
    values = np.random.default_rng(1).uniform(0.1, 1, (50, 30)).astype(np.float32)
    pool = pool_of(values, (5, 6))
    found = augmented(pool, shift=1)
    assert found.dtype == np.float32
    assert len(set(places(pool, found, 1))) > 5


def test_each_operation_has_draws_of_its_own():
    pool = bytes_of(40, (6, 6))
    alone, both = augmented(pool, shift=2), augmented(pool, shift=2, flip="horizontal")
    assert [place for place in places(pool, both, 2, flips=True) if not place[0]] == [
        place
        for place, other in zip(places(pool, alone, 2), places(pool, both, 2, flips=True), strict=True)
        if not other[0]
    ]


def test_every_epoch_and_every_stream_is_drawn_anew_and_can_be_drawn_again():
    pool, table = bytes_of(20, (6, 6)), {"shift": 2, "noise": {"gaussian": 0.1}, "zeroed": 0.3}
    first = augmented(pool, epoch=1, **table)
    assert first.tobytes() == augmented(pool, epoch=1, **table).tobytes()
    assert first.tobytes() != augmented(pool, epoch=2, **table).tobytes()
    assert first.tobytes() != augmented(pool, epoch=1, stream=Stream(3, 2), **table).tobytes()


@pytest.mark.parametrize("count", [7, 30_000])
def test_normal_noise_is_normal(count):
    grey = pool_of(np.full((count, 9), 0.5, np.float32), (9,))
    noise = augmented(grey, noise={"gaussian": 0.25}).astype(np.float64) - 0.5
    assert stats.kstest(noise.ravel(), stats.norm(scale=0.25).cdf).pvalue > UNLIKELY
    if count > 100:
        assert np.abs(np.corrcoef(noise.T) - np.eye(9)).max() < 5 / count**0.5


def test_uniform_noise_is_uniform():
    grey = pool_of(np.full((2000, 9), 0.5, np.float32), (9,))
    noise = augmented(grey, noise={"uniform": 0.25}).astype(np.float64) - 0.5
    assert stats.kstest(noise.ravel(), stats.uniform(-0.25, 0.5).cdf).pvalue > UNLIKELY


@pytest.mark.parametrize("divisor", [255.0, 1.0])
def test_noise_on_bytes_is_on_the_scale_of_the_image_and_within_its_range(divisor):
    pool = replace(bytes_of(500, (4, 5), low=0), divisor=divisor)
    amount = 100 / divisor
    clean, found = whole(pool).inputs, augmented(pool, noise={"uniform": amount})
    assert found.dtype == np.float32
    assert found.min() == 0
    assert found.max() == np.float32(255 / divisor)
    inside = (found > 0) & (found < 255 / divisor)
    assert np.abs(found - clean)[inside].max() == pytest.approx(amount, rel=1e-2)


def test_noise_is_clipped_only_where_images_lie_between_0_and_1():
    floats = np.random.default_rng(2).uniform(0, 1, (300, 12)).astype(np.float32)
    assert augmented(pool_of(floats, (3, 4)), noise={"gaussian": 0.5}).max() == 1
    assert augmented(pool_of(2 * floats - 1, (3, 4)), noise={"gaussian": 0.5}).max() > 1.5
    assert augmented(pool_of(floats, (12,)), noise={"gaussian": 0.5}).max() > 1.5


def test_noise_on_a_table_is_on_the_scale_of_what_the_network_sees():
    table = pool_of(np.random.default_rng(3).normal([5, -700], [1e-3, 1e4], (4000, 2)).astype(np.float32), (2,))
    scaling = Scaling(np.float32([5, -700]), np.float32([1e3, 1e-4]))
    clean = (table.values - scaling.centre) * scaling.factor
    seen = (augmented(table, scaling=scaling, noise={"gaussian": 0.1}) - scaling.centre) * scaling.factor
    assert np.std(seen - clean, axis=0) == pytest.approx([0.1, 0.1], rel=0.05)


def test_a_share_of_the_features_is_set_to_zero():
    pool = bytes_of(400, (10, 10))
    found = augmented(pool, zeroed=0.2)
    assert found.dtype == np.uint8
    assert set(np.unique(found[found != pool.values])) == {0}
    assert stats.binomtest(int((found == 0).sum()), found.size, 0.2).pvalue > UNLIKELY


def test_a_zeroed_feature_of_a_table_is_0_to_the_network():
    table = pool_of(np.random.default_rng(3).normal(4, 1, (400, 5)).astype(np.float32), (5,))
    scaling = Scaling(np.full(5, 4.2, np.float32), np.full(5, 1.1, np.float32))
    seen = (augmented(table, scaling=scaling, zeroed=0.5) - scaling.centre) * scaling.factor
    assert stats.binomtest(int((seen == 0).sum()), seen.size, 0.5).pvalue > UNLIKELY


def test_augmented_inputs_are_as_recorded():
    """Golden: other draws are other runs, and need another NUMERICS."""
    pool = bytes_of(9, (6, 5))
    inputs = augmented(pool, shift=1, flip="horizontal", noise={"gaussian": 0.1}, zeroed=0.1)
    assert hashlib.sha256(inputs.tobytes()).hexdigest()[:16] == "2ab5143da9c3477b"


AUGMENTED = {"shift": 2, "flip": "horizontal", "noise": {"gaussian": 0.1}, "zeroed": 0.1}


@pytest.mark.parametrize("table", [{"shift": 2}, AUGMENTED], ids=["bytes", "floats"])
def test_a_run_alone_and_in_company(table):
    arms = [recipe(augmentation=table, optimizer={"lr": 0.01 * (1 + i)}) for i in range(2)]
    runs = [active(arm, replicate) for arm in arms for replicate in range(2)]
    together = trained(runs)
    for one in runs:
        assert not differing(trained([one]), together)


def test_a_run_resumes_bit_for_bit():
    of = active(recipe(augmentation=AUGMENTED))
    whole_run, part = Cohort([of], CompiledEngine()), Cohort([of], CompiledEngine())
    for _ in range(3):
        train_epoch(whole_run)
    train_epoch(part)
    resumed = Cohort([ActiveRun(of.spec, of.splits, part.state(0))], CompiledEngine())
    for _ in range(2):
        train_epoch(resumed)
    for name, tensor in whole_run.state(0).tensors.items():
        assert tensor.tobytes() == resumed.state(0).tensors[name].tobytes(), name


@pytest.mark.parametrize("base", [CLASSIFIER, AUTOENCODER], ids=["classifier", "denoising autoencoder"])
@pytest.mark.parametrize("scale", ["unit", "standardise"])
def test_training_is_that_of_the_plain_loop_with_clean_targets(base, scale):
    table = {"noise": {"uniform": 0.3}, "zeroed": 0.2}
    of = active(recipe(base, data={"scale": scale}, augmentation=table))
    cohort, spec, train, epochs = Cohort([of], CompiledEngine()), of.spec, of.splits.train, 2
    own, scaling = spec.recipe, of.splits.scaling
    rates, losses, orders, seen = [], [], [], []
    augmenter = Augmenter(own.augmentation, train, of.splits.dataset.shape, scaling, spec.streams.augmentation)
    for epoch in range(epochs):
        orders.append(seeding.draws(spec.streams.order, "order", epoch).permutation(len(train)))
        inputs = np.empty((len(train), train.pool.values.shape[1]), np.float32)
        augmenter.fill(inputs, train.rows[orders[-1]], epoch)
        seen.append(scaled(inputs, scaling))
        rates.append(schedule_of(own).rates(epoch, -(-len(train) // own.training.batch_size)))
        losses.append(cohort.train_epoch([rates[-1]]).by_batch[0])
    plain = plain_loop(
        architecture(spec),
        RunSettings(own.loss, own.optimizer, 0.0, None),
        scaled(train.inputs, scaling),
        train.labels if own.loss.has_classes else None,
        orders,
        np.stack([rate.learning_rates for rate in rates]),
        of.state.tensors,
        own.training.batch_size,
        corrupted=seen,
    )
    assert losses == pytest.approx([np.mean(epoch) for epoch in plain.losses], rel=5e-6)


def scaled(inputs, scaling):
    inputs = inputs if scaling.centre is None else inputs - scaling.centre
    return inputs if scaling.factor is None else inputs * scaling.factor


def test_evaluation_sees_clean_examples():
    plain, noisy = active(recipe()), active(recipe(augmentation={"noise": {"gaussian": 1}, "zeroed": 0.5}))
    losses = []
    for of in (plain, noisy):
        cohort = Cohort([of], CompiledEngine())
        cohort.add_set("train", [of.splits.train])
        losses.append(cohort.evaluate("train").loss[0])
    assert losses[0] == losses[1]


def test_arms_with_other_augmentation_train_apart_and_its_memory_is_planned():
    run = planned("selection").runs[0]
    with_ = planned("selection", augmentation="{ shift = 2 }").runs[0]
    noisy = planned("selection", augmentation="{ noise = { gaussian = 0.1 } }").runs[0]
    assert len({static_key(one) for one in (run, with_, noisy)}) == 3
    values = run.spec.dataset.train * 784
    assert bytes_per_run(with_) == bytes_per_run(run) + values
    assert bytes_per_run(noisy) == bytes_per_run(run) + 4 * values


@pytest.mark.parametrize("base", [CLASSIFIER, AUTOENCODER], ids=["classifier", "denoising autoencoder"])
@pytest.mark.parametrize("own", [{"shift": 2, "flip": "horizontal"}, {"noise": {"gaussian": 0.1}, "zeroed": 0.2}])
def test_the_examples_that_are_kept_are_those_of_the_first_epoch(base, own):
    run = active(recipe(base, augmentation=own))
    (arrays,) = (a for _, name, a in measure_run(run.spec, run.splits).artifacts if name == "augmented")
    cohort, train = Cohort([run], CompiledEngine()), run.splits.train
    order = seeding.draws(run.spec.streams.order, "order", 0).permutation(len(train))
    seen = cohort._augmented_inputs(train.rows[order][None], 0)[0]
    kept = len(arrays["rows"])
    assert kept == 8
    np.testing.assert_array_equal(arrays["seen"], seen[:kept])
    np.testing.assert_array_equal(arrays["clean"], train.pool.values[train.rows[order][:kept]])
    assert (arrays["seen"] != arrays["clean"]).any()


def test_without_augmentation_no_examples_are_kept():
    run = active(recipe(CLASSIFIER))
    assert "augmented" not in [name for _, name, _ in measure_run(run.spec, run.splits).artifacts]
