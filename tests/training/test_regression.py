"""Regression in the compiled and in the stacked engine, against PyTorch's own loop and scikit-learn's figures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics

from paribus import seeding
from paribus.data import scaling
from paribus.data.pool import Pool, Scaling, Split, Splits, TestSet, whole
from paribus.seeding import Streams
from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec
from paribus.training.cohort import ActiveRun, Cohort, architecture, fresh_state
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import RunSettings
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot, missing_of
from paribus.training.regression import predictions, regression_scores
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.conftest import differing, recipe, train_epoch, trained
from tests.training.oracle import plain_loop, plain_outputs

BASE = {
    "data": {"source": "houses.npz", "split": {"by": "given"}, "task": "regression", "scale": "standardise"},
    "network": {"hidden": [16, 8]},
    "loss": {"kind": "mse"},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"epochs": 3, "batch_size": 16},
}
LOSSES = {"mse": {"kind": "mse"}, "l1": {"kind": "l1"}, "huber": {"kind": "huber", "delta": 0.4}}
NAMES = ("price", "rent")
ENGINES = {"compiled": CompiledEngine, "stacked": lambda: StackedTensorEngine(torch.device("cpu"))}


def houses(outputs=1, examples=(90, 400, 70), seed=3):
    """Training, validation and test examples whose targets are of very different sizes, as prices and rents are."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(sum(examples), 6)).astype(np.float32) * 10 + 50
    factor, shift = np.array([40_000.0, 0.02]), np.array([250_000.0, 0.7])
    exact = np.stack([np.tanh(values[:, 0] / 10 - 5) + values[:, 1] / 30, np.sin(values[:, 2])], axis=1)
    numbers = (exact * factor + shift)[:, :outputs].astype(np.float32)
    ends = np.cumsum(examples)
    parts = [slice(end - n, end) for n, end in zip(examples, ends, strict=True)]
    return [whole(Pool("houses", values[p], 1.0, None, (6,), f"{seed}/{p}", numbers[p])) for p in parts]


def active(of, outputs=1, replicate=0, *, scaled=True, **facts):
    """A run of a recipe on houses before its first epoch."""
    train, validation, test = houses(outputs)
    train = train.take(np.random.default_rng(replicate).permutation(len(train)))
    centre, deviation = train.numbers.mean(0, dtype=np.float64), train.numbers.std(0, dtype=np.float64)
    of_targets = Scaling(centre.astype(np.float32), (1 / deviation).astype(np.float32))
    dataset = Dataset("houses.npz", 6, (6,), (), 90, 400, 70, 490, NAMES[:outputs], tuple("abcdef"))
    splits = Splits(
        train,
        validation,
        TestSet(70, lambda n: test.take(slice(n))),
        scaling.fitted("standardise", train),
        replace(dataset, **facts),
        of_targets if scaled else Scaling(None, None),
    )
    streams = Streams.of_replicate(5, replicate)
    spec = RunSpec(of, splits.dataset, streams, "f" * 64)
    return ActiveRun(spec, splits, fresh_state(spec))


def seen(split: Split, splits: Splits):
    """The features as networks see them."""
    return (split.inputs - splits.scaling.centre) * splits.scaling.factor


