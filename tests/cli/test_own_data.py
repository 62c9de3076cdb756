"""Studies on data that a study itself divides: planned, run, recorded and reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from paribus.store.workspace import Workspace

STUDY = """\
name = "own"
title = "Does it learn?"
question = "Does it learn?"
replicates = {replicates}
[data]
source = "{source}"
scale = "standardise"
{data}
[network]
kind = "mlp"
hidden = [8]
[optimizer]
kind = "adam"
lr = 0.02
[training]
epochs = 4
batch_size = 16
[selection]
rules = ["min-val-loss"]
[test]
read_at = ["min-val-loss"]
[[arms]]
name = "one"
"""


def run(paribus: Any, source: str, data: str, replicates: int = 2) -> str:
    """Run a study; what plan says of it."""
    Path("own.toml").write_text(STUDY.format(source=source, data=data, replicates=replicates), encoding="utf-8")
    planned = paribus("plan", "own.toml", "--workspace", "there")
    assert planned.code == 0, planned.err
    result = paribus("run", "own.toml", "--workspace", "there")
    assert result.code == 0, result.err
    return planned.err


def artifacts(name: str) -> list[dict[str, np.ndarray]]:
    """Those of the name, of every run by replicate, at whatever rule."""
    with Workspace.open(Path("there")) as workspace:
        (study,) = workspace.studies()
        runs = sorted(workspace.runs_of(study.id), key=lambda member: member[1])
        return [
            {key: np.asarray(array) for key, array in workspace.tensors.get(artifact.tensors).items()}
            for _, _, record in runs
            for artifact in workspace.artifacts(record.id)
            if artifact.name == name
        ]


def test_iris_has_one_test_set_and_is_told_about_its_twins(paribus: Any) -> None:
    said = run(paribus, "sklearn:iris", 'split = { by = "stratified", validation = 0.2, test = 0.2 }', replicates=3)
    assert "examples have the features of a training example (such as rows" in said
    iris = datasets.load_iris()
    tested = artifacts("targets/test")
    assert len(tested) == 3
    for targets in tested:
        np.testing.assert_array_equal(targets["rows"], tested[0]["rows"])
        np.testing.assert_array_equal(targets["labels"], iris.target[targets["rows"]])
    trained = artifacts("targets/train")
    assert len({tuple(targets["rows"]) for targets in trained}) == 3
    for targets, preprocessing in zip(trained, artifacts("preprocessing"), strict=True):
        seen = iris.data[targets["rows"]]
        np.testing.assert_allclose(preprocessing["centre"], seen.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(preprocessing["factor"], 1 / seen.std(axis=0), rtol=1e-5)
        assert not set(targets["rows"]) & set(tested[0]["rows"])
    assert paribus("report", "own", "--workspace", "there", "--to", "page").code == 0
    page = next(Path("page").rglob("own*.html")).read_text(encoding="utf-8")
    assert "examples have the features of a training example" in page
    status = json.loads(paribus("status", "own", "--json", "--workspace", "there").out)
    assert "shared-examples" in json.dumps(status)


def test_folds_test_every_example_once(paribus: Any) -> None:
    run(paribus, "sklearn:wine", 'split = { by = "folds", folds = 5, validation = 0.2 }', replicates=5)
    tested = artifacts("targets/test")
    np.testing.assert_array_equal(np.sort(np.concatenate([targets["rows"] for targets in tested])), np.arange(178))
    labels = datasets.load_wine().target
    for targets in tested:
        np.testing.assert_array_equal(targets["labels"], labels[targets["rows"]])


def test_folds_may_be_monitored(paribus: Any) -> None:
    """Each replicate on its own fold, though all of them share one pool."""
    text = STUDY.format(source="sklearn:iris", data='split = { by = "folds", folds = 3 }', replicates=3)
    text = text.replace('rules = ["min-val-loss"]', 'rules = ["last"]')
    text = text.replace('read_at = ["min-val-loss"]', 'read_at = ["last"]\nmonitor_every = 1')
    Path("own.toml").write_text(text, encoding="utf-8")
    assert paribus("run", "own.toml", "--workspace", "there").code == 0
    with Workspace.open(Path("there")) as workspace:
        (study,) = workspace.studies()
        for _, _, record in workspace.runs_of(study.id):
            at_the_end = {m.name: m.value for m in workspace.measurements(record.id) if m.rule == "last"}
            assert workspace.curves(record.id)["test_accuracy"][-1] == at_the_end["test_accuracy"]
            assert workspace.curves(record.id)["test_loss"][-1] == pytest.approx(at_the_end["test_loss"], rel=1e-5)


def test_index_files_that_change_are_another_study(paribus: Any) -> None:
    data = 'split = { by = "given", index = { validation = "val.txt", test = "test.txt" } }'
    Path("val.txt").write_text("\n".join(map(str, range(0, 150, 10))))
    Path("test.txt").write_text("\n".join(map(str, range(1, 150, 10))))
    run(paribus, "sklearn:iris", data)
    np.testing.assert_array_equal(artifacts("targets/test")[0]["rows"], np.arange(1, 150, 10))
    assert "nothing to train" in paribus("run", "own.toml", "--workspace", "there").err
    Path("test.txt").write_text("\n".join(map(str, range(2, 150, 10))))
    assert "trained 2 runs" in paribus("run", "own.toml", "--workspace", "there").err
