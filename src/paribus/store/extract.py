"""A part of a workspace as a workspace of its own: some studies, with everything that is recorded of them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from paribus.store import digests, schema
from paribus.store.database import DATABASE, TENSORS, Database
from paribus.store.refusals import translated_errors
from paribus.store.workspace import Workspace

_OF_RUNS = ("progress", "curves", "selections", "snapshots", "measurements", "artifacts")
_LATER = ("later", "test_reads", "usage_shares")


def extract(workspace: Workspace, study_ids: Sequence[str], folder: Path) -> None:
    """Write the studies of these ids as a new workspace into `folder`, which must not exist.

    Rows keep their digests, and files their names. Of a session in which other studies' runs trained, too, the record
    has the shares of these studies' runs alone. Raises StorageError where a file is missing.
    """
    folder.mkdir(parents=True)
    source = (workspace.path / DATABASE).absolute().as_uri()
    with translated_errors(folder / DATABASE), closing(_opened(folder)) as new:
        new.execute("PRAGMA foreign_keys = OFF")
        schema.create(new)
        new.execute("ATTACH DATABASE ? AS source", (f"{source}?mode=ro",))
        new.execute("BEGIN IMMEDIATE")
        new.execute("CREATE TEMP TABLE wanted (id TEXT PRIMARY KEY)")
        new.executemany("INSERT INTO wanted VALUES (?)", [(study_id,) for study_id in study_ids])
        new.execute(
            "CREATE TEMP TABLE wanted_runs AS SELECT DISTINCT run_id AS id FROM source.members "
            "WHERE study_id IN (SELECT id FROM wanted)"
        )
        new.execute("INSERT INTO studies SELECT * FROM source.studies WHERE id IN (SELECT id FROM wanted)")
        for table in ("members", "claims", "forecasts", "proposals", "assessments"):
            _copy(new, table, "study_id IN (SELECT id FROM wanted)")
        for table in _OF_RUNS:  # before the runs: nothing is added to a run that has ended
            _copy(new, table, "run_id IN (SELECT id FROM wanted_runs)")
        _copy(new, "runs", "id IN (SELECT id FROM wanted_runs)")
        for table in _LATER:
            _copy(new, table, "run_id IN (SELECT id FROM wanted_runs)")
        _copy(new, "usage", "id IN (SELECT usage_id FROM main.usage_shares)")
        new.execute("COMMIT")
        new.execute("DETACH DATABASE source")
    _copy_files(workspace, folder)
    _renew_usage(folder)


def _opened(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect((folder / DATABASE).absolute().as_uri(), uri=True, isolation_level=None)


def _copy(new: sqlite3.Connection, table: str, where: str) -> None:
    new.execute(f"INSERT INTO main.{table} SELECT * FROM source.{table} WHERE {where}")  # noqa: S608 - words of ours


def _copy_files(workspace: Workspace, folder: Path) -> None:
    target = folder / TENSORS
    target.mkdir()
    with closing(sqlite3.connect(folder / DATABASE)) as new:
        names = [name for (name,) in new.execute("SELECT DISTINCT tensors FROM named_tensors ORDER BY tensors")]
    for name in names:
        workspace.tensors.get(name)  # raises where it is missing or damaged
        shutil.copyfile(workspace.tensors.path(name), target / workspace.tensors.path(name).name)


def _renew_usage(folder: Path) -> None:
    """Digests of usage records whose other shares were left out."""
    database = Database.open(folder, create=False, write=False)
    try:
        renewed = [
            (digests.of_usage(database, one), one) for (one,) in database.rows("SELECT id FROM usage ORDER BY id")
        ]
    finally:
        database.close()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as new:
        new.executemany("UPDATE usage SET digest = ? WHERE id = ?", renewed)
