"""What is recorded of a run, read back as records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from paribus.store import digests
from paribus.store.database import Database
from paribus.store.digests import RunRow
from paribus.store.prefixes import only_match
from paribus.store.records import Artifact, Curve, Measurement, Progress, RunRecord, Selected, Snapshot
from paribus.store.refusals import damaged, unknown_run


def run_record(database: Database, columns: Sequence[Any]) -> RunRecord:
    """A run from its columns in the order of `digests.RUN_COLUMNS`."""
    row: dict[str, Any] = RunRow(*columns)._asdict()
    row |= {name: database.parsed(row[name]) for name in ("recipe", "dataset", "environment")}
    return RunRecord(**row)


def stored_row(database: Database, run_id: str) -> RunRow | None:
    """A run's own row as it is stored; None for a run that was never registered."""
    rows = database.rows(f"SELECT {digests.RUN_COLUMNS} FROM runs WHERE id = ?", run_id)  # noqa: S608
    return RunRow(*rows[0]) if rows else None


def run(database: Database, run_id: str) -> RunRecord | None:
    """The run of that id, or None."""
    row = stored_row(database, run_id)
    return None if row is None else run_record(database, row)


def find_run(database: Database, id_or_prefix: str) -> RunRecord:
    """The run of that id, or the only one whose id begins so. Raises UserError where there is not exactly one."""
    found = run(database, id_or_prefix)
    if found is None:
        ids = (run_id for (run_id,) in database.rows("SELECT id FROM runs ORDER BY id"))
        match = only_match(id_or_prefix, ids, place=database.folder)
        found = None if match is None else run(database, match)
    if found is None:
        raise unknown_run(database.folder, id_or_prefix)
    return found


def curves(database: Database, run_id: str) -> dict[str, Curve]:
    """Metric to one value for each epoch done, also of a run that has not ended."""
    rows = database.rows('SELECT metric, "values" FROM curves WHERE run_id = ? ORDER BY rowid', run_id)
    return {metric: np.frombuffer(values, dtype="<f8").astype(np.float64) for metric, values in rows}


def selections(database: Database, run_id: str) -> list[Selected]:
    """What each selection rule chose."""
    rows = database.rows(
        "SELECT rule, epoch, value, tensors FROM selections WHERE run_id = ? ORDER BY position", run_id
    )
    return [Selected(*row) for row in rows]


def snapshots(database: Database, run_id: str) -> list[Snapshot]:
    """The weights kept at intervals, also of a run that has not ended."""
    rows = database.rows("SELECT epoch, part, tensors FROM snapshots WHERE run_id = ? ORDER BY position", run_id)
    return [Snapshot(*row) for row in rows]


def measurements(database: Database, run_id: str) -> list[Measurement]:
    """Numbers measured when the run ended."""
    rows = database.rows("SELECT rule, name, value FROM measurements WHERE run_id = ? ORDER BY position", run_id)
    return [Measurement(rule, name, math.nan if value is None else value) for rule, name, value in rows]


def artifacts(database: Database, run_id: str) -> list[Artifact]:
    """Named arrays measured when the run ended."""
    rows = database.rows("SELECT rule, name, tensors FROM artifacts WHERE run_id = ? ORDER BY position", run_id)
    return [Artifact(*row) for row in rows]


def require_as_written(database: Database, row: RunRow) -> None:
    """Raises StorageError where the database holds other values for a run than were written to it."""
    if database.rows("SELECT digest FROM runs WHERE id = ?", row.id) != [(digests.of_run(database, row),)]:
        raise damaged(database.file, f"other values for run {row.id} than were written")


def progress(database: Database, run_id: str) -> Progress | None:
    """The checkpoint of a run that has begun and not ended, else None.

    Raises StorageError where the database no longer holds what was written: training must not go on from that.
    """
    rows = database.rows("SELECT tensors, scalars FROM progress WHERE run_id = ?", run_id)
    row = stored_row(database, run_id)
    if not rows or row is None:
        return None
    require_as_written(database, row)
    tensors, scalars = rows[0]
    if row.started_at is None or row.state not in ("running", "paused"):
        raise damaged(database.file, f"a checkpoint for run {row.id}, which is {row.state}")
    return Progress(
        run_id=run_id,
        epochs_done=row.epochs_done,
        tensors=tensors,
        scalars=database.parsed(scalars),
        curves=curves(database, run_id),
        snapshots=snapshots(database, run_id),
        started_at=row.started_at,
        state=row.state,
    )
