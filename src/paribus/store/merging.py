"""Workspaces joined in a new one: what the jobs of an array have trained side by side, each in a workspace of its own.

Studies, runs and candidates are known by their identities, so each is there once, with everything that any of the
workspaces has recorded of it. The workspaces themselves are only read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from paribus.errors import Shown, UserError
from paribus.store import digests, disk, schema
from paribus.store.database import DATABASE, TENSORS, Database
from paribus.store.locking import WriterLock
from paribus.store.merged_runs import Held, Row, merge_run
from paribus.store.refusals import damaged, missing, translated_errors
from paribus.store.tensors import TensorFolder


@dataclass(frozen=True)
class Merged:
    """What a merged workspace holds: studies by name, runs, and those that several workspaces had."""

    studies: tuple[str, ...]
    runs: int
    shared: int


def merge(sources: Sequence[Path], folder: Path) -> Merged:
    """Join the workspaces `sources` in `folder`, which is empty. Of studies with one name, the last source's is the
    latest.

    Raises UserError where one is not a workspace, another process writes to it, or two disagree; StorageError where
    one is damaged. What `folder` holds then is of no use.
    """
    with ExitStack() as stack:
        opened: list[Database] = []
        for source in {path.resolve(): path for path in sources}.values():
            if os.access(source, os.W_OK) and (source / DATABASE).exists():
                stack.callback(WriterLock.take(source).release)
            database = Database.open(source, create=False, write=False)
            stack.callback(database.close)
            stack.enter_context(database.reading())
            opened.append(database)
        with translated_errors(folder / DATABASE):
            new = Database(folder, _created(folder), write=True, lock=None, exists=True)
        with closing(new):
            merged = _Merging(opened, new).run()
        _copy_files([database.folder for database in opened], folder)
    return merged


def _created(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    schema.create(connection)
    connection.execute("PRAGMA foreign_keys = OFF")  # rows come before those that they name
    return connection


class _Merging:
    """Writes the rows of all sources to the new database, in one transaction."""

    def __init__(self, sources: Sequence[Database], new: Database) -> None:
        self._sources, self._new = sources, new

    def run(self) -> Merged:
        with self._new.transaction():
            runs = self._runs()
            studies = self._studies()
            self._logs()
        return Merged(tuple(dict.fromkeys(studies)), len(runs), sum(times > 1 for times in runs.values()))

    def _runs(self) -> dict[str, int]:
        """Every run, and how many workspaces have it."""
        found: dict[str, int] = {}
        for source in self._sources:
            for (run_id,) in source.rows("SELECT id FROM runs ORDER BY rowid"):
                if run_id not in found:
                    held = [one for other in self._sources if (one := Held.of(other, run_id)) is not None]
                    merge_run(self._new, held)
                    found[run_id] = len(held)
        return found

    def _studies(self) -> list[str]:
        """Names of all studies, the latest last."""
        order: dict[str, str] = {}
        for source in self._sources:
            for study_id, name in source.rows("SELECT id, name FROM studies ORDER BY ordinal"):
                order.pop(study_id, None)
                order[study_id] = name
        for ordinal, study_id in enumerate(order, start=1):
            self._study(ordinal, study_id)
        self._claims()
        for study_id in order:
            self._new.change(
                "UPDATE studies SET digest = ? WHERE id = ?", digests.of_study(self._new, study_id), study_id
            )
        return list(order.values())

    def _study(self, ordinal: int, study_id: str) -> None:
        having = [one for one in self._sources if one.rows("SELECT 1 FROM studies WHERE id = ?", study_id)]
        for source in having:
            if source.rows("SELECT digest FROM studies WHERE id = ?", study_id) != [
                (digests.of_study(source, study_id),)
            ]:
                raise damaged(source.file, f"other values for study {study_id} than were written")
        rows = [source.rows("SELECT * FROM studies WHERE id = ?", study_id)[0] for source in having]
        _, _, name, document, _, digest = rows[0]
        registered_at = min(row[4] for row in rows)
        self._insert("studies", [(study_id, ordinal, name, document, registered_at, digest)])
        members = self._united(having, "members", study_id, slice(1, 3), slice(3, 4), "position")
        self._insert("members", [(*row[:4], position) for position, row in enumerate(members)])
        for table, key, value in (("proposals", slice(1, 2), slice(2, 5)), ("assessments", slice(1, 3), slice(3, 6))):
            self._insert(table, self._united(having, table, study_id, key, value, "rowid"))

    def _united(
        self, having: Sequence[Database], table: str, study_id: str, key: slice, value: slice, order: str
    ) -> list[Row]:
        """Rows of a study in any of the databases, known by the columns `key`; those of `value` must agree."""
        query = f"SELECT * FROM {table} WHERE study_id = ? ORDER BY {order}"  # noqa: S608 - words of ours
        found: dict[Row, tuple[Database, Row]] = {}
        for source in sorted(having, key=lambda one: -len(one.rows(query, study_id))):  # the longest history first
            for row in source.rows(query, study_id):
                other, known = found.setdefault(row[key], (source, row))
                if known[value] != row[value]:
                    raise UserError(
                        f"must be the same as in {other.folder}: {table} {' '.join(map(str, row[key]))} of study "
                        f"{study_id[:12]} differ",
                        given=Shown(""),
                        place=str(source.folder),
                        remedy="leave one of the two out",
                    )
        return [row for _, row in found.values()]

    def _claims(self) -> None:
        """Each claim has the earliest time at which a study of that name registered it, in any workspace."""
        names = dict(self._new.rows("SELECT id, name FROM studies"))
        rows = [row for source in self._sources for row in source.rows("SELECT * FROM claims ORDER BY position")]
        earliest: dict[tuple[str, str], str] = {}
        for study_id, _, digest, _, registered_at in rows:
            key = (names[study_id], digest)
            earliest[key] = min(registered_at, earliest.get(key, registered_at))
        positions: dict[str, int] = {}
        for (study_id, digest), text in {(row[0], row[2]): row[3] for row in rows}.items():
            position = positions[study_id] = positions.get(study_id, -1) + 1
            self._insert("claims", [(study_id, position, digest, text, earliest[names[study_id], digest])])

    def _logs(self) -> None:
        """Reads of the test set, sessions and forecasts: each once, in the order of time."""
        for table, time in (("test_reads", "read_at"), ("forecasts", "made_at")):
            query = f"SELECT {time}, * FROM {table} ORDER BY ordinal"  # noqa: S608
            rows = ((at, row) for source in self._sources for at, _, *row in source.rows(query))
            once = dict.fromkeys((at, tuple(row)) for at, row in rows)
            self._insert(table, [(None, *row) for _, row in sorted(once, key=lambda one: one[0])])
        latest: dict[str, tuple[Row, Database]] = {}
        for source in self._sources:
            for row in source.rows("SELECT * FROM usage"):
                if row[0] not in latest or _further(row, latest[row[0]][0]):
                    latest[row[0]] = row, source
        for usage_id, (row, source) in latest.items():
            self._insert("usage", [row])
            self._insert(
                "usage_shares", source.rows("SELECT * FROM usage_shares WHERE usage_id = ? ORDER BY rowid", usage_id)
            )

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            self._new.change_all(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608


def _further(row: Row, known: Row) -> bool:
    """Whether a session's record is a later one than another: it has more model-epochs, or took longer."""
    return (row[7], row[2]) > (known[7], known[2])


def _copy_files(sources: Sequence[Path], folder: Path) -> None:
    """Copy every tensor file that the new database names, checked and durable."""
    folders = [TensorFolder(source / TENSORS, _no_writing) for source in sources]
    target = folder / TENSORS
    target.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / DATABASE)) as new:
        names: list[str] = [name for (name,) in new.execute("SELECT DISTINCT tensors FROM named_tensors")]
    for name in names:
        having = next((one for one in folders if one.path(name).is_file()), None)
        if having is None:
            raise missing(folders[0].path(name))
        having.get(name)  # raises where it is damaged
        with translated_errors(target):
            copy = target / having.path(name).name
            shutil.copyfile(having.path(name), copy)
            disk.sync(copy)
    with translated_errors(target):
        for path in (target, folder / DATABASE, folder):
            disk.sync(path)


def _no_writing() -> None:
    raise RuntimeError("sources are only read")
