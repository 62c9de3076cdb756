"""The SQLite file of a workspace: found, created, opened for reading or writing, and changed in transactions.

While nobody writes, the file stands alone, in rollback mode: it can be copied, and read from a medium that cannot be
written to. The first transaction of a writer turns write-ahead logging (WAL) on, so that readers are not blocked while
it works; closing turns it off again where no reader holds the file. On a file system that several machines may share,
WAL does not work (see `filesystem`), and rollback mode stays.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, cast, final

import numpy as np

from paribus.errors import UserError
from paribus.store import disk, faults, filesystem, jsontext, schema
from paribus.store.locking import LOCK, WriterLock
from paribus.store.refusals import damaged, forbidden, newer, not_a_workspace, primary_code, translated_errors

DATABASE = "workspace.sqlite"
TENSORS = "tensors"
_NEW = DATABASE + ".new"
_SIDE_FILES = ("-wal", "-journal", "-shm")
_BUSY_TIMEOUT_S = 30.0


@final
class Database:
    """A workspace's database. One that does not exist yet reads as empty until the first transaction creates it."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, *, write: bool, lock: WriterLock | None, exists: bool
    ) -> None:
        self.folder = folder
        self.write = write
        self._connection = connection
        self._lock = lock
        self._exists = exists
        self._ready = False

    @classmethod
    def open(cls, folder: Path, *, create: bool, write: bool, allow_damaged: bool = False) -> Self:
        """Open the database in `folder`; with `create` it need not exist, with `write` the writer's lock is taken.

        With `allow_damaged`, a reader may open one whose tables or triggers are not defined as they were, and reports
        that itself. Raises UserError where it is not a workspace, of a newer format, not readable (or writable), or in
        use by another writer; StorageError where it is damaged.
        """
        if _absent(folder, create=create):
            empty = sqlite3.connect(":memory:", isolation_level=None)
            schema.create(empty)
            return cls(folder, empty, write=write, lock=None, exists=False)
        if not write:
            return cls(folder, _reading(folder, allow_damaged=allow_damaged), write=False, lock=None, exists=True)
        lock = WriterLock.take(folder)
        try:
            return cls(folder, _writing(folder), write=True, lock=lock, exists=True)
        except BaseException:
            lock.release()
            raise

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.folder / DATABASE

    @property
    def is_writing(self) -> bool:
        """Whether this process holds the writer's lock."""
        return self._lock is not None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with translated_errors(self.file):
            return self._connection.execute(query, values).fetchall()

    def altered(self) -> list[str]:
        """Names of tables, indexes, views and triggers that are not as a workspace has them."""
        with translated_errors(self.file):
            return schema.altered(self._connection)

    @contextmanager
    def reading(self) -> Generator[None]:
        """All reads inside see the database as it is at the first of them, whatever a writer commits meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        with translated_errors(self.file):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def parsed(self, text: str) -> dict[str, Any]:
        """The plain values in a row's JSON text."""
        try:
            return jsontext.load(text)
        except (TypeError, ValueError) as error:
            raise damaged(self.file, f"text in a row is no JSON: {error}") from error

    def change(self, statement: str, *values: Any) -> None:
        """Run one statement; only inside `transaction`."""
        self.change_all(statement, [values])

    def change_all(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each row of values (NumPy scalars as plain numbers); only inside `transaction`."""
        if not self._connection.in_transaction:
            raise RuntimeError("the database is changed in a transaction only")
        with translated_errors(self.file):
            self._connection.executemany(statement, (tuple(map(_plain, row)) for row in rows))

    def prepare(self) -> None:
        """Make sure that the workspace exists on disk and can be written to, before its first change."""
        if self._ready:
            return
        if not self.write:
            raise RuntimeError(f"{self.folder} was opened for reading")
        if not self._exists:
            self._create()
        with translated_errors(self.folder / TENSORS):
            disk.make_folder(self.folder / TENSORS)
        if not filesystem.is_shared(self.folder):
            with translated_errors(self.file), faults.around("WAL on"):
                self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self._ready = True

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All changes inside become durable together when it ends, or, where anything raises, none does."""
        self.prepare()
        with translated_errors(self.file):
            try:
                with faults.around("begin"):
                    self._connection.execute("BEGIN IMMEDIATE")
                yield
                with faults.around("commit"):
                    self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """End reading or writing. Everything recorded is durable already."""
        if self.write and self._exists:
            # Where a reader holds the file, or the disk is full, the log stays beside the file and is part of it.
            with suppress(sqlite3.Error, OSError):
                self._connection.execute("PRAGMA busy_timeout = 0")
                if self._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
                    with faults.around("WAL off"):
                        self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _create(self) -> None:
        with translated_errors(self.folder):
            is_new = not self.folder.exists()
            disk.make_folder(self.folder)
        if self._lock is None:  # else an earlier attempt failed, and this is another
            try:
                self._lock = WriterLock.take(self.folder)
            except UserError:
                if is_new:
                    with suppress(OSError):
                        self.folder.rmdir()
                raise
        with translated_errors(self.folder):
            if not self.file.exists():  # another process may have made it since this one looked
                _build(self.folder)
        empty, self._connection = self._connection, _writing(self.folder)
        empty.close()
        self._exists = True


def _plain(value: Any) -> Any:
    return cast("Any", value.item()) if isinstance(value, np.generic) else value


def _absent(folder: Path, *, create: bool) -> bool:
    """Whether there is no workspace yet, and one may be made. Raises UserError where there is something else."""
    with translated_errors(folder):
        if (folder / DATABASE).exists():
            return False
        if not folder.exists():
            reason = "" if create else "no such folder"
        elif not folder.is_dir():
            reason = "a file"
        else:
            others = sorted(entry.name for entry in folder.iterdir() if not _of_creation(entry))
            reason = f"a folder with {others[0]} but no {DATABASE}" if others else "" if create else "an empty folder"
    if reason:
        raise not_a_workspace(folder, reason)
    return True


def _of_creation(entry: Path) -> bool:
    """Whether an entry is what an interrupted creation of a workspace leaves."""
    return entry.name == LOCK or entry.name.startswith(_NEW) or (entry.name == TENSORS and not any(entry.iterdir()))


def _build(folder: Path) -> None:
    """Make the file under another name, complete and durable, and then rename it."""
    new = folder / _NEW
    for suffix in ("", *_SIDE_FILES):
        new.with_name(_NEW + suffix).unlink(missing_ok=True)
    with faults.around("create"), closing(sqlite3.connect(new, isolation_level=None)) as connection:
        schema.create(connection)
    disk.sync(new)
    disk.rename(new, folder / DATABASE)
    disk.sync(folder)


def _connect(file: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * _BUSY_TIMEOUT_S)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _checked(connection: sqlite3.Connection, folder: Path, *, allow_damaged: bool = False) -> int:
    """The format of an open database. Raises UserError or StorageError where this paribus cannot read it."""
    found = schema.version(connection)
    if found is None:
        if (folder / DATABASE).stat().st_size == 0:
            raise damaged(folder / DATABASE, "an empty file")
        raise not_a_workspace(folder, f"a {DATABASE} of some other program")
    if found > schema.VERSION:
        raise newer(folder, found, schema.VERSION)
    if found == schema.VERSION and (names := schema.altered(connection)) and not allow_damaged:
        raise damaged(folder / DATABASE, f"the definition of {', '.join(names)} is not as it was written")
    return found


def _writing(folder: Path) -> sqlite3.Connection:
    with translated_errors(folder / DATABASE):
        connection = _connect(folder / DATABASE, "mode=rw")
        try:
            shared = filesystem.is_shared(folder)
            # A commit in rollback mode deletes the journal. EXTRA makes that durable, too: files of replaced rows are
            # deleted afterwards, and must not be needed again. A commit in WAL mode is as durable under FULL.
            connection.execute(f"PRAGMA synchronous = {'EXTRA' if shared else 'FULL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            has_log = shared and _has_log(folder / DATABASE)
            if has_log:
                # With the file locked before it is first read, SQLite needs no memory that processes share.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            found = _checked(connection, folder)
            if has_log:
                connection.execute("PRAGMA journal_mode = DELETE").fetchall()
                connection.execute("PRAGMA locking_mode = NORMAL").fetchall()
                schema.version(connection)  # the next access gives the lock back
            if found < schema.VERSION:
                schema.migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _has_log(file: Path) -> bool:
    """Whether the file is in WAL mode, as a killed writer leaves it: bytes 18 and 19 of its header are 2."""
    with file.open("rb") as opened:
        return opened.read(20)[18:] == b"\x02\x02"


def _reading(folder: Path, *, allow_damaged: bool) -> sqlite3.Connection:
    """A connection that changes nothing: the file itself, or a copy in memory of an older format brought up to date."""
    with translated_errors(folder / DATABASE):
        connection = _readable(folder / DATABASE)
        try:
            if _checked(connection, folder, allow_damaged=allow_damaged) == schema.VERSION:
                return connection
            memory = _in_memory(connection)
        except BaseException:
            connection.close()
            raise
        connection.close()
        schema.migrate(memory)
        return memory


def _readable(file: Path) -> sqlite3.Connection:
    """Open for reading, also where SQLite may not create files beside the database."""
    if filesystem.is_shared(file.parent) and _has_log(file):
        return _from_copy(file)
    connection = _connect(file, "mode=ro")
    try:
        schema.version(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        if primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    else:
        return connection
    try:
        if any(file.with_name(file.name + suffix).exists() for suffix in _SIDE_FILES):
            return _from_copy(file)
        return _connect(file, "mode=ro&immutable=1")
    except (PermissionError, sqlite3.OperationalError) as error:
        raise forbidden(file, str(error)) from error


def _from_copy(file: Path) -> sqlite3.Connection:
    """A copy in memory of what the file and the log beside it hold together, merged in a private folder."""
    with tempfile.TemporaryDirectory(prefix="paribus-") as private:
        copy = Path(private) / file.name
        for suffix in ("", "-wal", "-journal"):
            source = file.with_name(file.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        with closing(_connect(copy, "mode=rw")) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            return _in_memory(connection)


def _in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        source.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory
