from __future__ import annotations

import os
import signal
from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, UserError
from paribus.store.locking import WriterLock
from paribus.store.workspace import Workspace


def test_a_second_writer_is_refused_and_the_first_one_named(complete: Path, other_process) -> None:
    holder = other_process("hold", complete)
    assert holder.stdout.readline() == "ready\n"
    with pytest.raises(UserError, match=f"workspace in use by process {holder.pid};") as refusal:
        Workspace.open(complete, write=True)
    assert str(complete) in str(refusal.value)
    assert refusal.value.exit_code == Exit.USER_MISTAKE
    holder.communicate("\n")
    assert holder.returncode == 0
    Workspace.open(complete, write=True).close()


def test_readers_are_never_blocked_and_see_what_was_committed(
    sequence: ModuleType, complete: Path, other_process
) -> None:
    before = sequence.contents(complete)
    holder = other_process("hold", complete)
    assert holder.stdout.readline() == "ready\n"
    assert sequence.contents(complete) == before
    holder.kill()
    holder.wait()
    assert sequence.contents(complete) == before


def test_a_killed_writer_locks_nobody_out_and_leaves_no_half_change(
    sequence: ModuleType, complete: Path, other_process
) -> None:
    before = sequence.contents(complete)
    holder = other_process("hold", complete)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    with Workspace.open(complete, write=True) as ws:
        ws.finish([sequence.outcome(sequence.B, ws.tensors)])
    after = sequence.contents(complete)
    assert after["runs"][sequence.A] == before["runs"][sequence.A]
    assert after["runs"][sequence.B]["run"]["state"] == "done"


def test_of_two_that_create_one_workspace_one_is_refused(sequence: ModuleType, tmp_path: Path) -> None:
    first = Workspace.open(tmp_path / "workspace", create=True, write=True)
    second = Workspace.open(tmp_path / "workspace", create=True, write=True)
    sequence.register(first)
    with pytest.raises(UserError, match=f"process {os.getpid()}"):
        sequence.register(second)
    second.close()
    sequence.first_checkpoint(first)
    first.close()
    with Workspace.open(tmp_path / "workspace", write=True) as ws:
        assert ws.run(sequence.A).epochs_done == 1


def test_one_that_was_created_meanwhile_is_taken_as_it_is(sequence: ModuleType, tmp_path: Path) -> None:
    late = Workspace.open(tmp_path / "workspace", create=True, write=True)
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as first:
        sequence.register(first)
        sequence.first_checkpoint(first)
    sequence.register(late)
    sequence.second_checkpoint(late)
    assert late.run(sequence.A).epochs_done == 2
    late.close()


def test_a_lock_that_was_copied_or_left_over_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\nand more than a process id")
    lock = WriterLock.take(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()
