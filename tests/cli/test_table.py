from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Paribus = Callable[..., Any]


def test_json_holds_every_row_with_its_replicates(paribus: Paribus, recorded: Path) -> None:
    result = paribus("table", "mini", "--json", "--workspace", recorded)
    assert result.code == 0
    assert result.err == ""
    table = json.loads(result.out)
    assert table.keys() == {"study", "rows"}
    assert table["study"] == "mini"
    keys = ["arm", "rule", "metric", "mean", "sd", "n", "values", "published"]
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
    result = paribus("table", "mini", "--workspace", recorded)
    assert result.code == 0
    assert "fixed\n" in result.out
    assert "steps\n" in result.out
    line = next(line for line in result.out.splitlines() if "max-val-accuracy" in line and "val_accuracy" in line)
    assert "0.8" in line
    assert "± standard deviation" in result.err


def test_json_and_csv_exclude_each_other(paribus: Paribus, recorded: Path) -> None:
    result = paribus("table", "mini", "--json", "--csv", "--workspace", recorded)
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
