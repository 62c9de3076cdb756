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
from paribus.store.refusals import translated_errors
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture
def public(complete: Path) -> Iterator[Path]:
    """A complete workspace that any user of the machine may read."""
    with tempfile.TemporaryDirectory(prefix="paribus-test-") as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "workspace"
        shutil.copytree(complete, folder)
        yield folder
        folder.chmod(0o755)


def lock_up(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


def killed_writer(folder: Path, other_process) -> Path:
    """A workspace whose writer was killed: the last rows are in the log beside the database only."""
    holder = other_process("wait", folder)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    return folder


@pytest.mark.parametrize("write", [False, True])
def test_other_folders_are_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    for name in ("absent", "empty", "other", "file", "other-database"):
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "other" / "thesis.tex").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "other-database").mkdir(exist_ok=True)
        connection = sqlite3.connect(tmp_path / "other-database" / "workspace.sqlite")
        connection.execute("CREATE TABLE IF NOT EXISTS mine (x)")
        connection.close()
        before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
        with pytest.raises(UserError, match="not a paribus workspace") as refusal:
            Workspace.open(tmp_path / name, write=write)
        assert str(tmp_path / name) in str(refusal.value)
        assert refusal.value.exit_code == Exit.USER_MISTAKE
        if name in ("other", "file", "other-database"):
            with pytest.raises(UserError, match="not a paribus workspace"):
                Workspace.open(tmp_path / name, create=True, write=write)
        after = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*") if path.name != "lock"}
        assert after == before


def test_an_empty_folder_becomes_a_workspace(sequence: ModuleType, tmp_path: Path) -> None:
    sequence.run_all(tmp_path)
    assert (tmp_path / "workspace.sqlite").exists()


