"""What is recorded of a run, read back as records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from paribus.store import digests
from paribus.store.database import Database
from paribus.store.records import (
    Artifact,
    Curve,
    Finding,
    Measurement,
    Progress,
    RunRecord,
    Selected,
    Snapshot,
)
from paribus.store.refusals import damaged


def run_record(database: Database, row: Sequence[Any]) -> RunRecord:
    """A run from its columns in the order of `digests.RUN_COLUMNS`."""
    run_id, state, epochs_done, recipe, seed, replicate, fingerprint, environment, finished_at = row
    return RunRecord(
        id=run_id,
        state=state,
        epochs_done=epochs_done,
        recipe=database.parsed(recipe),
        seed=seed,
        replicate=replicate,
        data_fingerprint=fingerprint,
        environment=database.parsed(environment),
        finished_at=finished_at,
    )


def stored_row(database: Database, run_id: str) -> digests.RunRow | None:
    """A run's own row as it is stored; None for a run that was never registered."""
    rows = database.rows(f"SELECT {digests.RUN_COLUMNS} FROM runs WHERE id = ?", run_id)  # noqa: S608
    if not rows:
        return None
    a, b, c, d, e, f, g, h, i = rows[0]
    return (a, b, c, d, e, f, g, h, i)


def run(database: Database, run_id: str) -> RunRecord | None:
    """The run of that identity, or None."""
    row = stored_row(database, run_id)
    return None if row is None else run_record(database, row)


def curves(database: Database, run_id: str) -> dict[str, Curve]:
    """Metric to one value for each epoch done, also of a run that still goes on."""
    rows = database.rows('SELECT metric, "values" FROM curves WHERE run_id = ? ORDER BY rowid', run_id)
    return {metric: np.frombuffer(values, dtype="<f8").astype(np.float64) for metric, values in rows}


def selections(database: Database, run_id: str) -> list[Selected]:
    """What each selection rule chose."""
    rows = database.rows(
        "SELECT rule, epoch, value, tensors FROM selections WHERE run_id = ? ORDER BY position", run_id
    )
    return [Selected(*row) for row in rows]


def snapshots(database: Database, run_id: str) -> list[Snapshot]:
    """The weights kept at intervals, also of a run that still goes on."""
    rows = database.rows("SELECT epoch, part, tensors FROM snapshots WHERE run_id = ? ORDER BY position", run_id)
    return [Snapshot(*row) for row in rows]


def measurements(database: Database, run_id: str) -> list[Measurement]:
    """Numbers measured at selected snapshots, or of the run as a whole."""
    rows = database.rows("SELECT rule, name, value FROM measurements WHERE run_id = ? ORDER BY position", run_id)
    return [Measurement(rule, name, math.nan if value is None else value) for rule, name, value in rows]


def findings(database: Database, run_id: str) -> list[Finding]:
    """What a person should know about the run."""
    rows = database.rows("SELECT kind, rule, epoch, detail FROM findings WHERE run_id = ? ORDER BY position", run_id)
    return [Finding(kind, rule, epoch, database.parsed(detail)) for kind, rule, epoch, detail in rows]


def artifacts(database: Database, run_id: str) -> list[Artifact]:
    """Named arrays that a report draws."""
    rows = database.rows("SELECT rule, name, tensors FROM artifacts WHERE run_id = ? ORDER BY position", run_id)
    return [Artifact(*row) for row in rows]


def require_as_written(database: Database, row: digests.RunRow) -> None:
    """Raises StorageError where the database holds other values for a run than were written to it."""
    run_id = row[0]
    if database.rows("SELECT digest FROM runs WHERE id = ?", run_id) != [(digests.of_run(database, row),)]:
        raise damaged(database.file, f"other values for run {run_id} than were written")


def progress(database: Database, run_id: str) -> Progress | None:
    """Where a run stands that has begun and not ended, else None.

    Raises StorageError where the database no longer holds what was written: training must not go on from that.
    """
    rows = database.rows("SELECT tensors, scalars FROM progress WHERE run_id = ?", run_id)
    row = stored_row(database, run_id)
    if not rows or row is None:
        return None
    require_as_written(database, row)
    tensors, scalars = rows[0]
    return Progress(
        run_id=run_id,
        epochs_done=row[2],
        state=tensors,
        scalars=database.parsed(scalars),
        curves=curves(database, run_id),
        snapshots=snapshots(database, run_id),
    )
