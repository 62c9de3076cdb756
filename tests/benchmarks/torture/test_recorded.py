"""The torture test notices every difference between two workspaces."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from benchmarks.torture import recorded
from paribus.store.records import Measurement, NewRun, Outcome, Progress, Selected
from paribus.store.workspace import Workspace

RUN = "a" * 32
STARTED = "2026-01-02T03:00:00+00:00"


def progress(workspace, epochs, losses):
    state = workspace.tensors.put({"w": np.full(3, epochs, np.float32)})
    curves = {"train_loss": np.array(losses)}
    workspace.save_progress([Progress(RUN, epochs, state, {"steps": epochs}, curves, [], STARTED)])


@pytest.fixture
def workspace(tmp_path):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as opened:
        opened.register_study("5" * 32, "small", "", {("only", 0): NewRun(RUN, "{}", {}, {})}, ["claim"])
        yield opened


@pytest.fixture
def ended(workspace):
    weights = workspace.tensors.put({"w": np.ones(3, np.float32)})
    workspace.finish([
        Outcome(
            run_id=RUN,
            state="done",
            epochs_done=2,
            curves={"train_loss": np.array([2.0, 1.0])},
            selections=[Selected("last", 2, None, weights)],
            snapshots=[],
            measurements=[Measurement("last", "mse", 4.0)],
            artifacts=[],
            test_reads=[],
            started_at=STARTED,
        )
    ])  # fmt: skip
    workspace.close()
    return workspace.path


def changed(folder, statement):
    with closing(sqlite3.connect(folder / "workspace.sqlite")) as database, database:
        guards = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in guards:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)


def test_equal_workspaces_differ_in_nothing(ended, tmp_path):
    shutil.copytree(ended, tmp_path / "copy")
    found = recorded.results(ended)
    assert recorded.differing(found, recorded.results(tmp_path / "copy")) == 0
    kinds = {"studies", "claims", "runs", "members", "curves", "selections", "measurements", "file"}
    assert {kind for kind, _ in found} == kinds


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE measurements SET value = 5",
        "UPDATE runs SET epochs_done = 3",
        "UPDATE runs SET environment = '{}  '",
        "DELETE FROM selections",
        "INSERT INTO later VALUES (1, 'a', '', 'new', 1, NULL, 'why', '2026', '{}', '')",
        'UPDATE curves SET "values" = zeroblob(16)',
        "UPDATE members SET arm = 'other'",
    ],
)
def test_every_change_of_a_row_is_one_difference(ended, statement):
    before = recorded.results(ended)
    changed(ended, statement)
    assert recorded.differing(recorded.results(ended), before) == 1


def test_times_are_no_results(ended):
    before = recorded.results(ended)
    changed(ended, "UPDATE runs SET started_at = '1999-01-01', finished_at = '1999-01-01'")
    changed(ended, "UPDATE claims SET registered_at = '1999-01-01'")
    changed(ended, "UPDATE studies SET registered_at = '1999-01-01'")
    assert recorded.differing(recorded.results(ended), before) == 0


@pytest.mark.parametrize("damage", ["flip", "remove", "add"])
def test_every_byte_of_every_file_counts(ended, damage):
    before = recorded.results(ended)
    (file,) = (ended / "tensors").iterdir()
    if damage == "flip":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "remove":
        file.unlink()
    else:
        (ended / "tensors" / ".left.tmp").write_bytes(b"")
    assert recorded.differing(recorded.results(ended), before) == 1


def test_epochs_that_go_back_or_change_are_lost_epochs(workspace):
    progress(workspace, 3, [3.0, 2.0, 1.0])
    whole = recorded.run_progress(workspace.path)
    assert recorded.epochs_lost(whole, whole, whole) == 0
    assert recorded.epochs_lost(recorded.NO_PROGRESS, recorded.NO_PROGRESS, whole) == 0
    assert recorded.epochs_lost(whole, recorded.NO_PROGRESS, whole) == 3
    progress(workspace, 2, [3.0, 2.0])
    assert recorded.epochs_lost(whole, recorded.run_progress(workspace.path), whole) == 1
    assert recorded.epochs_lost(recorded.NO_PROGRESS, recorded.run_progress(workspace.path), whole) == 0
    progress(workspace, 3, [3.0, 2.0, 1.5])
    assert recorded.epochs_lost(whole, recorded.run_progress(workspace.path), whole) == 1


def test_a_copy_has_the_log_too_and_changes_nothing(workspace, tmp_path):
    progress(workspace, 1, [3.0])
    before = {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()}
    copy = recorded.copied(workspace.path, tmp_path / "copy")
    assert recorded.run_progress(copy).epochs == {RUN: 1}
    assert {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()} == before
    assert recorded.copied(tmp_path / "nothing", copy) == copy
    assert recorded.run_progress(copy) is recorded.NO_PROGRESS
