"""A small search on small images, and what is recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paribus.searching.driver import PreparedSearch, prepare_search, run_search
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from tests.execution.conftest import save_digits

TEXT = """
name = "find"
question = "Which rate?"
replicates = 2
data = { source = "digits.npz", split = "given" }
network = { hidden = [8], activation = "tanh" }
optimizer = { kind = "sgd", lr = 0.1 }
training = { epochs = 12, batch_size = 16 }
selection = { rules = ["min-val-loss"] }
test = { read_at = ["min-val-loss"] }

[search]
candidates = 8
batch = 4
objective = "min-val-loss"
halving = { grace = 2, factor = 2, replicates_from = 2 }
confirm = { finalists = 2, replicates = 3 }

[search.space]
"optimizer.kind" = { choice = ["sgd", "adam"] }
"optimizer.lr" = { log_uniform = [1e-3, 30] }
"optimizer.momentum" = { uniform = [0, 0.9], when = { "optimizer.kind" = "sgd" } }
"training.batch_size" = { choice = [8, 16] }
"""


def search(folder: Path, **changes: str) -> Study:
    return parse(TEXT, place="a search", overrides=changes, folder=folder)


def prepared(folder: Path, **changes: str) -> PreparedSearch:
    return prepare_search(search(folder, **changes), workers=2)


def searched(folder: Path, workspace: Workspace, display: Any = None, **changes: str) -> tuple[int, ...]:
    return run_search(prepared(folder, **changes), workspace, display)


def history(folder: Path, workspace: Workspace, **changes: str) -> dict[str, Any]:
    """Everything that a search has recorded, without times."""
    known = prepared(folder, **changes).id
    runs = {(arm, replicate): run for arm, replicate, run in workspace.runs_of(known)}
    return {
        "proposals": workspace.proposals(known),
        "assessments": workspace.assessments(known),
        "runs": {
            member: (
                run.id,
                run.state,
                run.epochs_done,
                {name: curve.tobytes() for name, curve in workspace.curves(run.id).items()},
                workspace.selections(run.id),
                workspace.measurements(run.id),
                workspace.artifacts(run.id),
                None if (progress := workspace.progress(run.id)) is None else progress.tensors,
            )
            for member, run in runs.items()
        },
    }


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    save_digits(folder)
    return folder


@pytest.fixture(scope="session")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The history of an uninterrupted search, with its finalists and the epochs that were trained."""
    with Workspace.open(tmp_path_factory.mktemp("whole") / "ws", create=True, write=True) as workspace:
        found = searched(data, workspace)
        used = workspace.usage([run.id for _, _, run in workspace.runs_of(prepared(data).id)])
        epochs = sum(one.model_epochs for one in used)
        return {"finalists": found, "epochs": epochs, **history(data, workspace)}
