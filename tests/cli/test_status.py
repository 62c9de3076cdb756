from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paribus.analysis import findings
from paribus.cli.status import ID_DIGITS
from paribus.spec.study import load
from paribus.store.workspace import Workspace
from tests.cli.conftest import outcome, registered

Paribus = Callable[..., Any]


def test_studies_are_counted_by_the_state_of_their_runs(paribus: Paribus, recorded: Path) -> None:
    (study,) = json.loads(paribus("status", "--json", "--workspace", recorded).out)
    assert study["study"] == "mini"
    assert (study["runs"], study["done"], study["diverged"], study["running"], study["planned"]) == (4, 2, 2, 0, 0)
    assert (study["epochs_done"], study["epochs"]) == (12, 12)
    assert study["findings"] == ["diverged", "diverged"]


def test_the_runs_of_one_study_are_listed(paribus: Paribus, recorded: Path) -> None:
    runs = json.loads(paribus("status", "mini", "--json", "--workspace", recorded).out)
    assert [(run["arm"], run["replicate"], run["state"]) for run in runs] == [
        ("fixed", 0, "done"),
        ("fixed", 1, "diverged"),
        ("steps", 0, "done"),
        ("steps", 1, "diverged"),
    ]
    assert [run["findings"] for run in runs] == [[], ["diverged"], [], ["diverged"]]


def test_people_see_the_same(paribus: Paribus, recorded: Path) -> None:
    result = paribus("status", "--workspace", recorded)
    heading, line = result.out.splitlines()
    assert heading.split()[:3] == ["study", "id", "runs"]
    assert line.split()[0] == "mini"
    assert "2 diverged" in line
    assert len(paribus("status", "mini", "--workspace", recorded).out.splitlines()) == 5


def test_the_id_that_is_printed_names_the_study(paribus: Paribus, recorded: Path) -> None:
    printed = paribus("status", "--workspace", recorded).out.splitlines()[1].split()[1]
    assert len(printed) == ID_DIGITS
    for argv in (["table", printed], ["status", printed], ["report", printed]):
        by_id, by_name = paribus(*argv, "--workspace", recorded), paribus(argv[0], "mini", "--workspace", recorded)
        assert (by_id.code, by_id.out) == (0, by_name.out)


def test_the_id_of_a_run_shows_the_run(paribus: Paribus, recorded: Path) -> None:
    printed = paribus("status", "mini", "--workspace", recorded).out.splitlines()[2].split()[-2]
    assert len(printed) == ID_DIGITS
    (whole,) = [
        run["run"]
        for run in json.loads(paribus("status", "mini", "--json", "--workspace", recorded).out)
        if run["run"].startswith(printed)
    ]
    shown = paribus("status", printed, "--workspace", recorded)
    assert shown.code == 0
    assert shown.out == paribus("status", whole, "--workspace", recorded).out
    lines = shown.out.splitlines()
    assert lines[:2] == [f"run {whole}", "study mini, arm fixed, replicate 1"]
    assert lines[2].startswith("diverged, 3/3 epochs, started ")
    assert "findings: diverged" in lines
    assert [line.split() for line in lines[-2:]] == [["last", "3", "-"], ["max-val-accuracy", "2", "81.00", "%"]]
    known = json.loads(paribus("status", printed, "--json", "--workspace", recorded).out)
    assert (known["run"], known["members"]) == (whole, [{"study": "mini", "arm": "fixed", "replicate": 1}])


def test_an_id_that_is_none_is_refused(paribus: Paribus, recorded: Path) -> None:
    for name, problem in (("0000000", "run not found"), ("nonesuch", "study not found"), ("no.toml", "file not found")):
        result = paribus("status", name, "--workspace", recorded)
        assert (result.code, len(result.lines)) == (2, 1)
        assert problem in result.err


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("argv", [("status",), ("status", "named")])
def test_no_line_is_wider_than_the_terminal(
    paribus: Paribus, mini: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int, argv: tuple[str, ...]
) -> None:
    """With long names, and a run with every kind of finding."""
    arm = "momentum 0.9, weight decay 0.0005 and a rather wide layer 12"
    text = mini.read_text(encoding="utf-8").replace('"mini"', '"named"', 1).replace('"fixed"', f'"{arm}"')
    file = tmp_path / "named.toml"
    file.write_text(text, encoding="utf-8")
    kinds = ("overfitting", "dead-units", "unchanged-units", "collapse", "memorisation")
    monkeypatch.setattr(findings, "kinds", lambda *_: kinds)
    with Workspace.open(tmp_path / "named", create=True, write=True) as workspace:
        runs = registered(workspace, load(file))
        workspace.finish([outcome(run, 0) for run in runs.values()])
    monkeypatch.setenv("COLUMNS", str(width))
    lines = paribus(*argv, "--workspace", tmp_path / "named").out.splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert "memorisation" in words
    assert "3/3" in words or "12/12" in words


def test_times_are_local(paribus: Paribus, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (study,) = json.loads(paribus("status", "--json", "--workspace", recorded).out)
    monkeypatch.setenv("TZ", "<+0545>-5:45")
    time.tzset()
    try:
        local = datetime.fromisoformat(study["registered_at"]) + timedelta(hours=5, minutes=45)
        assert f"{local:%Y-%m-%d %H:%M} +0545" in paribus("status", "--workspace", recorded).out
    finally:
        monkeypatch.undo()
        time.tzset()


def test_without_a_workspace_there_is_nothing_to_show(paribus: Paribus) -> None:
    result = paribus("status")
    assert (result.code, result.out) == (2, "")
    assert not Path("paribus-workspace").exists()
