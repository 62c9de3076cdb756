"""What a workspace says when it cannot be read or written: one line each, with the way out."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from paribus.errors import Shown, StorageError, UserError

COMPLETED = "a completed run is never changed"
"""The words with which the database itself refuses, too (see `schema`)."""

_SAFE = "what was recorded before is safe: run the same command again afterwards"


def not_a_workspace(folder: Path, given: str) -> UserError:
    """The folder is something else, or nothing."""
    return UserError(
        "must be a paribus workspace",
        given=Shown(given),
        place=str(folder),
        remedy="name another with --workspace, or make one with `paribus run`",
    )


def newer(folder: Path, version: int, known: int) -> UserError:
    """The workspace was made by a later paribus."""
    return UserError(
        f"must be of workspace format {known} or older",
        given=Shown(f"format {version}, made by a newer paribus"),
        place=str(folder),
        remedy="upgrade paribus to read it; nothing was changed",
    )


def read_only(place: Path | str, given: str) -> UserError:
    """Nothing can be written there."""
    return UserError(
        "must be writable", given=Shown(given), place=str(place), remedy="give yourself the right to write there"
    )


def closed(place: Path | str, given: str) -> UserError:
    """The user has no right to go there."""
    return UserError(
        "must be open to you",
        given=Shown(given),
        place=str(place),
        remedy="give yourself the right to read there, and to write where results shall be recorded",
    )


def full(place: Path | str) -> StorageError:
    """The disk is full."""
    return StorageError(
        "needs room to write",
        given=Shown("no space left on the disk"),
        place=str(place),
        remedy=f"free some space; {_SAFE}",
    )


def damaged(place: Path | str, given: str) -> StorageError:
    """A file does not hold what was written to it."""
    return StorageError(
        "must be as it was written",
        given=Shown(given),
        place=str(place),
        remedy="put back a copy of it; `paribus verify` lists all that is damaged",
    )


def missing(place: Path | str) -> StorageError:
    """A file is gone that a row names."""
    return StorageError(
        "must exist, as a recorded run names it",
        given=Shown("no such file"),
        place=str(place),
        remedy="put back a copy of it; `paribus verify` lists all that is missing",
    )


def completed(place: Path, run_id: str) -> StorageError:
    """A run that has ended was about to be recorded again."""
    return StorageError(
        COMPLETED,
        given=Shown(f"a new result for run {run_id}"),
        place=str(place),
        remedy="use the recorded result, or change the study, which makes another run",
    )


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of an error; 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _busy(database: Path, _given: str) -> StorageError:
    return StorageError(
        "must be free",
        given=Shown("another program holds it"),
        place=str(database),
        remedy=f"end that program; {_SAFE}",
    )


def _unopened(database: Path, given: str) -> UserError:
    """SQLite cannot make a file that it needs beside the database, and does not say why."""
    with suppress(OSError):
        disk = os.statvfs(database.parent)
        if disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0):
            return full(database)
    return closed(database, given)


def _failing(place: Path | str, given: str) -> StorageError:
    return StorageError(
        "must be on a working disk", given=Shown(given), place=str(place), remedy=f"look at the disk; {_SAFE}"
    )


_REFUSALS: Mapping[int, Callable[[Path, str], UserError]] = {
    sqlite3.SQLITE_FULL: lambda database, _: full(database),
    sqlite3.SQLITE_CORRUPT: lambda database, given: damaged(database, f"a damaged database ({given})"),
    sqlite3.SQLITE_NOTADB: lambda database, given: damaged(database, f"a damaged database ({given})"),
    sqlite3.SQLITE_READONLY: read_only,
    sqlite3.SQLITE_CANTOPEN: _unopened,
    sqlite3.SQLITE_PERM: closed,
    sqlite3.SQLITE_AUTH: closed,
    sqlite3.SQLITE_BUSY: _busy,
    sqlite3.SQLITE_LOCKED: _busy,
    sqlite3.SQLITE_IOERR: _failing,
}


def _from_sqlite(error: sqlite3.Error, database: Path) -> UserError | None:
    if COMPLETED in str(error):
        return completed(database, "that has ended")
    if isinstance(error, sqlite3.OperationalError) and not primary_code(error):
        return damaged(database, f"a damaged database ({error})")  # text that is no UTF-8: noticed by Python only
    refusal = _REFUSALS.get(primary_code(error))
    return None if refusal is None else refusal(database, str(error))


def _from_system(error: OSError, place: Path) -> UserError:
    given = error.strerror or "an error"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(place)
    if error.errno == errno.EROFS:
        return read_only(place, given)
    if error.errno in (errno.EACCES, errno.EPERM):
        return closed(place, given)
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR):
        return UserError("must be a folder's path", given=Shown(given), place=str(place), remedy="name another")
    return _failing(place, given)


@contextmanager
def told(place: Path) -> Generator[None]:
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
