"""Data that a program hands in, in every form, give the run that a file of the same content would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

import paribus
from paribus.execution.runner import prepare
from paribus.training.plan import PlannedRun

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 2


def run_on(source: str, folder: Path = Path(), **data: Any) -> PlannedRun:
    study = paribus.study(
        "mine",
        "Does it?",
        data={"source": source, "split": {"by": "all", "validation": 0.25}, **data},
        network={"hidden": [2]},
        optimizer={"kind": "sgd", "lr": 0.1},
        training={"epochs": 1, "batch_size": 8},
        replicates=1,
        folder=folder,
    )
    (run,) = prepare(study).runs
    return run


def features(run: PlannedRun) -> np.ndarray:
    return run.splits.train.inputs


def test_every_form_gives_the_same_examples(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", X=X, y=Y)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y})
    expected = run_on("mine.npz", tmp_path, inputs="X", target="y")
    found = {
        "arrays": run_on(paribus.source("mine", X=X, y=Y)),
        "mapping": run_on(paribus.source("mine", {"X": X, "y": Y})),
        "frame": run_on(paribus.source("mine", frame), target="y"),
        "data set": run_on(paribus.source("mine", TensorDataset(torch.tensor(X), torch.tensor(Y)))),
    }
    for name, run in found.items():
        np.testing.assert_array_equal(features(run), features(expected), err_msg=name)
        assert run.splits.train.labels is not None
        np.testing.assert_array_equal(run.splits.train.labels, expected.splits.train.labels, err_msg=name)


def test_the_content_is_a_part_of_the_identity_and_the_name_is_not() -> None:
    first = run_on(paribus.source("one", X=X, y=Y)).id
    assert run_on(paribus.source("two", X=X, y=Y)).id == first
    assert run_on(paribus.source("one", X=X + 1, y=Y)).id != first
    changed = X.copy()
    source = paribus.source("one", X=changed, y=Y)
    changed[:] = 0
    assert run_on(source).id == first


@pytest.mark.parametrize("content", [None, 3, np.zeros((3, 2)), {"X": [object()]}])
def test_anything_else_is_one_line(content: Any) -> None:
    with pytest.raises(paribus.UserError) as caught:
        paribus.source("mine", content)
    assert "\n" not in str(caught.value)
