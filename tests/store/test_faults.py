"""Wherever a process is killed, or the disk is full, a workspace holds the state before a step or after it."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, StorageError
from paribus.store import faults
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture(scope="module")
def states(sequence: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What can be read after each step of an undisturbed run of all steps."""
    folder = tmp_path_factory.mktemp("undisturbed") / "workspace"
    found = [json.dumps(sequence.contents(folder))]
    for step in sequence.STEPS:
        with Workspace.open(folder, create=True, write=True) as ws:
            step(ws)
        found.append(json.dumps(sequence.contents(folder)))
    return found


@pytest.fixture(scope="module")
def files(sequence: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("undisturbed") / "workspace"
    sequence.run_all(folder)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def points(other_process, tmp_path: Path) -> list[str]:
    """The write points of an undisturbed run of all steps, in order."""
    assert other_process("run", tmp_path / "counted", fault=f"count@{tmp_path / 'count'}").wait() == 0
    return (tmp_path / "count").read_text().splitlines()


@pytest.fixture
def total(points: list[str]) -> int:
    return len(points)


def test_bytes_are_durable_before_their_name_and_names_before_the_row(sequence: ModuleType, points: list[str]) -> None:
    unforced, unnamed, commits = False, False, 0
    for point in points:
        if point == "after write":
            unforced = True
        elif point == "after fsync":
            unforced = unnamed = False
        elif point == "before rename":
            assert not unforced
        elif point == "after rename":
            unnamed = True
        elif point == "before commit":
            assert not unforced
            assert not unnamed
            commits += 1
        elif point == "before unlink":
            assert commits > 2  # what the second progress replaced goes once the second is recorded
    assert commits == len(sequence.STEPS)


def assert_consistent(folder: Path, states: list[str], sequence: ModuleType) -> int:
    """Returns the number of steps that the workspace remembers."""
    if (folder / "workspace.sqlite").exists():
        assert verify(folder).problems == ()
    held = json.dumps(sequence.contents(folder))
    assert held in states
    return states.index(held)


def test_killed_at_every_write_point_a_workspace_is_old_or_new_and_goes_on(
    sequence: ModuleType, other_process, total: int, states: list[str], files: list[str], quick_path: Path
) -> None:
    folders = [quick_path / f"killed-{number}" for number in range(1, total + 2)]
    process = other_process("kill", *folders)
    output, message = process.communicate(timeout=60)
    assert process.returncode == 0, message
    assert json.loads(output) == [-signal.SIGKILL] * total + [0]

    remembered = [assert_consistent(folder, states, sequence) for folder in folders]
    assert remembered == sorted(remembered)
    assert set(remembered) == set(range(len(states)))
    for folder, done in zip(folders, remembered, strict=True):
        sequence.resume(folder, done)
        assert json.dumps(sequence.contents(folder)) == states[-1]
        checked = verify(folder)
        assert (checked.problems, checked.notes) == ((), ())
        assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == files


def refusal(sequence: ModuleType, folder: Path) -> StorageError | None:
    try:
        sequence.run_all(folder)
    except StorageError as error:
        return error
    return None


def test_a_full_disk_at_any_write_point_is_one_line_and_leaves_old_or_new(
    sequence: ModuleType, total: int, states: list[str], quick_path: Path
) -> None:
    silent = 0
    for number in range(1, total + 1):
        folder = quick_path / f"full-{number}"
        faults.inject(f"enospc@{number}")
        message = refusal(sequence, folder)
        faults.inject("")
        if message is None:
            silent += 1
        else:
            assert "no space left on the disk" in str(message)
            assert str(folder) in str(message)
            assert message.exit_code == Exit.FAILURE
        done = assert_consistent(folder, states, sequence)
        sequence.resume(folder, done)
        assert json.dumps(sequence.contents(folder)) == states[-1]
        assert verify(folder).notes == ()
        shutil.rmtree(folder)
    assert silent <= 2  # the two points of turning WAL off: all is recorded by then


def test_a_process_goes_on_after_a_full_disk(
    sequence: ModuleType, total: int, states: list[str], quick_path: Path
) -> None:
    """Once there is space, what failed can be tried again on the workspace that is open."""
    for number in range(1, total, 2):
        folder = quick_path / f"full-{number}"
        with Workspace.open(folder, create=True, write=True) as ws:
            faults.inject(f"enospc@{number}")
            for step, after in zip(sequence.STEPS, states[1:], strict=True):
                try:
                    step(ws)
                except StorageError:
                    if json.dumps(sequence.contents(folder)) != after:
                        step(ws)
            faults.inject("")
        assert json.dumps(sequence.contents(folder)) == states[-1]
        shutil.rmtree(folder)


def test_faults_come_from_the_environment(other_process, tmp_path: Path) -> None:
    counted = other_process("run", tmp_path / "a", fault=f"count@{tmp_path / 'points'}")
    killed = other_process("run", tmp_path / "b", fault="kill@30")
    full = other_process("run", tmp_path / "c", fault="enospc@30")
    assert (counted.wait(), killed.wait(), full.wait()) == (0, -signal.SIGKILL, 1)
    names = (tmp_path / "points").read_text().split("\n")
    assert {"before fsync", "after rename", "before commit", "after unlink", "after WAL on"} <= set(names)
    _, message = full.communicate()
    assert "no space left" in message


def test_a_process_can_be_asked_to_end_at_a_point() -> None:
    faults.inject("interrupt@2")
    faults.point("first")
    with pytest.raises(KeyboardInterrupt):
        faults.point("second")
    faults.point("third")
    faults.inject("")


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="kill@N"):
        faults.inject("explode@3")
