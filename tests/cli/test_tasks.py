"""Studies of tables from their files to table and report: regressions, classes with names, reference lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error

Paribus = Callable[..., Any]

DIABETES = """
name = "diabetes"
question = "Does a hidden layer predict the disease's progression better than a linear network?"
replicates = 3
deploy = "min-val-rmse"
references = ["constant", "linear", "gradient-boosting"]

[data]
source = "sklearn:diabetes"
task = "regression"
scale = "standardise"
split = { by = "random", validation = 0.2, test = 0.2 }

[network]
hidden = []

[loss]
kind = "mse"

[optimizer]
kind = "adam"
lr = 0.01

[training]
epochs = 25
batch_size = 32

[selection]
rules = ["min-val-rmse", "last"]

[test]
read_at = ["min-val-rmse", "last"]

[[arms]]
name = "flat"

[[arms]]
name = "hidden"
network = { hidden = [16] }

[[claims]]
statement = "A hidden layer lowers the error."
metric = "test_rmse"
better = { arm = "hidden" }
than = { arm = "flat" }
by = 2.0
"""
CLASSES = """
name = "{name}"
question = "Which species is it?"
replicates = 2
deploy = "min-val-loss"
references = ["constant", "linear"]

[data]
source = "sklearn:{source}"
scale = "standardise"
split = {{ by = "stratified", validation = 0.2, test = 0.2 }}

[network]
hidden = [8]

[optimizer]
kind = "adam"
lr = 0.01

[training]
epochs = 15
batch_size = 16

[selection]
rules = ["min-val-loss", "last"]

[test]
read_at = ["min-val-loss"]

[[arms]]
name = "relu"

[[arms]]
name = "tanh"
network = {{ activation = "tanh" }}

[[claims]]
statement = "It matters for the ranking of examples."
metric = "test_auroc"
better = {{ arm = "relu" }}
than = {{ arm = "tanh" }}
by = 0.02
"""


def ran(paribus: Paribus, folder: Path, name: str, text: str) -> Path:
    """A workspace with a study that has run."""
    path = folder / f"{name}.toml"
    path.write_text(text)
    result = paribus("run", path, "--workspace", folder / "workspace")
    assert result.code == 0, result.err
    return folder / "workspace"


def table_of(paribus: Paribus, name: str, workspace: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(paribus("table", name, "--json", "--workspace", workspace).out)["rows"]
    return rows


def test_a_regression_from_its_file_to_its_report(paribus: Paribus, tmp_path: Path) -> None:
    workspace = ran(paribus, tmp_path, "diabetes", DIABETES)
    rows = table_of(paribus, "diabetes", workspace)
    found = {(row["arm"], row["reference"], row["rule"], row["metric"]): row for row in rows}
    rmse = found["hidden", "", "min-val-rmse", "test_rmse"]
    assert rmse["n"] == 3
    assert 40 < rmse["mean"] < 75  # the target runs from 25 to 346, its standard deviation is 77
    assert found["hidden", "", "min-val-rmse", "test_r2"]["mean"] > 0.2
    assert not [row for row in rows if "accuracy" in row["metric"]]
    constant, linear = (found["flat", name, "", "test_rmse"]["mean"] for name in ("constant", "linear"))
    assert constant > linear
    assert ("hidden", "linear", "", "test_rmse") not in found  # one line for the arms that share their data

    told = paribus("table", "diabetes", "--workspace", workspace)
    assert "gradient-boosting" in told.out
    assert "RMSE and MAE are in the unit of the target" in told.err
    every = paribus("table", "diabetes", "--all", "--workspace", workspace)
    assert "reference lines on the data of flat (n = 3)" in every.out
    assert paribus("status", "diabetes", "--workspace", workspace).code == 0

    assert paribus("report", "diabetes", "--workspace", workspace, "--to", tmp_path / "report").code == 0
    page = (tmp_path / "report" / "diabetes.html").read_text()
    text = page[: page.index('<script type="application/json"')].replace("data:image/svg+xml", "")
    body = text[text.index("<body>") :].replace("Accuracy and validation", "")  # a paper's title
    for words in ("accuracy", "Accuracy", "image", "class</th>", "undefined"):
        assert words not in body, words
    for words in ("The test RMSE is", "lower is better", "gradient boosting", "Losses are those of the scaled"):
        assert words in text, words
    means = (tmp_path / "report" / "tables" / "diabetes-ranking-means.csv").read_text()
    lines = list(csv.DictReader(means.splitlines()))
    assert {line["line"] for line in lines} >= {"mean of the targets", "linear model", "gradient boosting"}


def test_the_linear_reference_is_the_ridge_of_the_same_rows(paribus: Paribus, tmp_path: Path) -> None:
    """From the recorded targets alone, with scikit-learn's own data and model."""
    from paribus.store.workspace import Workspace

    workspace = ran(paribus, tmp_path, "diabetes", DIABETES.replace("epochs = 25", "epochs = 2"))
    data = load_diabetes(scaled=False)
    with Workspace.open(workspace) as opened:
        record = opened.study("diabetes")
        for _, _, run in opened.runs_of(record.id):
            arrays = {a.name: opened.tensors.get(a.tensors) for a in opened.artifacts(run.id) if not a.rule}
            train, test = (arrays[f"targets/{name}"]["rows"] for name in ("train", "test"))
            inputs = data.data
            centre, spread = inputs[train].mean(0), inputs[train].std(0)
            model = Ridge().fit((inputs[train] - centre) / spread, data.target[train])
            theirs = root_mean_squared_error(data.target[test], model.predict((inputs[test] - centre) / spread))
            numbers = {m.name: m.value for m in opened.measurements(run.id) if not m.rule}
            assert numbers["reference/linear/test_rmse"] == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("source", ["iris", "breast_cancer"])