def test_names_that_trouble_addresses_are_just_names(sequence: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "größer? 100% #1 'a' & b"
    sequence.run_all(folder)
    assert sequence.contents(folder)["studies"] == ["small"]


def test_a_relative_path_will_do(sequence: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sequence.run_all(Path("workspace"))
    assert sequence.contents(tmp_path / "workspace") == sequence.contents(Path("workspace"))


def test_at_rest_there_is_no_log_and_reading_creates_nothing(sequence: ModuleType, complete: Path) -> None:
    names = {path.name for path in complete.iterdir()}
    assert names == {"workspace.sqlite", "tensors", "lock"}
    with Workspace.open(complete) as ws:
        ws.studies()
        assert {path.name for path in complete.iterdir()} == names
    sequence.contents(complete)
    verify(complete)
    assert {path.name for path in complete.iterdir()} == names


def test_a_writer_logs_ahead_and_syncs_every_commit(sequence: ModuleType, tmp_path: Path) -> None:
    with Workspace.open(tmp_path, create=True, write=True) as ws:
        sequence.register(ws)
        for setting, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert ws._database.rows(f"PRAGMA {setting}") == [(value,)]


def test_a_folder_without_write_permission_can_be_read(sequence: ModuleType, public: Path, ordinary_user) -> None:
    expected = sequence.contents(public)
    lock_up(public)
    with ordinary_user():
        assert sequence.contents(public) == expected
        assert verify(public).problems == ()
        with pytest.raises(UserError, match=r"permission denied|cannot be written") as refusal:
            Workspace.open(public, write=True)
    assert str(public) in str(refusal.value)
    assert refusal.value.exit_code == Exit.USER_MISTAKE


def test_after_a_crash_a_folder_without_write_permission_can_be_read_whole(
    sequence: ModuleType, public: Path, ordinary_user, other_process
) -> None:
    before = sequence.contents(public)
    expected = sequence.contents(killed_writer(public, other_process))
    assert expected != before
    assert (public / "workspace.sqlite-wal").exists()
    lock_up(public)
    for shared in (True, False):
        if not shared:
            (public / "workspace.sqlite-shm").unlink(missing_ok=True)
        before = sorted(public.iterdir())
        with ordinary_user():
            assert sequence.contents(public) == expected
        assert sorted(public.iterdir()) == before


def test_a_folder_without_read_permission_is_refused(public: Path, ordinary_user) -> None:
    (public / "workspace.sqlite").chmod(0)
    with ordinary_user(), pytest.raises(UserError, match="permission denied"):
        Workspace.open(public)
    public.chmod(0)
    with ordinary_user(), pytest.raises(UserError, match="permission denied"):
        Workspace.open(public)


def test_a_workspace_cannot_be_made_where_one_may_not_write(sequence: ModuleType, public: Path, ordinary_user) -> None:
    with ordinary_user(), pytest.raises(UserError, match="permission denied"):
        sequence.run_all(public.parent / "new")
    assert not (public.parent / "new").exists()


def test_a_copy_made_file_by_file_holds_the_same(
    sequence: ModuleType, public: Path, complete: Path, other_process
) -> None:
    before = sequence.contents(public)
    expected = sequence.contents(killed_writer(public, other_process))
    assert expected != before
    copy = public.parent / "copy"
    shutil.copytree(public, copy)
    assert sequence.contents(copy) == expected
    assert verify(copy).problems == ()
    sequence.resume(copy, len(sequence.STEPS))
    assert sequence.contents(copy) == expected


def look_around(folder: Path, *, write: bool) -> None:
    with Workspace.open(folder, write=write) as ws:
        for study in ws.studies():
            ws.runs_of(study.id)


@pytest.mark.parametrize("damage", ["empty", "torn", "noise", "header"])
@pytest.mark.parametrize("write", [False, True])
def test_a_damaged_database_is_named_in_one_line(complete: Path, damage: str, write: bool) -> None:
    file = complete / "workspace.sqlite"
    content = file.read_bytes()
    torn = {"empty": b"", "torn": content[:5000], "noise": b"\xa5" * 8192, "header": b"X" + content[1:]}
    file.write_bytes(torn[damage])
    with pytest.raises(StorageError, match=r"workspace\.sqlite: damaged ") as error:
        look_around(complete, write=write)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == Exit.FAILURE


def test_a_disk_that_is_full_for_the_database_is_one_line_and_changes_nothing(
    sequence: ModuleType, complete: Path
) -> None:
    before = sequence.contents(complete)
    with Workspace.open(complete, write=True) as ws:
        ws._database.rows("PRAGMA max_page_count = 1")  # as if the disk had no room for another page
        with pytest.raises(StorageError, match="no space left on the disk"):
            ws.save_progress([sequence.progress(sequence.B, 100_000, ws.tensors)])
        assert sequence.contents(complete) == before
    assert sequence.contents(complete) == before


def test_changes_are_made_in_transactions_only(sequence: ModuleType, complete: Path) -> None:
    with Workspace.open(complete, write=True) as ws, pytest.raises(RuntimeError, match="in a transaction"):
        ws._database.change("DELETE FROM studies")


@pytest.mark.parametrize(
    ("code", "otherwise"), [(sqlite3.SQLITE_CANTOPEN, "permission denied"), (sqlite3.SQLITE_IOERR, "the disk failed")]
)
def test_a_full_disk_is_told_from_other_failures(
    code: int, otherwise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one error code for both: CANTOPEN with a missing permission, IOERR, in memory, with a failing disk."""
    refused = sqlite3.OperationalError("unable to open database file")
    refused.sqlite_errorcode = code
    for disk, message in (
        (SimpleNamespace(f_bavail=9, f_files=9, f_favail=9), otherwise),
        (SimpleNamespace(f_bavail=9, f_files=0, f_favail=0), otherwise),
        (SimpleNamespace(f_bavail=0, f_files=9, f_favail=9), "no space left on the disk"),
        (SimpleNamespace(f_bavail=9, f_files=9, f_favail=0), "no space left on the disk"),
    ):
        monkeypatch.setattr(os, "statvfs", lambda _, disk=disk: disk)
        with pytest.raises(UserError, match=message), translated_errors(tmp_path / "workspace.sqlite"):
            raise refused
