from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paribus.analysis.results import load as load_results
from paribus.analysis.tables import Row
from paribus.cli.main_table import main_tables
from paribus.spec.study import load
from paribus.store.workspace import Workspace
from tests.cli.conftest import outcome, registered

Paribus = Callable[..., Any]


def test_json_holds_every_row_with_its_replicates(paribus: Paribus, recorded: Path) -> None:
    result = paribus("table", "mini", "--json", "--workspace", recorded)
    assert result.code == 0
    assert result.err == ""
    table = json.loads(result.out)
    assert table.keys() == {"study", "rows"}
    assert table["study"] == "mini"
    keys = ["arm", "rule", "metric", "mean", "sd", "n", "values", "published", "reference"]
    assert all(list(row) == keys for row in table["rows"])
    assert all(len(row["values"]) == 2 for row in table["rows"])
    found = {(row["arm"], row["rule"], row["metric"]): row for row in table["rows"]}
    row = found["fixed", "max-val-accuracy", "val_accuracy"]
    assert row["values"][0] == 0.8
    assert row["mean"] == pytest.approx(statistics.mean(v for v in row["values"] if v is not None))
    assert found["steps", "", "parameters"]["mean"] == 6370


def test_csv_holds_the_rows_of_json(paribus: Paribus, recorded: Path) -> None:
    rows = json.loads(paribus("table", "mini", "--json", "--workspace", recorded).out)["rows"]
    lines = list(csv.DictReader(io.StringIO(paribus("table", "mini", "--csv", "--workspace", recorded).out)))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert (line["arm"], line["rule"], line["metric"], int(line["n"])) == (
            row["arm"],
            row["rule"],
            row["metric"],
            row["n"],
        )
        assert (float(line["mean"]) if line["mean"] else None) == row["mean"]
        assert [float(value) for value in line["values"].split()] == [v for v in row["values"] if v is not None]


def test_people_get_one_block_an_arm(paribus: Paribus, recorded: Path) -> None:
    result = paribus("table", "mini", "--all", "--workspace", recorded)
    assert result.code == 0
    assert "fixed (n = 1)\n  parameters 6370, weights 6352\n" in result.out
    assert "steps (n = 1)\n" in result.out
    block = result.out.splitlines()[2:]
    assert block[0].split() == ["metric", "last", "max-val-accuracy"]
    assert next(line for line in block if "val_accuracy" in line).split() == [
        "val_accuracy",
        "75.00",
        "%",
        "80.00",
        "%",
    ]
    assert "± standard deviation" in result.err


def test_spread_and_published_figures(paribus: Paribus, mini: Path, tmp_path: Path) -> None:
    published = '[[published]]\narm = "fixed"\nrule = "last"\nsource = "a book"\nval_accuracy = 0.74\n'
    file = tmp_path / "mini.toml"
    file.write_text(mini.read_text(encoding="utf-8") + published, encoding="utf-8")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, load(file))
        for (_, replicate), run in runs.items():
            made = outcome(run, 0)
            curve = made.curves["val_accuracy"] + replicate / 50
            workspace.finish([replace(made, curves={**made.curves, "val_accuracy": curve})])

    def cells(*argv: str) -> list[list[str]]:
        lines = paribus("table", "mini", *argv, "--workspace", tmp_path / "w").out.splitlines()
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]

    block = cells("--all")
    assert ["val_accuracy", "76.0 ± 1.4 %", "81.0 ± 1.4 %"] in block
    assert block[block.index(["val_accuracy", "76.0 ± 1.4 %", "81.0 ± 1.4 %"]) + 1] == ["published", "74.00 %"]
    table = cells()
    assert table[0][:3] == ["arm", "rule", "epoch"]
    accuracy = table[0].index("val. accuracy")
    assert table[1][:3] == ["fixed", "last *", "3"]
    assert table[1][accuracy] == "76.0 ± 1.4 %"
    assert table[2] == ["published", "74.00 %"]
    assert table[3][0] == "max-val-accuracy"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("every", [(), ("--all",)])
def test_no_line_is_wider_than_the_terminal(
    paribus: Paribus, recorded: Path, monkeypatch: pytest.MonkeyPatch, width: int, every: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = paribus("table", "mini", *every, "--workspace", recorded).out
    assert max(map(len, out.splitlines())) <= width
    assert out.count("max-val-accuracy") == 2


LONG = "momentum 0.9, weight decay 0.0005 and a rather wide layer 12"


def row(arm: str, rule: str, metric: str, mean: float, published: float | None = None, reference: str = "") -> Row:
    return Row(arm, rule, metric, mean, 0.01, 3, (mean,) * 3, published, reference)


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (None, ["arm", "rule", "epoch", "train loss", "val. loss", "val. accuracy", "test accuracy"]),
        (70, ["arm", "rule", "epoch", "val. accuracy", "test accuracy"]),
        (50, ["arm", "rule", "epoch", "test accuracy"]),
    ],
)
def test_the_most_important_metrics_that_fit_are_shown(
    paribus: Paribus, recorded: Path, width: int | None, headings: list[str]
) -> None:
    names = ("epoch", "train_loss", "val_loss", "val_accuracy", "test_accuracy")
    found = [row(arm, "max-val-accuracy", name, 0.5) for arm in ("fixed", "steps") for name in names]
    with Workspace.open(recorded) as workspace:
        results = load_results(workspace, workspace.study("mini").id)
    tables = main_tables(results, found, width)
    if width == 50:
        assert [table[0] for table in tables] == [("fixed", *headings[2:]), ("steps", *headings[2:])]
        return
    (table,) = tables
    assert list(table[0]) == headings
    assert [line[0] for line in table[1:]] == ["fixed", "steps"]


def test_reference_lines_are_rows(recorded: Path) -> None:
    found = [row("fixed", "last", "val_accuracy", 0.8), row("fixed", "", "val_accuracy", 0.7, reference="linear")]
    with Workspace.open(recorded) as workspace:
        results = load_results(workspace, workspace.study("mini").id)
    (table,) = main_tables(results, found, None)
    assert table[-1] == ("reference", "linear", "", "70.0 ± 1.0 %")


def test_json_and_csv_exclude_each_other(paribus: Paribus, recorded: Path) -> None:
    for pair in (("--json", "--csv"), ("--all", "--json")):
        result = paribus("table", "mini", *pair, "--workspace", recorded)
        assert (result.code, result.out) == (2, "")
        assert len(result.lines) == 1


def test_a_study_may_be_named_by_its_file_or_identity(paribus: Paribus, recorded: Path, mini: Path) -> None:
    identity = json.loads(paribus("status", "--json", "--workspace", recorded).out)[0]["id"]
    by_name = paribus("table", "mini", "--json", "--workspace", recorded).out
    assert paribus("table", mini, "--json", "--workspace", recorded).out == by_name
    assert paribus("table", identity, "--json", "--workspace", recorded).out == by_name


def test_a_study_that_was_not_run_is_refused_with_the_nearest(paribus: Paribus, recorded: Path) -> None:
    result = paribus("table", "mimi", "--workspace", recorded)
    assert result.code == 2
    assert "did you mean mini?" in result.err