def test_classes_have_figures_and_reference_lines(paribus: Paribus, tmp_path: Path, source: str) -> None:
    name = source.replace("_", "-")
    workspace = ran(paribus, tmp_path, name, CLASSES.format(name=name, source=source))
    found = {
        (row["arm"], row["reference"], row["rule"], row["metric"]): row["mean"]
        for row in table_of(paribus, name, workspace)
    }
    for metric in ("balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece"):
        for split in ("val", "test"):
            assert 0 <= found["relu", "", "min-val-loss", f"{split}_{metric}"] < 2
    assert found["relu", "", "min-val-loss", "test_auroc"] > 0.9
    assert ("relu", "", "last", "test_auroc") not in found
    assert found["relu", "linear", "", "test_accuracy"] > 0.85 > found["relu", "constant", "", "test_accuracy"]
    assert paribus("report", name, "--workspace", workspace, "--to", tmp_path / "report").code == 0
    page = (tmp_path / "report" / f"{name}.html").read_text()
    for words in ("most frequent class", "Balanced accuracy: mean recall", "difference in test AUROC"):
        assert words in page, words


def test_what_does_not_fit_a_regression_is_refused_in_one_line(paribus: Paribus, tmp_path: Path) -> None:
    for old, new, words in (
        ('metric = "test_rmse"', 'metric = "test_accuracy"', "must be a metric of regression"),
        ('rules = ["min-val-rmse", "last"]', 'rules = ["min-val-rmse", "last", "min-val-mae"]', "selected epochs only"),
        ('kind = "mse"', 'kind = "cross-entropy"', "does not serve regression"),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(DIABETES.replace(old, new))
        result = paribus("run", path, "--workspace", tmp_path / "none")
        assert (result.code, len(result.err.strip().splitlines())) == (2, 1), result.err
        assert words in result.err
    assert not (tmp_path / "none").exists()


TARGETS = """
name = "targets"
question = "Does a hidden layer predict the rent better?"
replicates = 3
deploy = "min-val-rmse:rent"

[data]
source = "houses.csv"
task = "regression"
target = ["price", "rent"]
scale = "standardise"
split = { by = "random", validation = 0.3, test = 0.2 }

[network]
hidden = []

[loss]
kind = "mse"

[optimizer]
kind = "adam"
lr = 0.02

[training]
epochs = 8
batch_size = 16

[selection]
rules = ["min-val-rmse:rent", "last"]

[test]
read_at = ["min-val-rmse:rent"]

[[arms]]
name = "flat"

[[arms]]
name = "hidden"
network = { hidden = [16] }

[[claims]]
statement = "A hidden layer predicts the rent better."
metric = "test_rmse:rent"
better = { arm = "hidden" }
than = { arm = "flat" }
by = 0.5
"""


def test_one_of_several_targets_is_claimed_chosen_by_and_reported(paribus: Paribus, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(160, 3))
    prices, rents = 100 + 20 * x[:, 0], 40 + 8 * np.abs(x[:, 1]) + x[:, 2]
    rows = (f"{','.join(f'{v:.4f}' for v in (*row, a, b))}\n" for row, a, b in zip(x, prices, rents, strict=True))
    (tmp_path / "houses.csv").write_text("a,b,c,price,rent\n" + "".join(rows))
    workspace = ran(paribus, tmp_path, "targets", TARGETS)
    found = {(row["arm"], row["rule"], row["metric"]): row for row in table_of(paribus, "targets", workspace)}
    chosen = found["hidden", "min-val-rmse:rent", "val_rmse:rent"]
    assert chosen["mean"] <= found["hidden", "last", "val_rmse:rent"]["mean"]
    assert paribus("report", "targets", "--workspace", workspace, "--to", tmp_path / "report").code == 0
    page = (tmp_path / "report" / "targets.html").read_text()
    assert "The test RMSE of rent is" in page
