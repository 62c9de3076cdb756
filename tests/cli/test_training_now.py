"""`paribus status` while a study trains: from the progress file, which may be old, absent or broken."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paribus.cli.training_now import SILENT_S, TrainingNow
from paribus.spec.study import load
from paribus.store.live import LIVE
from paribus.store.workspace import Workspace
from tests.cli.conftest import registered

Paribus = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, mini: Path) -> Write:
    """Writes the progress file of a workspace in which `mini` trains; a keyword takes the place of a part."""
    folder = tmp_path / "w"
    with Workspace.open(folder, create=True, write=True) as workspace:
        runs = registered(workspace, load(mini))
        study = workspace.study("mini")
    content = {
        "study": study.id,
        "name": "mini",
        "at": time.time(),
        "progress": {"runs": 4, "runs_done": 1, "share": 0.456, "remaining_s": 200.0},
        "cohorts": {
            "total": 3,
            "begun": [
                {"arms": ["fixed", "fixed"], "epoch": 3, "epochs": 3, "state": "done", "remaining_s": 0.0},
                {
                    "arms": ["steps", "steps", "fixed"],
                    "epoch": 2,
                    "epochs": 3,
                    "state": "training",
                    "remaining_s": 66.0,
                },
            ],
        },
        "runs": {runs["steps", 0]: {"epoch": 2, "metrics": {}}},
    }

    def written(**changes: Any) -> Path:
        (folder / LIVE).write_text(json.dumps({**content, **changes}), encoding="ascii")
        return folder

    return written


def test_status_says_what_trains_how_far_and_how_long(paribus: Paribus, write: Write) -> None:
    folder = write()
    for argv in (("status",), ("status", "mini")):
        lines = paribus(*argv, "--workspace", folder).out.splitlines()
        assert lines[0] == "training now: mini, 1/4 runs done, 45 %, about 3 min 20 s left"
        assert lines[2].split() == ["2/3", "1", "min", "06", "s", "steps,", "fixed"]
    (study,) = json.loads(paribus("status", "--json", "--workspace", folder).out)
    assert (study["epochs_done"], study["training"]["share"], study["training"]["remaining_s"]) == (2, 0.456, 200.0)
    runs = json.loads(paribus("status", "mini", "--json", "--workspace", folder).out)
    assert [run["epochs_done"] for run in runs if run["arm"] == "steps"] == [2, 0]


def test_what_is_not_known_yet_is_not_said(paribus: Paribus, write: Write) -> None:
    folder = write(progress={"runs": 4, "runs_done": 0, "share": 0.0, "remaining_s": None})
    assert paribus("status", "--workspace", folder).out.startswith("training now: mini, 0/4 runs done, 0 %\n")


def test_training_that_is_silent_may_have_ended(paribus: Paribus, write: Write) -> None:
    folder = write(at=time.time() - 2 * SILENT_S)
    out = " ".join(paribus("status", "--workspace", folder).out.split())
    assert "last sign of life is 2 min 00 s old: if its process has ended, the same `paribus run` resumes it" in out
    (study,) = json.loads(paribus("status", "--json", "--workspace", folder).out)
    assert study["epochs_done"] == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"progress": None},
        {"progress": {}},
        {"progress": {"runs": "many", "runs_done": 0, "share": 0.0, "remaining_s": None}},
        {"at": None},
        {"at": "yesterday"},
        {"cohorts": []},
        {"cohorts": {"begun": [7]}},
        {"runs": [1]},
        {"runs": {"x": {}}},
    ],
)
def test_a_broken_file_is_no_file(paribus: Paribus, write: Write, broken: dict[str, Any]) -> None:
    folder = write(**broken)
    assert TrainingNow.read(folder) is None
    result = paribus("status", "--workspace", folder)
    assert result.code == 0
    assert result.out.startswith("study")
