"""A study from objects is the study that a file says: one document, one digest, and runs of one identity."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paribus
from paribus.execution.runner import prepare
from paribus.spec.study import Study, parse
from tests.execution.conftest import save_digits

FILE = """
name = "widths"
question = "Does a wider layer do better?"
replicates = { count = 2, vary = ["init", "order"] }
seed = 7
deploy = "last"

[data]
source = "digits.npz"
split = "given"

[network]
hidden = [8]
activation = "tanh"

[optimizer]
kind = "sgd"
lr = 0.1

[training]
epochs = 3
batch_size = 16

[selection]
rules = ["min-val-loss", "last"]

[test]
read_at = ["last"]

[[arms]]
name = "narrow"

[[arms]]
name = "wide"
network = { hidden = [32] }

[[claims]]
statement = "Wider is better."
metric = "test_accuracy"
better = { arm = "wide" }
than = { arm = "narrow" }
by = 0.01
because = "A point matters."
"""


def built(folder: Path, **changes: Any) -> Study:
    content: dict[str, Any] = {
        "data": {"source": "digits.npz", "split": "given"},
        "network": {"hidden": (np.int64(8),), "activation": "tanh", "dropout": None},
        "optimizer": {"kind": "sgd", "lr": np.float64(0.1)},
        "training": {"epochs": 3, "batch_size": 16},
        "selection": {"rules": ("min-val-loss", "last")},
        "test": {"read_at": ["last"]},
        "arms": {"narrow": {}, "wide": {"network": {"hidden": np.array([32])}}},
        "claims": [
            {
                "statement": "Wider is better.",
                "metric": "test_accuracy",
                "better": "wide",
                "than": "narrow",
                "by": 0.01,
                "because": "A point matters.",
            }
        ],
        "replicates": {"count": 2, "vary": ["init", "order"]},
        "seed": 7,
        "deploy": "last",
        "folder": folder,
    }
    return paribus.study("widths", "Does a wider layer do better?", **{**content, **changes})


def test_objects_and_the_file_say_the_same(tmp_path: Path) -> None:
    save_digits(tmp_path)
    (tmp_path / "widths.toml").write_text(FILE, encoding="utf-8")
    loaded, made = paribus.load(tmp_path / "widths.toml"), built(tmp_path)
    assert made.digest == loaded.digest
    assert tomllib.loads(made.document) == tomllib.loads(loaded.document)
    ids = [run.id for run in prepare(loaded).runs]
    assert [run.id for run in prepare(made).runs] == ids
    assert len(ids) == 4
    assert prepare(made).id == prepare(loaded).id


def test_the_document_gives_the_study_back(tmp_path: Path) -> None:
    made = built(tmp_path)
    assert parse(made.document, place="again", folder=tmp_path) == made


def test_factors_are_crossed_as_in_a_file(tmp_path: Path) -> None:
    made = built(tmp_path, arms=None, claims=(), factors={"optimizer.lr": np.array([0.5, 0.25]), "seed": [1]})
    assert [arm.name for arm in made.arms] == ["lr=0.5, seed=1", "lr=0.25, seed=1"]


def test_without_arms_there_is_one(tmp_path: Path) -> None:
    made = built(tmp_path, arms=None, claims=())
    assert [arm.name for arm in made.arms] == ["widths"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"optimiser": {}}, "paribus.study(), key optimiser: must be a known key, got 'optimiser'; did you mean optim"),
        ({"network": {"hiden": [3]}}, "paribus.study(), key network.hiden: must be a known key"),
        ({"arms": {"a": {"network": {"hidden": [0]}}}, "claims": ()}, "arms[0] (a), key network.hidden[0]: must be at"),
        ({"training": {"epochs": object()}}, "paribus.study(), key training.epochs: must be a number, text"),
        ({"data": lambda: None}, "paribus.study(), key data: must be a number, text"),
        ({"arms": {}}, "paribus.study(), key arms: must be a list of tables, at least one"),
        ({"factors": {"optimizer.lr": [1]}}, "one by one in [[arms]] or as levels in [factors], got both"),
        ({"control": "wyde"}, "did you mean wide?"),
    ],
)
def test_mistakes_are_one_line_that_names_the_key(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(paribus.UserError) as caught:
        built(tmp_path, **changes)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_is_loaded_with_changes_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "widths.toml").write_text(FILE, encoding="utf-8")
    found = paribus.load(
        str(tmp_path / "widths.toml"),
        {
            "replicates": 5,
            "network.activation": {"kind": "leaky-relu", "slope": 0.1},
            "arms.wide.network.hidden": (64, 64),
            "selection.rules": ["last"],
            "deploy": "last",
            "title": 'Of "widths"',
        },
    )
    wide = found.arm("wide").recipe
    assert found.replicates.count == 5
    assert wide.network.hidden == (64, 64)
    assert wide.network.activation[0].parameter == 0.1
    assert found.title == 'Of "widths"'
    assert paribus.load("capacity", {"optimizer.lr": 0.5}).arms[0].recipe.optimizer.lr == 0.5


def test_there_is_a_line_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(paribus.UserError, match="file not found"):
        paribus.load(tmp_path / "none.toml")