def scaled_targets(split: Split, splits: Splits):
    of_targets = splits.target_scaling
    return split.numbers if of_targets.centre is None else (split.numbers - of_targets.centre) * of_targets.factor


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "as they are"])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_regression_is_the_plain_loop_of_pytorch(engine, loss, outputs, scaled):
    small = 1.0 if scaled else 1e-9  # targets of 250,000 make large gradients
    of = active(recipe(BASE, loss=loss, optimizer={"lr": 0.05 * small}), outputs, scaled=scaled)
    spec, splits, train = of.spec, of.splits, of.splits.train
    cohort = Cohort([of], engine())
    losses = [float(train_epoch(cohort)[0]) for _ in range(3)]
    plain = plain_loop(
        architecture(spec),
        RunSettings(spec.recipe.loss, spec.recipe.optimizer, 0.0, None),
        seen(train, splits),
        scaled_targets(train, splits),
        [seeding.draws(spec.streams.order, "order", e).permutation(len(train)) for e in range(3)],
        np.full((3, 6), spec.recipe.optimizer.lr),
        of.state.tensors,
        spec.recipe.training.batch_size,
    )
    np.testing.assert_allclose(losses, [batches.mean() for batches in plain.losses], rtol=2e-6)
    for name, tensor in plain.state.items():
        if "/" not in name:
            np.testing.assert_allclose(cohort.weights(0)[name], tensor, atol=3e-6 * np.abs(tensor).max(), err_msg=name)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_the_rmse_of_an_epoch_is_that_of_the_targets_in_their_units(engine, loss, outputs):
    of, other = (active(recipe(BASE, loss=loss), outputs, replicate) for replicate in (0, 1))
    cohort = Cohort([of, other], engine())
    cohort.add_set("val", [run.splits.validation for run in cohort.leaders])
    for _ in range(2):
        train_epoch(cohort)
        found = cohort.metrics("val")
    assert set(found) == {"val_loss", "val_rmse"}
    for place, run in enumerate(cohort.runs):
        validation, of_targets = run.splits.validation, run.splits.target_scaling
        inputs = seen(validation, run.splits)
        scaled, _ = plain_outputs(architecture(run.spec), cohort.weights(place), inputs, torch.float64)
        expected = scaled / of_targets.factor.astype(np.float64) + of_targets.centre
        theirs = metrics.root_mean_squared_error(validation.numbers.astype(np.float64), expected)
        assert found["val_rmse"][place] == pytest.approx(theirs, rel=1e-5)


def test_classifiers_and_autoencoders_have_no_squared_error_beside_their_loss():
    from tests.training import conftest

    for base, split in ((conftest.CLASSIFIER, "validation"), (conftest.AUTOENCODER, "train")):
        run = conftest.active(recipe(base))
        cohort = Cohort([run], CompiledEngine())
        cohort.add_set("val", [getattr(run.splits, split)])
        assert cohort.evaluate("val").squared_error is None


def test_a_regression_has_the_same_bits_alone_and_in_company():
    runs = [active(recipe(BASE), replicate=replicate) for replicate in range(3)]
    together = trained(runs)
    for run in runs:
        assert not differing(trained([run]), together)


def measured(of, rule="last", open_test=None, known=()):
    snapshot = Snapshot(rule, 3, of.state.tensors)
    found = measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), open_test, known)
    return {m.name: m.value for m in found.numbers}, {(rule, name): a for rule, name, a in found.artifacts}


@pytest.mark.parametrize("outputs", [1, 2])
def test_figures_and_outputs_of_a_snapshot_are_in_the_targets_units(outputs):
    of = active(recipe(BASE, test={"read_at": ["last"]}), outputs)
    numbers, arrays = measured(of, open_test=lambda *_: of.splits.test.open("selected snapshot"))
    splits = {"val": of.splits.validation, "test": of.splits.test.open("selected snapshot"), "train": of.splits.train}
    for prefix, split in splits.items():
        scaled, _ = plain_outputs(architecture(of.spec), of.state.tensors, seen(split, of.splits), torch.float64)
        expected = scaled / of.splits.target_scaling.factor.astype(np.float64) + of.splits.target_scaling.centre
        name = "validation" if prefix == "val" else prefix
        kept = arrays["last", f"outputs/{name}"]["outputs"]
        assert kept.dtype == np.float32
        assert (np.abs(kept - expected) < 1e-5 * np.abs(expected).max(axis=0)).all()
        if prefix != "train" or ("", "targets/train") in arrays:
            np.testing.assert_array_equal(arrays["", f"targets/{name}"]["numbers"], split.numbers)
        true, predicted = split.numbers.astype(np.float64), kept.astype(np.float64)
        assert numbers[f"{prefix}_rmse"] == pytest.approx(metrics.root_mean_squared_error(true, predicted))
        assert numbers[f"{prefix}_r2"] == pytest.approx(metrics.r2_score(true, predicted))
        if prefix != "train":
            assert numbers[f"{prefix}_mae"] == pytest.approx(metrics.mean_absolute_error(true, predicted))
            by_output = metrics.root_mean_squared_error(true, predicted, multioutput="raw_values")
            own = [numbers.get(f"{prefix}_rmse:{name}") for name in NAMES[:outputs]]
            assert own == ([None] if outputs == 1 else pytest.approx(list(by_output)))
    assert numbers["test_loss"] == pytest.approx(of_plain_mse(of, splits["test"]), rel=1e-5)


