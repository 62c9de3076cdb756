"""Later measurements: what is measured on a run after it has ended. What was trained stays as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.digests import LATER_COLUMNS
from paribus.store.records import LaterMeasurement
from paribus.store.refusals import already_measured
from paribus.store.runs import stored_row


def named(items: Sequence[LaterMeasurement]) -> Iterator[str]:
    """Every tensor file that the rows of these measurements name."""
    yield from (item.tensors for item in items if item.tensors is not None)


def add(database: Database, run_id: str, items: Sequence[LaterMeasurement]) -> None:
    """Add measurements of a run, inside a transaction.

    Raises StorageError where the run has a measurement or artifact of that rule and name already, ValueError where the
    run is not done, or an item is not of this run or has not exactly one of a value and tensors.
    """
    row = stored_row(database, run_id)
    if row is None or row.state != "done":
        raise ValueError(f"run {run_id} must be done before more is measured on it")
    for item in items:
        if item.run_id != run_id:
            raise ValueError(f"a measurement of run {item.run_id} was given as one of run {run_id}")
        if (item.value is None) == (item.tensors is None):
            raise ValueError(f"{item.name} must have either a value or tensors")
        if _exists(database, item):
            raise already_measured(database.folder, item.name, run_id)
        values = _columns(item)
        database.change(
            f"INSERT INTO later ({LATER_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            *values,
            digests.of(values),
        )


def of_run(database: Database, run_id: str) -> list[LaterMeasurement]:
    """The later measurements of a run, in the order in which they were added."""
    rows = database.rows(f"SELECT {LATER_COLUMNS} FROM later WHERE run_id = ? ORDER BY ordinal", run_id)  # noqa: S608
    return [_record(database, row) for row in rows]


def _exists(database: Database, item: LaterMeasurement) -> bool:
    query = "SELECT 1 FROM measured WHERE run_id = ? AND rule = ? AND name = ?"
    return bool(database.rows(query, item.run_id, item.rule, item.name))


def _columns(item: LaterMeasurement) -> tuple[Any, ...]:
    """The row of a measurement: NaN becomes NULL, as SQLite has no NaN."""
    value = None if item.value is None or math.isnan(item.value) else float(item.value)
    environment = jsontext.dump(item.environment)
    return (item.run_id, item.rule, item.name, value, item.tensors, item.purpose, item.measured_at, environment)


def _record(database: Database, row: Sequence[Any]) -> LaterMeasurement:
    run_id, rule, name, value, tensors, purpose, measured_at, environment = row
    if value is None and tensors is None:
        value = math.nan
    parsed = database.parsed(environment)
    return LaterMeasurement(run_id, rule, name, value, tensors, purpose, measured_at, parsed)
