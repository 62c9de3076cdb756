"""Planted labels, and folds within another split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paribus.data.loading import fingerprint, load_splits
from paribus.data.planting import planted_labels, planted_rows
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.data import Data, Planted
from paribus.spec.identity import RunSpec
from paribus.spec.recipe import Recipe

EXAMPLES = 600


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, EXAMPLES)
    np.savez(tmp_path / "whole.npz", X=np.arange(EXAMPLES)[:, None] + random.random((EXAMPLES, 3)), y=labels)
    test = random.integers(0, 4, 50)
    np.savez(
        tmp_path / "divided.npz",
        X_train=random.random((EXAMPLES, 3)),
        y_train=labels,
        X_test=random.random((50, 3)) + 5,
        y_test=test,
    )
    return tmp_path


def data(source, **split):
    return Data.model_validate({"source": source, "scale": "standardise", "split": {"by": "folds", **split}})


def rounds(of, folder, replicates):
    return [load_splits(of, folder, Streams.of_replicate(5, replicate)) for replicate in replicates]


def test_planted_rows_depend_on_the_seed_and_the_row_alone():
    first = Planted(share=0.1, seed=4)
    assert (planted_rows(first, 1000)[:300] == planted_rows(first, 300)).all()
    assert planted_rows(first, 100_000).mean() == pytest.approx(0.1, abs=0.005)
    other = planted_rows(Planted(share=0.1, seed=4, after=0.1), 1000)
    assert not (planted_rows(first, 1000) & other).any()
    assert (planted_rows(Planted(share=0.1, seed=5), 1000) != planted_rows(first, 1000)).any()


def test_planted_labels_are_other_classes_each_as_often():
    labels = np.zeros(100_000, np.int64)
    found = planted_labels(labels, Planted(share=0.3), 4)
    flipped = planted_rows(Planted(share=0.3), len(labels))
    assert (found[~flipped] == 0).all()
    counts = np.bincount(found[flipped], minlength=4)
    assert counts[0] == 0
    assert counts[1:] == pytest.approx(np.full(3, 10_000), rel=0.05)


def test_a_planted_label_is_the_same_in_every_split_of_every_replicate(folder):
    of = data("whole.npz", folds=4, validation=0.2)
    planted = of.model_copy(update={"planted": Planted(share=0.2, seed=1)})
    seen = {}
    for splits in rounds(planted, folder, range(8)):
        test = splits.test.open("selected snapshot")
        for split in (splits.train, splits.validation, test):
            for row, label in zip(split.source_rows.tolist(), split.labels.tolist(), strict=True):
                assert seen.setdefault(row, label) == label
    clean = np.load(folder / "whole.npz")["y"]
    assert 0.1 < np.mean([seen[row] != clean[row] for row in range(EXAMPLES)]) < 0.3


def test_planting_makes_another_run(folder):
    base = {
        "network": {"hidden": [2]},
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "training": {"epochs": 1, "batch_size": 4},
    }
    plain = data("whole.npz", folds=4)
    ids = set()
    for planted in (None, Planted(share=0.1), Planted(share=0.1, seed=1), Planted(share=0.1, after=0.1)):
        of = plain.model_copy(update={"planted": planted})
        splits = load_splits(of, folder, Streams.of_replicate(5, 0))
        recipe = Recipe(data=of, **base)
        ids.add(RunSpec(recipe, splits.dataset, Streams.of_replicate(5, 0), fingerprint(of, folder)).id)
    assert len(ids) == 4


def test_folds_within_a_sources_own_split_leave_its_test_examples_alone(folder):
    within = {"by": "given"}
    held_out = []
    for splits in rounds(data("divided.npz", folds=3, validation=0.1, within=within), folder, range(3)):
        test = splits.test.open("selected snapshot")
        assert test.inputs.max() < 5  # the file's own test examples are all above
        held_out.append(test.source_rows)
    assert sorted(np.concatenate(held_out)) == list(range(EXAMPLES))


def test_folds_within_a_drawn_split_leave_its_test_examples_alone(folder):
    outer = {"by": "stratified", "validation": 0.2, "test": 0.25}
    own = Data.model_validate({"source": "whole.npz", "scale": "standardise", "split": outer})
    locked = load_splits(own, folder, Streams.of_replicate(5, 0)).test.open("selected snapshot").source_rows
    held_out = [
        splits.test.open("selected snapshot").source_rows
        for splits in rounds(data("whole.npz", folds=3, within=outer), folder, range(3))
    ]
    assert sorted([*np.concatenate(held_out), *locked]) == list(range(EXAMPLES))


def test_folds_within_a_split_that_is_not_there(folder):
    with pytest.raises(UserError, match=r"must be a split of divided.npz.*'standard'"):
        load_splits(data("divided.npz", folds=3, within="standard"), Path(folder), Streams.of_replicate(5, 0))