def of_plain_mse(of, split):
    scaled, _ = plain_outputs(architecture(of.spec), of.state.tensors, seen(split, of.splits), torch.float64)
    return float(np.square(scaled - scaled_targets(split, of.splits)).mean())


def test_the_figures_of_a_snapshot_are_those_by_which_it_was_selected():
    of = active(recipe(BASE))
    cohort = Cohort([of], CompiledEngine())
    cohort.add_set("val", [of.splits.validation])
    numbers, _ = measured(of)
    assert numbers["val_rmse"] == pytest.approx(cohort.metrics("val")["val_rmse"][0], rel=1e-6)


def test_each_target_by_which_a_rule_chooses_has_its_rmse_after_each_epoch():
    of = active(recipe(BASE, selection={"rules": [f"min-val-rmse:{NAMES[1]}", "last"]}), outputs=2)
    cohort = Cohort([of], CompiledEngine())
    cohort.add_set("val", [of.splits.validation])
    found, (numbers, _) = cohort.metrics("val"), measured(of)
    assert found[f"val_rmse:{NAMES[1]}"][0] == pytest.approx(numbers[f"val_rmse:{NAMES[1]}"], rel=1e-6)
    assert f"val_rmse:{NAMES[0]}" not in found


def test_what_is_missing_of_a_regression_is_named():
    of = active(recipe(BASE, test={"read_at": ["last"]}, snapshots={"outputs": False}))
    training, of_test = ("epoch", "train_rmse", "train_r2"), ("test_rmse", "test_mae", "test_r2")
    of_validation = ("val_rmse", "val_mae", "val_r2")
    assert missing_of(of.spec, "last", ()) == (*training, "test_loss", *of_validation, *of_test)
    numbers, arrays = measured(of, known=[*training, "test_loss", *of_test])
    assert set(numbers) == {"val_rmse", "val_mae", "val_r2"}
    assert not arrays


def test_a_run_keeps_its_targets_as_numbers():
    of = active(recipe(BASE), outputs=2)
    kept = {name: arrays for _, name, arrays in measure_run(of.spec, of.splits).artifacts}
    np.testing.assert_array_equal(kept["targets/train"]["numbers"], of.splits.train.numbers)
    assert "labels" not in kept["targets/train"]


def test_r2_of_equal_targets_is_undefined_and_infinite_predictions_are_told():
    equal = np.full((5, 1), 3.0, np.float32)
    found = regression_scores(equal + 1, equal, ("y",))
    assert found["rmse"] == found["mae"] == 1
    assert math.isnan(found["r2"])
    assert math.isinf(regression_scores(np.full((5, 1), np.inf, np.float32), equal, ("y",))["rmse"])


def test_predictions_are_rounded_once():
    """In float32, 0.1 / factor and the sum would each be rounded."""
    of_targets = Scaling(np.array([1e6], np.float32), np.array([0.1], np.float32))
    outputs = np.array([[0.123456]], np.float32)
    exact = np.float32(np.float64(outputs[0, 0]) / np.float64(np.float32(0.1)) + 1e6)
    assert predictions(outputs, of_targets)[0, 0] == exact
