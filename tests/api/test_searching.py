"""Searches, range tests and plans from Python come to what the command line comes to, and train nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paribus
from paribus.api.searching import SearchResults
from paribus.store.workspace import Workspace
from tests.api.test_judged import shown
from tests.execution.conftest import ARMS, TINY, save_digits
from tests.searching.conftest import TEXT

SMALL = {"search.candidates": 4, "search.confirm.replicates": 2, "training.epochs": 6, "search.halving.grace": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("searching")
    save_digits(path)
    (path / "find.toml").write_text(TEXT, encoding="utf-8")
    (path / "tiny.toml").write_text(TINY + ARMS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(folder: Path) -> SearchResults:
    return paribus.search(paribus.load(folder / "find.toml", SMALL), workspace=folder / "w", progress=False)


Command = Callable[..., str]


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in the folder, and gives what it prints."""
    from paribus.cli.main import run_command

    def run(*words: str) -> str:
        capsys.readouterr()
        assert run_command([*words, "--workspace", "w"]) == 0
        return capsys.readouterr().out

    monkeypatch.chdir(folder)
    return run


def sets() -> list[str]:
    return [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def run_ids(folder: Path) -> list[str]:
    with Workspace.open(folder / "w") as workspace:
        return sorted({run.id for record in workspace.studies() for _, _, run in workspace.runs_of(record.id)})


def test_the_command_line_finds_the_same_and_trains_nothing(
    found: SearchResults, folder: Path, command: Command
) -> None:
    before = run_ids(folder)
    printed = json.loads(command("search", "find.toml", *sets(), "--to", "winner.toml", "--json"))
    assert printed == json.loads(json.dumps(found.json()))
    assert printed["id"] == found.id
    assert run_ids(folder) == before
    written = paribus.load(folder / "winner.toml")
    assert found.winner_study().document == (folder / "winner.toml").read_text(encoding="utf-8")
    assert found.winner_study().digest == written.digest
    assert paribus.plan(found.winner_study(), workspace=folder / "w").id == paribus.plan(written).id


def test_the_winner_its_finalists_and_every_candidate_are_objects(found: SearchResults) -> None:
    assert found.winner is not None
    assert set(found.values) <= {"optimizer.kind", "optimizer.lr", "optimizer.momentum", "training.batch_size"}
    assert found.confirmed is not None
    (chosen,) = (one for one in found.finalists() if one.chosen)
    assert chosen.candidate == found.winner
    assert chosen.n == 2
    assert chosen.confirmed is not None
    assert chosen.shrinkage == pytest.approx(chosen.confirmed - chosen.found)
    table = found.table().set_index("candidate")
    assert len(table) == 4
    assert table.loc[found.winner, "value"] == chosen.found
    assert table.loc[found.winner, "optimizer.lr"] == found.values["optimizer.lr"]
    confirmed = found.confirmed.table().set_index(["arm", "rule", "metric"])
    assert confirmed.loc[(found.winner, "min-val-loss", "val_loss"), "mean"] == pytest.approx(chosen.confirmed)
    rungs = found.rungs()
    assert set(rungs["epochs"]) == {3, 6}
    assert set(rungs[rungs["state"] == "winner"]["candidate"]) == {found.winner}
    assert any(found.winner in text for text in shown(found))
    assert found.winner in repr(found).lower()
    assert "rungs" in found.figures()


def test_a_search_that_is_recorded_says_nothing(
    found: SearchResults, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = paribus.search(paribus.load(folder / "find.toml", SMALL), workspace=folder / "w")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert again.json() == found.json()


def test_the_report_has_a_page_for_the_finalists(found: SearchResults, tmp_path: Path) -> None:
    assert found.report(tmp_path).is_file()
    assert {path.name for path in tmp_path.glob("*.html")} >= {"find.html", "find-finalists.html"}


def test_a_range_test_is_that_of_the_command_line(folder: Path, command: Command) -> None:
    study = paribus.load(folder / "tiny.toml")
    tested = paribus.lr_range(study, first=1e-3, last=100, epochs=12, workspace=folder / "w", progress=False)
    before = run_ids(folder)
    words = ("lr-range", "tiny.toml", "--from", "1e-3", "--to", "100", "--epochs", "12", "--json")
    assert json.loads(command(*words)) == json.loads(json.dumps(tested.json()))
    assert run_ids(folder) == before
    table = tested.table().set_index("arm")
    assert list(table.index) == list(tested.suggested) == ["slow", "fast", "stopping"]
    assert table.loc["slow", "decade-below"] == table.loc["slow", "unstable"] / 10
    assert tested.suggested["slow"] == table.loc["slow", "suggested"]
    curves = tested.curves()
    slow = curves[curves["arm"] == "slow"]
    assert (slow["low"] <= slow["mean"]).all()
    assert slow["rate"].is_monotonic_increasing
    assert any("slow" in text for text in shown(tested))
    assert "suggested learning rate" in repr(tested)


def test_a_plan_is_that_of_the_command_line(found: SearchResults, folder: Path, command: Command) -> None:
    study = paribus.load(folder / "tiny.toml")
    planned, printed = paribus.plan(study, workspace=folder / "w"), json.loads(command("plan", "tiny.toml", "--json"))
    assert planned.id == printed["id"]
    runs = {(one["arm"], one["replicate"]): run["run"] for run in printed["runs"] for one in run["members"]}
    table = planned.table()
    assert dict(zip(zip(table["arm"], table["replicate"], strict=True), table["run"], strict=True)) == runs
    assert planned.expected_s is not None
    assert 0 < planned.expected_s[0] <= planned.expected_s[1]
    assert planned.sentences[0] in shown(planned)[1]
    searched = paribus.plan(paribus.load(folder / "find.toml", SMALL))
    assert searched.id == found.id
    assert searched.json() == json.loads(command("plan", "find.toml", *sets(), "--json"))
    assert list(searched.table()["epoch"]) == [3, 6]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (paribus.search, "must be a search"),
        (lambda study: paribus.lr_range(study, first=1, last=0.1), "must be above first (1)"),
        (lambda study: paribus.lr_range(study, first=0), "must be a number above 0"),
        (lambda study: paribus.lr_range(study, epochs=4), "must be a whole number from 5"),
        (lambda study: paribus.lr_range(study, rule="steepst"), "did you mean steepest?"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Any], Any], line: str
) -> None:
    monkeypatch.setenv("PARIBUS_WORKSPACE", str(tmp_path / "none"))
    with pytest.raises(paribus.UserError) as caught:
        call(paribus.load(folder / "tiny.toml"))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()
