from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tasks import HELD_OUT, NAMES, task, with_arms
from paribus.spec.network import parameter_count

PUBLISHED = {
    "AE_n16": (135_184, 400, 64, "adam", 1e-4),
    "AE_n64": (528_448, 400, 64, "adam", 1e-4),
    "ShallowMLP": (25_450, 8_000, 128, "sgd", 1e-3),
    "DeepMLP": (29_642, 8_000, 128, "sgd", 1e-3),
    "DeepWideMLP": (118_346, 8_000, 128, "sgd", 1e-3),
    "CustomMLP": (251_722, 10_000, 128, "adam", 2e-4),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_task_has_the_published_size_and_settings(name: str) -> None:
    work = task(name)
    spec = work.recipe.optimizer
    assert PUBLISHED[name] == (parameter_count(work.widths), work.examples, work.batch_size, spec.kind, spec.lr)
    assert len(work.rows(0)) == len(work.inputs(0)) == work.examples


def test_as_much_is_evaluated_after_each_epoch_for_every_classifier() -> None:
    for name in NAMES:
        work = task(name)
        monitored = work.recipe.test.monitor_examples if work.recipe.test.monitor_every else HELD_OUT
        assert monitored == HELD_OUT
        assert work.recipe.test.read_at == ()
        assert work.recipe.metrics == ()


def test_runs_differ_in_weights_and_images_and_a_short_task_meets_every_batch_size() -> None:
    work = task("ShallowMLP")
    assert not np.array_equal(work.initial_weights(0)["fc1.weight"], work.initial_weights(1)["fc1.weight"])
    assert not np.array_equal(work.rows(0), work.rows(1))
    assert work.short().examples == 2 * 128 + 8_000 % 128
    assert set(work.short().rows(1)) < set(work.rows(1))


def test_the_pool_and_its_rows_are_the_inputs() -> None:
    work = task("ShallowMLP").limited(20)
    np.testing.assert_array_equal(work.pool[work.rows(1)], work.inputs(1))


def test_quality_is_that_of_the_network_that_is_given() -> None:
    classifier = task("ShallowMLP")
    zero = {name: np.zeros_like(value) for name, value in classifier.initial_weights(0).items()}
    assert classifier.quality(0, zero) == pytest.approx(0.1, abs=0.03)
    faces = task("AE_n16")
    mean = faces.inputs(0).mean(0)
    constant = {name: np.zeros_like(value) for name, value in faces.initial_weights(0).items()} | {"fc2.bias": mean}
    assert faces.quality(0, constant) == pytest.approx(faces.inputs(0).var(0).mean(), rel=1e-4)


def test_arms_that_share_batches_are_runs_of_one_replicate() -> None:
    study = with_arms(task("ShallowMLP").limited(256), 3)
    assert study.replicates.count == 1
    assert len({arm.recipe.optimizer.lr for arm in study.arms}) == 3
