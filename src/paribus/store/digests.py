"""Digests of what the database holds, so that a flipped bit in it is told from what was written.

SQLite notices a page that makes no sense, not a number that became another one. Rows that belong together therefore
carry one SHA-256 over all their values, and `paribus verify` works it out again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from paribus.store.database import Database

RunRow = tuple[str, str, int, str, int, int, str, str, str | None]
"""id, state, epochs_done, recipe, seed, replicate, data_fingerprint, environment, finished_at: as stored."""

RUN_COLUMNS = "id, state, epochs_done, recipe, seed, replicate, data_fingerprint, environment, finished_at"

_OF_RUN = (
    "SELECT tensors, scalars FROM progress WHERE run_id = ?",
    'SELECT metric, "values" FROM curves WHERE run_id = ? ORDER BY metric',
    "SELECT position, rule, epoch, value, tensors FROM selections WHERE run_id = ? ORDER BY position, rule",
    "SELECT position, epoch, part, tensors FROM snapshots WHERE run_id = ? ORDER BY position, epoch, part",
    "SELECT position, rule, name, value FROM measurements WHERE run_id = ? ORDER BY position, rule, name",
    "SELECT position, kind, rule, epoch, detail FROM findings WHERE run_id = ? ORDER BY position",
    "SELECT position, rule, name, tensors FROM artifacts WHERE run_id = ? ORDER BY position, rule, name",
)


def of(*values: Any) -> str:
    """SHA-256 of plain values (None, text, numbers, bytes, and sequences of them), in order."""
    text = json.dumps(values, separators=(",", ":"), default=bytes.hex)
    return hashlib.sha256(text.encode()).hexdigest()


def of_run(database: Database, row: RunRow) -> str:
    """Of a run's row as given and of all rows in the database that belong to it, except the log of test reads."""
    return of(row, *(database.rows(query, row[0]) for query in _OF_RUN))


def all_runs_as_written(database: Database) -> bool:
    """Whether every run in the database still is what was written, and indexes say the same as tables.

    Takes about a millisecond a run.
    """
    if database.rows("PRAGMA integrity_check(1)") != [("ok",)]:
        return False
    rows = database.rows(f"SELECT {RUN_COLUMNS}, digest FROM runs")  # noqa: S608 - a constant
    return all(of_run(database, (a, b, c, d, e, f, g, h, i)) == digest for a, b, c, d, e, f, g, h, i, digest in rows)


def of_study(database: Database, study_id: str) -> str:
    """Of a study's row and of its members."""
    study = database.rows("SELECT id, name, document, registered_at FROM studies WHERE id = ?", study_id)
    members = database.rows(
        "SELECT arm, replicate, run_id, position FROM members WHERE study_id = ? ORDER BY position", study_id
    )
    return of(study, members)


def of_span(database: Database, span_id: str) -> str:
    """Of a span's row and of its shares."""
    span = database.rows(
        "SELECT id, started_at, wall_s, cpu_s, energy_j, tag, method, model_epochs FROM spans WHERE id = ?", span_id
    )
    return of(span, database.rows("SELECT run_id, share FROM shares WHERE span_id = ? ORDER BY run_id", span_id))
