"""Digests of the rows of the database: they show a value that changed after it was written.

SQLite notices a page that makes no sense, not a number that became another one. Rows that belong together therefore
carry one SHA-256 over all their values, and `paribus verify` computes it again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from paribus.store.database import Database


class RunRow(NamedTuple):
    """A row of the table `runs` as it is stored, without its digest."""

    id: str
    state: str
    epochs_done: int
    identity: str
    recipe: str
    dataset: str
    environment: str
    started_at: str | None
    finished_at: str | None


RUN_COLUMNS = ", ".join(RunRow._fields)

LATER_COLUMNS = "run_id, rule, name, value, tensors, purpose, measured_at, environment"

_OF_RUN = (
    "SELECT tensors, scalars FROM progress WHERE run_id = ?",
    'SELECT metric, "values" FROM curves WHERE run_id = ? ORDER BY metric',
    "SELECT position, rule, epoch, value, tensors FROM selections WHERE run_id = ? ORDER BY position, rule",
    "SELECT position, epoch, part, tensors FROM snapshots WHERE run_id = ? ORDER BY position, epoch, part",
    "SELECT position, rule, name, value FROM measurements WHERE run_id = ? ORDER BY position, rule, name",
    "SELECT position, rule, name, tensors FROM artifacts WHERE run_id = ? ORDER BY position, rule, name",
)


def of(*values: Any) -> str:
    """SHA-256 of plain values (None, text, numbers, bytes, and sequences of them), in order."""
    text = json.dumps(values, separators=(",", ":"), default=bytes.hex)
    return hashlib.sha256(text.encode()).hexdigest()


def of_run(database: Database, row: RunRow) -> str:
    """Of a run's row as given and of all rows that belong to it, except test-set reads and later measurements."""
    return of(row, *(database.rows(query, row.id) for query in _OF_RUN))


def all_runs_as_written(database: Database) -> bool:
    """Whether everything recorded of runs is what was written, and indexes agree with tables.

    Takes about a millisecond per run.
    """
    if database.rows("PRAGMA integrity_check(1)") != [("ok",)]:
        return False
    runs = database.rows(f"SELECT {RUN_COLUMNS}, digest FROM runs")  # noqa: S608 - a constant
    later = database.rows(f"SELECT {LATER_COLUMNS}, digest FROM later")  # noqa: S608
    return all(of_run(database, RunRow(*row)) == digest for *row, digest in runs) and all(
        of(row) == digest for *row, digest in later
    )


def of_study(database: Database, study_id: str) -> str:
    """Of a study's row, its members and its claims."""
    study = database.rows("SELECT id, name, document, registered_at FROM studies WHERE id = ?", study_id)
    members = database.rows(
        "SELECT arm, replicate, run_id, position FROM members WHERE study_id = ? ORDER BY position", study_id
    )
    claims = database.rows(
        "SELECT position, digest, text, registered_at FROM claims WHERE study_id = ? ORDER BY position", study_id
    )
    return of(study, members, claims)


def of_usage(database: Database, usage_id: str) -> str:
    """Of the row of a usage record and of its shares."""
    usage = database.rows(
        "SELECT id, started_at, wall_s, cpu_s, energy_j, tag, method, model_epochs FROM usage WHERE id = ?", usage_id
    )
    shares = database.rows("SELECT run_id, share FROM usage_shares WHERE usage_id = ? ORDER BY run_id", usage_id)
    return of(usage, shares)
