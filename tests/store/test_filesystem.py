"""Workspaces on file systems that several machines share: no write-ahead log, and the same guarantees."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, UserError
from paribus.store import disk, filesystem
from paribus.store.database import _BUSY_TIMEOUT_S
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
28 27 0:40 / /home rw,relatime shared:2 - autofs systemd-1 rw
41 28 0:41 / /home rw,relatime shared:3 master:1 - nfs4 server:/home rw,vers=4.2
42 41 0:42 / /home/me/my\040disk\134\011x rw - xfs /dev/sdb1 rw
43 27 0:43 / /homes rw - lustre /x rw
44 27 0:44 / /mnt/s3 rw,nosuid - fuse.s3fs s3fs rw
45 27 0:45 / /mnt/größer rw - cifs //server/share rw
46 27 0:46 / /mnt/usb rw - fuseblk /dev/sdc1 rw
47 27 0:47 / /mnt/odd rw - fuse /dev/fuse rw
not a line of mountinfo
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr(filesystem, "MOUNTS", path)
    return path


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file system counts as one that several machines share."""
    monkeypatch.setattr(filesystem, "is_shared", lambda _: True)


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize(
    ("folder", "kind", "is_shared"),
    [
        ("/srv/workspace", "ext4", False),
        ("/", "ext4", False),
        ("/home/you/paribus-workspace", "nfs4", True),
        ("/home", "nfs4", True),
        ("/home/me/my disk\\\tx/workspace", "xfs", False),
        ("/home/me/my disk/workspace", "nfs4", True),
        ("/homes/me", "lustre", True),
        ("/homesick", "ext4", False),
        ("/mnt/s3/bucket", "fuse.s3fs", True),
        ("/mnt/größer/x", "cifs", True),
        ("/mnt/usb/x", "fuseblk", False),
        ("/mnt/odd/x", "fuse", True),
    ],
)
def test_the_longest_mount_point_decides_and_of_equal_ones_the_last(folder: str, kind: str, is_shared: bool) -> None:
    assert filesystem.kind_of(Path(folder)) == kind
    assert filesystem.is_shared(Path(folder)) == is_shared


@pytest.mark.skipif(shutil.which("findmnt") is None, reason="no findmnt on this machine")
def test_the_type_is_what_another_program_says_of_this_machine(tmp_path: Path) -> None:
    for folder in (tmp_path, Path("/dev/shm"), Path("/proc")):
        found = subprocess.run(
            ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", folder],
            capture_output=True,
            text=True,
            check=True,
        )
        assert filesystem.kind_of(folder) == found.stdout.split()[-1]


