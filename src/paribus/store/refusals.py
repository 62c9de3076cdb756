"""What a workspace says when it cannot be read or written: one line each, with the remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from paribus.errors import Shown, StorageError, UserError, shown

COMPLETED = "a completed run is never changed"
"""The words with which the database itself refuses, too (see `schema`)."""

_SAFE = "what is recorded is safe: run the same command again afterwards"
_LISTED = "restore it from a backup; `paribus verify` lists everything that is damaged or missing"


class WorkspaceUserError(UserError):
    """A user's mistake about a workspace. The line states what is the case, a detail in parentheses, the remedy."""

    def __init__(self, rule: str, *, place: Path | str, remedy: str, detail: str = "") -> None:
        super().__init__(rule, given=Shown(detail), place=str(place), remedy=remedy)

    @property
    def problem(self) -> str:
        return f"{self.rule} ({shown(self.given)})" if self.given else self.rule


class WorkspaceStorageError(WorkspaceUserError, StorageError):
    """The disk under a workspace, or what lies on it, is full, damaged or missing."""


def not_a_workspace(folder: Path, detail: str) -> WorkspaceUserError:
    """The folder is something else, or does not exist."""
    remedy = "name another with --workspace, or make one with `paribus run`"
    return WorkspaceUserError("not a paribus workspace", detail=detail, place=folder, remedy=remedy)


def newer(folder: Path, version: int, known: int) -> WorkspaceUserError:
    """The workspace was made by a later paribus."""
    return WorkspaceUserError(
        f"workspace format {version}, made by a newer paribus",
        detail=f"this one reads formats up to {known}",
        place=folder,
        remedy="upgrade paribus to read it; nothing was changed",
    )


def in_use(folder: Path, process: str) -> WorkspaceUserError:
    """Another process writes."""
    return WorkspaceUserError(
        f"workspace in use by process {process or '(unknown)'}",
        place=folder,
        remedy="wait until it ends, or end it; status, report and table work meanwhile",
    )


def no_locks(folder: Path, detail: str) -> WorkspaceUserError:
    """The file system cannot keep a second writer out."""
    return WorkspaceUserError(
        "this file system cannot lock files",
        detail=detail,
        place=folder,
        remedy="choose a folder on a local disk with --workspace",
    )


def read_only(place: Path | str, detail: str) -> WorkspaceUserError:
    """Nothing can be written there."""
    return WorkspaceUserError("cannot be written", detail=detail, place=place, remedy="get write permission there")


def forbidden(place: Path | str, detail: str) -> WorkspaceUserError:
    """The user may not read, or not write, there."""
    remedy = "get permission to read there, and to write where results are recorded"
    return WorkspaceUserError("permission denied", detail=detail, place=place, remedy=remedy)


def full(place: Path | str) -> WorkspaceStorageError:
    """The disk is full."""
    return WorkspaceStorageError("no space left on the disk", place=place, remedy=f"free some space; {_SAFE}")


def damaged(place: Path | str, detail: str) -> WorkspaceStorageError:
    """A file does not hold what was written to it."""
    return WorkspaceStorageError("damaged", detail=detail, place=place, remedy=_LISTED)


def missing(place: Path | str) -> WorkspaceStorageError:
    """A file does not exist that a row names."""
    return WorkspaceStorageError("file not found, but a recorded run needs it", place=place, remedy=_LISTED)


def completed(place: Path, run_id: str) -> WorkspaceStorageError:
    """A run that has ended was about to be recorded again."""
    remedy = "use the recorded result, or change the study, which makes another run"
    return WorkspaceStorageError(COMPLETED, detail=f"new result for run {run_id}", place=place, remedy=remedy)


def already_measured(place: Path, name: str, run_id: str) -> WorkspaceStorageError:
    """A later measurement has the rule and name of one that is recorded."""
    return WorkspaceStorageError(
        "a recorded measurement is never replaced",
        detail=f"new {name} for run {run_id}",
        place=place,
        remedy="use the recorded one, or record it under another name",
    )


