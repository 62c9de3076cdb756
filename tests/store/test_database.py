from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from paribus.errors import Exit, StorageError, UserError
from paribus.store.refusals import told
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture
def public(lived: Path) -> Iterator[Path]:
    """A lived workspace that any user of the machine may read."""
    with tempfile.TemporaryDirectory(prefix="paribus-test-") as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "workspace"
        shutil.copytree(lived, folder)
        yield folder
        folder.chmod(0o755)


def lock_up(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


def crashed(folder: Path, other_process) -> Path:
    """A workspace whose writer was killed: the last rows are in the log beside the database only."""
    holder = other_process("pause", folder)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    return folder


@pytest.mark.parametrize("write", [False, True])
def test_other_folders_are_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    for name in ("absent", "empty", "foreign", "file", "other-database"):
        (tmp_path / "foreign").mkdir(exist_ok=True)
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "foreign" / "thesis.tex").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "other-database").mkdir(exist_ok=True)
        connection = sqlite3.connect(tmp_path / "other-database" / "workspace.sqlite")
        connection.execute("CREATE TABLE IF NOT EXISTS mine (x)")
        connection.close()
        before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
        with pytest.raises(UserError, match="must be a paribus workspace") as refusal:
            Workspace.open(tmp_path / name, write=write)
        assert str(tmp_path / name) in str(refusal.value)
        assert refusal.value.exit_code == Exit.USER_MISTAKE
        if name in ("foreign", "file", "other-database"):
            with pytest.raises(UserError, match="must be a paribus workspace"):
                Workspace.open(tmp_path / name, create=True, write=write)
        after = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*") if path.name != "lock"}
        assert after == before


def test_an_empty_folder_becomes_a_workspace(life: ModuleType, tmp_path: Path) -> None:
    life.live(tmp_path)
    assert (tmp_path / "workspace.sqlite").exists()


def test_names_that_trouble_addresses_are_just_names(life: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "größer? 100% #1 'a' & b"
    life.live(folder)
    assert life.contents(folder)["studies"] == ["small"]


def test_a_relative_path_will_do(life: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    life.live(Path("workspace"))
    assert life.contents(tmp_path / "workspace") == life.contents(Path("workspace"))


def test_at_rest_there_is_no_log_and_reading_creates_nothing(life: ModuleType, lived: Path) -> None:
    names = {path.name for path in lived.iterdir()}
    assert names == {"workspace.sqlite", "tensors", "lock"}
    with Workspace.open(lived) as ws:
        ws.studies()
        assert {path.name for path in lived.iterdir()} == names
    life.contents(lived)
    verify(lived)
    assert {path.name for path in lived.iterdir()} == names


def test_a_writer_logs_ahead_and_syncs_every_commit(life: ModuleType, tmp_path: Path) -> None:
    with Workspace.open(tmp_path, create=True, write=True) as ws:
        life._begin(ws)
        for setting, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert ws._database.rows(f"PRAGMA {setting}") == [(value,)]


def test_a_folder_without_write_permission_can_be_read(life: ModuleType, public: Path, ordinary_user) -> None:
    expected = life.contents(public)
    lock_up(public)
    with ordinary_user():
        assert life.contents(public) == expected
        assert verify(public).problems == ()
        with pytest.raises(UserError, match="give yourself the right") as refusal:
            Workspace.open(public, write=True)
    assert str(public) in str(refusal.value)
    assert refusal.value.exit_code == Exit.USER_MISTAKE


def test_after_a_crash_a_folder_without_write_permission_can_be_read_whole(
    life: ModuleType, public: Path, ordinary_user, other_process
) -> None:
    before = life.contents(public)
    expected = life.contents(crashed(public, other_process))
    assert expected != before
    assert (public / "workspace.sqlite-wal").exists()
    lock_up(public)
    for shared in (True, False):
        if not shared:
            (public / "workspace.sqlite-shm").unlink(missing_ok=True)
        before = sorted(public.iterdir())
        with ordinary_user():
            assert life.contents(public) == expected
        assert sorted(public.iterdir()) == before


def test_a_folder_without_read_permission_is_refused(public: Path, ordinary_user) -> None:
    (public / "workspace.sqlite").chmod(0)
    with ordinary_user(), pytest.raises(UserError, match="must be open to you"):
        Workspace.open(public)
    public.chmod(0)
    with ordinary_user(), pytest.raises(UserError, match="must be open to you"):
        Workspace.open(public)


def test_a_workspace_cannot_be_made_where_one_may_not_write(life: ModuleType, public: Path, ordinary_user) -> None:
    with ordinary_user(), pytest.raises(UserError, match="must be open to you"):
        life.live(public.parent / "new")
    assert not (public.parent / "new").exists()


def test_a_copy_made_file_by_file_holds_the_same(life: ModuleType, public: Path, lived: Path, other_process) -> None:
    before = life.contents(public)
    expected = life.contents(crashed(public, other_process))
    assert expected != before
    copy = public.parent / "copy"
    shutil.copytree(public, copy)
    assert life.contents(copy) == expected
    assert verify(copy).problems == ()
    life.resume(copy, len(life.STEPS))
    assert life.contents(copy) == expected


def look_around(folder: Path, *, write: bool) -> None:
    with Workspace.open(folder, write=write) as ws:
        for study in ws.studies():
            ws.runs_of(study.id)


@pytest.mark.parametrize("damage", ["empty", "torn", "noise", "header"])
@pytest.mark.parametrize("write", [False, True])
def test_a_damaged_database_is_named_in_one_line(lived: Path, damage: str, write: bool) -> None:
    file = lived / "workspace.sqlite"
    content = file.read_bytes()
    torn = {"empty": b"", "torn": content[:5000], "noise": b"\xa5" * 8192, "header": b"X" + content[1:]}
    file.write_bytes(torn[damage])
    with pytest.raises(StorageError, match="must be as it was written") as error:
        look_around(lived, write=write)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == Exit.FAILURE


def test_a_disk_that_is_full_for_the_database_is_one_line_and_changes_nothing(life: ModuleType, lived: Path) -> None:
    before = life.contents(lived)
    with Workspace.open(lived, write=True) as ws:
        ws._database.rows("PRAGMA max_page_count = 1")  # as if the disk had no room for another page
        with pytest.raises(StorageError, match="no space left on the disk"):
            ws.save_progress([life.progress(life.B, 100_000, ws.tensors)])
        assert life.contents(lived) == before
    assert life.contents(lived) == before


def test_changes_are_made_in_transactions_only(life: ModuleType, lived: Path) -> None:
    with Workspace.open(lived, write=True) as ws, pytest.raises(RuntimeError, match="in a transaction"):
        ws._database.change("DELETE FROM studies")


def test_no_room_for_another_file_is_told_from_no_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says the same of both."""
    refused = sqlite3.OperationalError("unable to open database file")
    refused.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    for disk, said in (
        (SimpleNamespace(f_bavail=9, f_files=9, f_favail=9), "must be open to you"),
        (SimpleNamespace(f_bavail=9, f_files=0, f_favail=0), "must be open to you"),
        (SimpleNamespace(f_bavail=0, f_files=9, f_favail=9), "no space left on the disk"),
        (SimpleNamespace(f_bavail=9, f_files=9, f_favail=0), "no space left on the disk"),
    ):
        monkeypatch.setattr(os, "statvfs", lambda _, disk=disk: disk)
        with pytest.raises(UserError, match=said), told(tmp_path / "workspace.sqlite"):
            raise refused
