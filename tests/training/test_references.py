"""Reference lines against the models of scikit-learn that they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

from paribus import seeding
from paribus.data import scaling
from paribus.data.pool import Pool, Split, Splits, TestSet, whole
from paribus.seeding import Streams
from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec
from paribus.training.references import fit_and_evaluate, missing_references
from tests.training.conftest import recipe
from tests.training.test_regression import BASE, NAMES, active, seen

ALL = ["constant", "linear", "gradient-boosting"]
FLOWERS = {
    "data": {"source": "flowers.npz", "split": {"by": "given"}, "scale": "standardise"},
    "network": {"hidden": [4]},
    "optimizer": {"kind": "sgd", "lr": 0.05},
    "training": {"epochs": 1, "batch_size": 16},
    "references": ALL,
}


def flowers(classes=3, labels=None, **over):
    """A run on a table of classes that can be told apart in part; `labels` replaces those of the training split."""
    random = np.random.default_rng(2)
    values = random.normal(size=(260, 4)).astype(np.float32)
    drawn = np.digitize(values[:, 0] + random.normal(size=260) / 2, np.linspace(-1, 1, classes + 1)[1:-1])
    pool = Pool("flowers", values, 1.0, drawn.astype(np.int64), (4,), "f" * 64)
    everything = whole(pool)
    train, validation, test = (everything.take(part) for part in (slice(150), slice(150, 210), slice(210, 260)))
    if labels is not None:
        train = Split(pool, train.rows, labels, train.true_labels)
    dataset = Dataset("flowers.npz", 4, (4,), tuple("abcdefgh"[:classes]), 150, 60, 50, 210)
    splits = Splits(
        train, validation, TestSet(50, lambda n: test.take(slice(n))), scaling.fitted("standardise", train), dataset
    )
    return RunSpec(recipe(FLOWERS, **over), dataset, Streams.of_replicate(5, 0), "f" * 64), splits


def fitted(spec, splits, reference, *prefixes):
    parts = {"val": splits.validation, "test": splits.test.open("reference line")}
    found = fit_and_evaluate(spec, splits, reference, [(name, parts[name]) for name in prefixes or ("val",)])
    return {name.removeprefix(f"reference/{reference}/"): value for name, value in found.items()}


def random_state(spec):
    return seeding.derive(spec.streams.references, "references") % 2**31


@pytest.mark.parametrize("classes", [2, 3])
def test_references_of_classes_are_scikit_learns(classes):
    spec, splits = flowers(classes)
    train, held_out = splits.train, splits.validation
    theirs = {
        "constant": DummyClassifier(strategy="prior"),
        "linear": LogisticRegression(max_iter=1000),
        "gradient-boosting": HistGradientBoostingClassifier(random_state=random_state(spec)),
    }
    for reference, model in theirs.items():
        inputs = seen(held_out, splits).astype(np.float64)
        model.fit(seen(train, splits).astype(np.float64), train.labels)
        shares, found = model.predict_proba(inputs), fitted(spec, splits, reference)
        assert found["val_accuracy"] == pytest.approx(model.score(inputs, held_out.labels)), reference
        assert found["val_log_loss"] == pytest.approx(log_loss(held_out.labels, shares)), reference
        area = shares[:, 1] if classes == 2 else shares
        assert found["val_auroc"] == pytest.approx(roc_auc_score(held_out.labels, area, multi_class="ovr"))
        assert found.get("converged") == (1.0 if reference == "linear" else None)


@pytest.mark.parametrize("outputs", [1, 2])
def test_references_of_numbers_are_scikit_learns(outputs):
    of = active(recipe(BASE, references=ALL), outputs)
    train, test = of.splits.train, of.splits.test.open("reference line")
    for reference, model in {
        "constant": DummyRegressor,
        "linear": Ridge,
        "gradient-boosting": lambda: HistGradientBoostingRegressor(random_state=random_state(of.spec)),
    }.items():
        predicted = np.stack(
            [
                model()
                .fit(seen(train, of.splits).astype(np.float64), train.numbers[:, output].astype(np.float64))
                .predict(seen(test, of.splits).astype(np.float64))
                for output in range(outputs)
            ],
            axis=1,
        )
        found = fitted(of.spec, of.splits, reference, "val", "test")
        theirs = root_mean_squared_error(test.numbers, predicted, multioutput="raw_values")
        assert found["test_rmse"] == pytest.approx(theirs.mean(), rel=1e-6)
        if outputs == 2:
            assert [found[f"test_rmse:{name}"] for name in NAMES] == pytest.approx(list(theirs), rel=1e-6)
        assert {"val_rmse", "val_mae", "val_r2", "test_mae", "test_r2"} <= set(found)
    assert fitted(of.spec, of.splits, "constant", "test")["test_r2"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("reference", ALL)
def test_equal_splits_give_equal_bits(reference):
    numbers, classes = active(recipe(BASE, references=ALL)), flowers()
    for spec, splits in ((numbers.spec, numbers.splits), classes):
        assert fitted(spec, splits, reference) == fitted(spec, splits, reference)


def test_references_learn_the_labels_that_training_sees():
    _, clean = flowers()
    spec, splits = flowers(labels=(clean.train.labels + 1) % 3)
    assert fitted(spec, splits, "linear")["val_accuracy"] < 0.4 < fitted(*flowers(), "linear")["val_accuracy"]


def test_a_class_that_training_lacks_has_no_probability():
    _, whole_splits = flowers()
    labels = np.where(whole_splits.train.labels == 2, 0, whole_splits.train.labels)
    spec, splits = flowers(labels=labels)
    for reference in ALL:
        found = fitted(spec, splits, reference)
        assert 0 < found["val_accuracy"] < 1
        assert np.isfinite(list(found.values())).all()


def test_of_a_single_training_class_every_reference_is_the_constant():
    spec, splits = flowers(labels=np.full(150, 1))
    constant = fitted(spec, splits, "constant")
    assert constant["val_accuracy"] == pytest.approx(np.mean(splits.validation.labels == 1))
    for reference in ("linear", "gradient-boosting"):
        found = fitted(spec, splits, reference)
        assert {name: found[name] for name in constant} == constant


def test_what_is_missing_of_references_is_named():
    spec, _ = flowers()
    assert missing_references(spec, ()) == ("constant", "linear", "gradient-boosting")
    known = ["reference/linear/val_log_loss", "reference/constant/val_log_loss"]
    assert missing_references(spec, known) == ("gradient-boosting",)
    reading, _ = flowers(test={"read_at": ["last"]})
    assert missing_references(reading, known) == ("constant", "linear", "gradient-boosting")
    untested = replace(reading, dataset=replace(reading.dataset, test=0))
    assert missing_references(untested, known) == ("gradient-boosting",)
