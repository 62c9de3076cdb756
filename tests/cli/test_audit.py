"""`paribus audit`: what it prints and writes, and what it refuses in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

FEW = "must have at least 5 examples of each class, one for each fold"
QUICK = ("--folds", "3", "--epochs", "12", "--hidden", "16")


@pytest.fixture
def iris():
    """A table in which two flowers have another's name."""
    found = datasets.load_iris(as_frame=True)
    table = found.data.assign(species=found.target_names[found.target])
    table.loc[[5, 60], "species"] = "virginica"
    table.to_csv("iris.csv", index=False)
    return table


def test_the_answer_names_suspects_and_how_sure_it_is(paribus, iris):
    result = paribus("audit", "iris.csv", "--target", "species", *QUICK, "--html", "page.html")
    assert result.code == 0, result.err
    for words in (
        "estimated share of wrong labels",
        "If the list is cut",
        "that the audit flipped itself",
        "virginica",
    ):
        assert words in result.out
    page = Path("page.html").read_text(encoding="utf-8")
    assert "Labels of iris.csv" in page
    assert "petal length (cm)" in page
    with Path("tables/audit-iris-table.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 150


def test_all_as_json_and_csv(paribus, iris):
    found = json.loads(paribus("audit", "iris.csv", "--target", "species", *QUICK, "--json").out)
    assert found["examples"] == 150
    assert found["noise_rate_interval"][0] <= found["noise_rate"] <= found["noise_rate_interval"][1]
    assert found["classes"] == ["setosa", "versicolor", "virginica"]
    ranked = [one["row"] for one in found["suspects"] + found["next_ranked"]]
    assert 5 in ranked[:5]
    listed = paribus("audit", "iris.csv", "--target", "species", *QUICK, "--csv").out
    rows = list(csv.DictReader(listed.splitlines()))
    assert sorted(int(row["row"]) for row in rows) == list(range(150))
    assert [int(row["row"]) for row in rows][: len(ranked)] == ranked
    assert rows[ranked.index(5)]["proposed"] == "setosa"


@pytest.mark.parametrize("relabel", [False, True])
def test_a_cleaned_copy_only_when_asked(paribus, iris, relabel):
    before = {path.name for path in Path().iterdir()}
    found = json.loads(paribus("audit", "iris.csv", "--target", "species", *QUICK, "--json").out)
    assert {path.name for path in Path().iterdir()} == before | {"paribus-workspace"}
    suspects = {one["row"]: one["proposed"] for one in found["suspects"]}
    assert suspects
    options = ["--clean", "clean.csv", *(["--relabel"] if relabel else [])]
    result = paribus("audit", "iris.csv", "--target", "species", *QUICK, *options)
    assert result.code == 0, result.err
    with Path("clean.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with Path("iris.csv").open(encoding="utf-8", newline="") as file:
        source = list(csv.DictReader(file))
    if relabel:
        changed = [row | {"species": suspects[i]} if i in suspects else row for i, row in enumerate(source)]
        assert rows == changed
    else:
        assert rows == [row for i, row in enumerate(source) if i not in suspects]
    again = paribus("audit", "iris.csv", "--target", "species", *QUICK, *options)
    assert again.code == 2
    assert "overwrites nothing" in again.err


def test_a_cleaned_copy_of_divided_data_has_no_test_example(paribus):
    found = datasets.load_iris()
    order = np.random.default_rng(0).permutation(150)
    train, test = order[:120], order[120:]
    np.savez("iris.npz", X_train=found.data[train], y_train=found.target[train],
             X_test=found.data[test] + 100, y_test=found.target[test])  # fmt: skip
    result = paribus("audit", "iris.npz", *QUICK, "--clean", "clean.npz")
    assert result.code == 0, result.err
    clean = np.load("clean.npz")
    assert clean["X"].max() < 100
    assert set(clean["rows"].tolist()) <= set(range(120))
    np.testing.assert_allclose(clean["X"], found.data[train][clean["rows"]], rtol=1e-6)


def table(path, target):
    lines = [f"{i * 0.37 % 1:.3f},{i * 0.61 % 1:.3f},{label}" for i, label in enumerate(target)]
    Path(path).write_text("\n".join(["a,b,y", *lines]) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (["one"] * 60, "must have at least two classes, got 'one'"),
        (["one"] * 40 + ["two"] * 40 + ["three"], f"{FEW}, got 1 of class three"),
        (["one", ""] * 40, "y"),
        ([f"k{i}" for i in range(1000)] * 2, "column y must have at most"),
        ([f"{i * 0.731 % 7:.3f}" for i in range(90)], "must have labels of classes to be audited, got regression"),
    ],
    ids=["one class", "a class with one example", "missing labels", "a thousand classes", "regression"],
)  # fmt: skip
def test_bad_input_gets_one_line(paribus, target, words):
    table("bad.csv", target)
    result = paribus("audit", "bad.csv", "--target", "y")
    assert result.code == 2
    assert len(result.lines) == 1
    assert words in result.err
    assert not Path("paribus-workspace").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", "1"], "must be from 2 to 100"),
        (["--hidden", "a"], "must be numbers of units"),
        (["--relabel"], "goes with --clean"),
        (["--clean", "clean.parquet"], "must end in .csv or .npz"),
        (["--clean", "there/clean.csv"], "folder not found"),
        (["--target", "none"], "must be a column of iris.csv"),
    ],
)
def test_mistakes(paribus, iris, options, words):
    result = paribus("audit", "iris.csv", "--target", "species", *options)
    assert result.code == 2
    assert words in result.err
    assert len(result.lines) == 1