def test_a_link_is_followed(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/homes/me")
    assert filesystem.kind_of(tmp_path / "link" / "workspace") == "lustre"


def test_without_a_list_of_mounts_a_file_system_counts_as_local(mounts: Path) -> None:
    mounts.unlink()
    assert filesystem.kind_of(Path("/home/you")) == ""
    assert not filesystem.is_shared(Path("/home/you"))


@pytest.mark.usefixtures("shared")
def test_there_a_writer_uses_the_rollback_journal_and_syncs_also_its_end(sequence: ModuleType, tmp_path: Path) -> None:
    with Workspace.open(tmp_path, create=True, write=True) as ws:
        sequence.register(ws)
        for setting, value in (("journal_mode", "delete"), ("synchronous", 3), ("locking_mode", "normal")):
            assert ws._database.rows(f"PRAGMA {setting}") == [(value,)]
        assert {path.name for path in tmp_path.iterdir()} == {"workspace.sqlite", "tensors", "lock"}
        with Workspace.open(tmp_path) as reader:
            sequence.first_checkpoint(ws)
            assert reader.run(sequence.A).epochs_done == 1


@pytest.fixture
def states(sequence: ModuleType, quick_path: Path, shared: None) -> list[str]:
    """What can be read after each step."""
    folder = quick_path / "undisturbed"
    found = [json.dumps(sequence.contents(folder))]
    for step in sequence.STEPS:
        with Workspace.open(folder, create=True, write=True) as ws:
            step(ws)
        found.append(json.dumps(sequence.contents(folder)))
    return found


def test_there_a_workspace_holds_the_same(sequence: ModuleType, states: list[str], complete: Path) -> None:
    assert json.dumps(sequence.contents(complete)) == states[-1]
    assert verify(complete).problems == ()


def test_there_a_writer_killed_at_any_write_point_leaves_old_or_new(
    sequence: ModuleType, other_process, states: list[str], quick_path: Path, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    assert other_process("run", tmp_path / "counted", fault=f"count@{count}", shared=True).wait() == 0
    points = count.read_text().splitlines()
    assert not [point for point in points if "WAL" in point]
    folders = [quick_path / f"killed-{number}" for number in range(1, len(points) + 2)]
    process = other_process("kill", *folders, shared=True)
    output, message = process.communicate(timeout=60)
    assert process.returncode == 0, message
    assert json.loads(output) == [-signal.SIGKILL] * len(points) + [0]
    done: list[int] = []
    for folder in folders:
        if (folder / "workspace.sqlite").exists():
            assert verify(folder).problems == ()
        done.append(states.index(json.dumps(sequence.contents(folder))))
    assert done == sorted(done)
    assert set(done) == set(range(len(states)))
    for folder, steps in zip(folders[::3], done[::3], strict=True):
        sequence.resume(folder, steps)
        assert json.dumps(sequence.contents(folder)) == states[-1]


@pytest.mark.usefixtures("shared")
def test_a_writer_killed_amid_a_commit_leaves_what_was_before(
    sequence: ModuleType, complete: Path, other_process
) -> None:
    """Half of the change is in the file: readers undo it in a copy, the next writer in the file."""
    held, intact = sequence.contents(complete), (complete / "workspace.sqlite").read_bytes()
    holder = other_process("spill", complete, shared=True)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    assert (complete / "workspace.sqlite").read_bytes()[: len(intact)] != intact
    before = {path: path.read_bytes() for path in complete.iterdir() if path.is_file()}
    assert "workspace.sqlite-journal" in {path.name for path in before}
    assert sequence.contents(complete) == held
    assert verify(complete).problems == ()
    assert {path: path.read_bytes() for path in complete.iterdir() if path.is_file()} == before
    with Workspace.open(complete, write=True) as ws:
        ws.finish([sequence.outcome(sequence.B, ws.tensors)])
    assert sequence.contents(complete)["runs"][sequence.A] == held["runs"][sequence.A]
    assert verify(complete).problems == ()
    assert not (complete / "workspace.sqlite-journal").exists()


def test_a_log_that_came_from_a_local_disk_is_read_and_then_merged(
    sequence: ModuleType, complete: Path, other_process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace whose writer was killed is copied to a shared file system, log and all."""
    holder = other_process("wait", complete)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    copy = complete.with_name("copy")
    shutil.copytree(complete, copy)
    (copy / "workspace.sqlite-shm").unlink()
    held = sequence.contents(complete)
    assert held["runs"][sequence.B]["run"]["epochs_done"] == 3
    monkeypatch.setattr(filesystem, "is_shared", lambda _: True)
    before = sorted(path.name for path in copy.iterdir())
    assert sequence.contents(copy) == held
    assert verify(copy).problems == ()
    assert sorted(path.name for path in copy.iterdir()) == before
    with Workspace.open(copy, write=True) as ws:
        assert {path.name for path in copy.iterdir()} == {"workspace.sqlite", "tensors", "lock"}
        assert sequence.contents(copy) == held
        ws.finish([sequence.outcome(sequence.B, ws.tensors)])
    assert verify(copy).problems == ()


@pytest.mark.usefixtures("shared")
def test_a_writer_waits_for_readers_and_says_so_when_they_hold_too_long(complete: Path) -> None:
    assert _BUSY_TIMEOUT_S >= 10
    with Workspace.open(complete, write=True) as ws, Workspace.open(complete) as reader:
        ws._database.rows("PRAGMA busy_timeout = 10")
        with reader.reading():
            reader.studies()
            with pytest.raises(UserError, match="database in use by another program") as refusal:
                ws.register_study("8" * 32, "late", "", {})
        ws.register_study("8" * 32, "late", "", {})
        assert refusal.value.exit_code == Exit.FAILURE
        assert reader.study("late").id == "8" * 32


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused_in_one_line_and_left_alone(
    sequence: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def flock(*_) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(
        UserError, match=r"cannot lock files .*; choose a folder on a local disk with --workspace"
    ) as error:
        sequence.run_all(tmp_path / "workspace")
    assert str(tmp_path / "workspace") in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == Exit.USER_MISTAKE
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_answered_as_forbidden_is_held_by_another(
    tmp_path: Path, sequence: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "lock").write_text("12\n")
    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match="workspace in use by process 12;"):
        sequence.run_all(tmp_path)


def test_folders_that_cannot_be_synced_are_let_pass_and_files_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "fsync", fsync)
    disk.sync(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        disk.sync(tmp_path / "file")
