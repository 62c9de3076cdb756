from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_without_a_workspace_there_is_nothing_to_show(paribus: Paribus) -> None:
    result = paribus("status")
    assert (result.code, result.out) == (2, "")
    assert not Path("paribus-workspace").exists()
