"""Running from Python, and what it gives back, beside what the command line records and prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import paribus
from paribus.store.workspace import Workspace
from tests.api.test_building import FILE, built
from tests.execution.conftest import save_digits

Paribus = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results")
    save_digits(path)
    (path / "widths.toml").write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def results(folder: Path) -> paribus.Results:
    return paribus.run(built(folder), workspace=folder / "w", progress=False)


def test_what_python_recorded_the_command_line_does_not_train_again(
    results: paribus.Results, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paribus.cli.main import run_command

    monkeypatch.chdir(folder)
    assert run_command(["run", "widths.toml", "--workspace", "w", "--json"]) == 0
    (done,) = json.loads(capsys.readouterr().out)
    assert done["trained"] == 0
    assert done["id"] == results.id
    assert paribus.results("widths", workspace=folder / "w").id == results.id
    assert paribus.results(paribus.load("widths.toml"), workspace=folder / "w").id == results.id


def test_the_table_is_that_of_the_command_line(
    results: paribus.Results, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paribus.cli.main import run_command

    assert run_command(["table", "widths", "--workspace", str(folder / "w"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    table = results.table()
    assert list(table["metric"]) == [row["metric"] for row in rows]
    for column in ("mean", "sd", "published"):
        expected = [np.nan if row[column] is None else row[column] for row in rows]
        np.testing.assert_array_equal(table[column], expected)
    np.testing.assert_allclose(table[["replicate 0", "replicate 1"]].mean(axis=1), table["mean"], rtol=1e-12)


def test_curves_have_a_row_for_each_epoch_of_each_run(results: paribus.Results, folder: Path) -> None:
    curves = results.curves()
    assert len(curves) == 2 * 2 * 3
    with Workspace.open(folder / "w") as workspace:
        for arm, replicate, run in workspace.runs_of(results.id):
            own = curves[(curves["arm"] == arm) & (curves["replicate"] == replicate)]
            assert list(own["epoch"]) == [1, 2, 3]
            np.testing.assert_array_equal(own["val_loss"], workspace.curves(run.id)["val_loss"])


def test_outputs_give_the_recorded_accuracy(results: paribus.Results) -> None:
    outputs = results.outputs("wide", 1, rule="last", split="test")
    assert list(outputs.columns)[:3] == ["row", "label", "predicted"]
    probabilities = outputs.filter(like="p(")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert [f"p({name})" for name in outputs["predicted"]] == list(probabilities.idxmax(axis=1))
    table = results.table().set_index(["arm", "rule", "metric"])
    accuracy = (outputs["label"] == outputs["predicted"]).mean()
    assert accuracy == table.loc[("wide", "last", "test_accuracy"), "replicate 1"]
    assert isinstance(outputs, pd.DataFrame)


def test_verdicts_and_findings_are_plain_objects(results: paribus.Results) -> None:
    (outcome,) = results.verdicts()
    assert outcome.verdict in ("SUPPORTED", "REFUTED", "EQUIVALENT", "INCONCLUSIVE")
    assert outcome.claim.statement == "Wider is better."
    assert all(finding.sentence for finding in results.findings())
    assert results.states == {"done": 4}
    assert repr(results) == "<results of widths: 4 runs (4 done)>"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("wyde",), "did you mean wide?"),
        (("wide", 7), "no such run"),
        (("wide", 0, "min-val-los"), "did you mean min-val-loss?"),
        (("wide", 0, "last", "tset"), "did you mean test?"),
        (("wide", 0, "min-val-loss", "test"), "add the rule to test.read_at"),
    ],
)
def test_what_is_not_there_is_one_line(results: paribus.Results, arguments: tuple[Any, ...], line: str) -> None:
    names = ("arm", "replicate", "rule", "split")
    with pytest.raises(paribus.UserError) as caught:
        results.outputs(**dict(zip(names, arguments, strict=False)))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_pandas_one_line_names_the_extra(results: paribus.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    from paribus.api import frames

    monkeypatch.setattr(frames.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(paribus.UserError, match=r"needs pandas.*install paribus\[notebook\]"):
        results.table()


def test_progress_is_told_on_stderr(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paribus.run(built(folder, replicates=1), workspace=tmp_path / "w")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2/2 runs done" in captured.err
    paribus.run(built(folder, replicates=1), workspace=tmp_path / "w")
    assert capsys.readouterr().err == ""


def test_a_study_that_was_not_run_has_no_results(folder: Path) -> None:
    with pytest.raises(paribus.UserError, match="must be a study that was run in this workspace"):
        paribus.results(built(folder, seed=8), workspace=folder / "w")
    with pytest.raises(paribus.UserError):
        paribus.results("widths", workspace=folder / "none")
