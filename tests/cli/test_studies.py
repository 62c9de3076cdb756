from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paribus.spec import builtin
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from tests.cli.conftest import registered

Paribus = Callable[..., Any]


def test_built_in_studies_are_listed_without_a_workspace(paribus: Paribus) -> None:
    result = paribus("studies", "--json")
    assert [(study["name"], study["kind"]) for study in json.loads(result.out)] == [
        (name, "built-in") for name in builtin.NAMES
    ]
    assert not Path("paribus-workspace").exists()


def test_recorded_studies_are_listed_after_them(paribus: Paribus, recorded: Path) -> None:
    last = json.loads(paribus("studies", "--json", "--workspace", recorded).out)[-1]
    assert (last["name"], last["kind"], last["arms"], last["replicates"]) == ("mini", "recorded", 2, 2)
    assert paribus("studies", "--workspace", recorded).out.splitlines()[-1].split()[:2] == ["mini", "recorded"]


def test_a_study_is_listed_once(paribus: Paribus, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        for changes in ({}, {"replicates": "2"}):
            registered(workspace, parse(builtin.text("faces"), place="faces", overrides=changes))
        registered(workspace, parse(builtin.text("capacity"), place="capacity"))
    rows = [line.split("  ") for line in paribus("studies", "--workspace", tmp_path / "w").out.splitlines()[1:]]
    assert [row[0] for row in rows] == list(builtin.NAMES)
    where = {row[0]: next(cell.strip() for cell in row[1:] if cell) for row in rows}
    assert where["faces"] == "built-in, recorded in 2 forms"
    assert where["capacity"] == "built-in, recorded"
    assert where["selection"] == "built-in"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(paribus: Paribus, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, paribus("studies").out.splitlines())) <= width
