from __future__ import annotations

import os
import signal
from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, UserError
from paribus.store.locking import WriterLock
from paribus.store.workspace import Workspace


def test_a_second_writer_is_told_who_the_first_is(lived: Path, other_process) -> None:
    holder = other_process("hold", lived)
    assert holder.stdout.readline() == "ready\n"
    with pytest.raises(UserError, match=f"another writer, process {holder.pid};") as refusal:
        Workspace.open(lived, write=True)
    assert str(lived) in str(refusal.value)
    assert refusal.value.exit_code == Exit.USER_MISTAKE
    holder.communicate("\n")
    assert holder.returncode == 0
    Workspace.open(lived, write=True).close()


def test_readers_are_never_blocked_and_see_what_was_committed(life: ModuleType, lived: Path, other_process) -> None:
    before = life.contents(lived)
    holder = other_process("hold", lived)
    assert holder.stdout.readline() == "ready\n"
    assert life.contents(lived) == before
    holder.kill()
    holder.wait()
    assert life.contents(lived) == before


def test_a_killed_writer_locks_nobody_out_and_leaves_no_half_change(
    life: ModuleType, lived: Path, other_process
) -> None:
    before = life.contents(lived)
    holder = other_process("hold", lived)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    with Workspace.open(lived, write=True) as ws:
        ws.finish([life.outcome(life.B, ws.tensors)])
    after = life.contents(lived)
    assert after["runs"][life.A] == before["runs"][life.A]
    assert after["runs"][life.B]["run"]["state"] == "done"


def test_of_two_that_create_one_workspace_one_is_refused(life: ModuleType, tmp_path: Path) -> None:
    first = Workspace.open(tmp_path / "workspace", create=True, write=True)
    second = Workspace.open(tmp_path / "workspace", create=True, write=True)
    life._begin(first)
    with pytest.raises(UserError, match=f"process {os.getpid()}"):
        life._begin(second)
    second.close()
    life._first(first)
    first.close()
    with Workspace.open(tmp_path / "workspace", write=True) as ws:
        assert ws.run(life.A).epochs_done == 1


def test_one_that_was_created_meanwhile_is_taken_as_it_is(life: ModuleType, tmp_path: Path) -> None:
    late = Workspace.open(tmp_path / "workspace", create=True, write=True)
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as first:
        life._begin(first)
        life._first(first)
    life._begin(late)
    life._second(late)
    assert late.run(life.A).epochs_done == 2
    late.close()


def test_a_lock_that_was_copied_or_left_over_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\nand more than a process id")
    lock = WriterLock.take(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()