def unknown_study(place: Path, name: str, remedy: str) -> WorkspaceUserError:
    """No study has that name or id."""
    return WorkspaceUserError(f"study not found: {shown(name)}", place=place, remedy=remedy)


def unknown_run(place: Path, run_id: str) -> WorkspaceUserError:
    """No run has that id."""
    remedy = "list the runs of a study with `paribus status STUDY`"
    return WorkspaceUserError(f"run not found: {shown(run_id)}", place=place, remedy=remedy)


def ambiguous(place: Path, prefix: str, ids: Iterable[str]) -> WorkspaceUserError:
    """Several ids begin so."""
    return WorkspaceUserError(
        f"several ids begin with {shown(prefix)}", place=place, remedy=f"give more digits of one of {', '.join(ids)}"
    )


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of an error; 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _busy(database: Path, _detail: str) -> WorkspaceStorageError:
    return WorkspaceStorageError(
        "database in use by another program", place=database, remedy=f"end that program; {_SAFE}"
    )


def _unopened(database: Path, detail: str) -> UserError:
    """SQLite cannot make a file that it needs beside the database, and does not say why."""
    return full(database) if _is_full(database.parent) else forbidden(database, detail)


def _failing(place: Path, detail: str) -> WorkspaceStorageError:
    """Reading or writing failed. A full file system in memory says no more than that."""
    if _is_full(place if place.is_dir() else place.parent):
        return full(place)
    return WorkspaceStorageError("the disk failed", detail=detail, place=place, remedy=f"check the disk; {_SAFE}")


def _is_full(folder: Path) -> bool:
    """Whether the file system has no room for another block or another file."""
    with suppress(OSError):
        disk = os.statvfs(folder)
        return disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0)
    return False


_REFUSALS: Mapping[int, Callable[[Path, str], UserError]] = {
    sqlite3.SQLITE_FULL: lambda database, _: full(database),
    sqlite3.SQLITE_CORRUPT: damaged,
    sqlite3.SQLITE_NOTADB: damaged,
    sqlite3.SQLITE_READONLY: read_only,
    sqlite3.SQLITE_CANTOPEN: _unopened,
    sqlite3.SQLITE_PERM: forbidden,
    sqlite3.SQLITE_AUTH: forbidden,
    sqlite3.SQLITE_BUSY: _busy,
    sqlite3.SQLITE_LOCKED: _busy,
    sqlite3.SQLITE_IOERR: _failing,
}


def _from_sqlite(error: sqlite3.Error, database: Path) -> UserError | None:
    if COMPLETED in str(error):
        return completed(database, "that has ended")
    if isinstance(error, sqlite3.OperationalError) and not primary_code(error):
        return damaged(database, str(error))  # text that is no UTF-8: noticed by Python only
    refusal = _REFUSALS.get(primary_code(error))
    return None if refusal is None else refusal(database, str(error))


def _from_system(error: OSError, place: Path) -> UserError:
    detail = error.strerror or "unknown error"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(place)
    if error.errno == errno.EROFS:
        return read_only(place, detail)
    if error.errno in (errno.EACCES, errno.EPERM):
        return forbidden(place, detail)
    if error.errno == errno.ENOENT:
        return WorkspaceStorageError("file or folder not found", place=place, remedy=_LISTED)
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR):
        return WorkspaceUserError("not a folder", detail=detail, place=place, remedy="name another")
    return _failing(place, detail)


@contextmanager
def translated_errors(place: Path) -> Generator[None]:
    """Turn an error of the disk or of SQLite into the one line that names it; errors of the program pass through."""
    try:
        yield
    except sqlite3.Error as error:
        refusal = _from_sqlite(error, place)
        if refusal is None:
            raise
        raise refusal from error
    except OSError as error:
        raise _from_system(error, place) from error
