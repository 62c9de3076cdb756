"""What is booked beside the results: readings of the locked drawer, energy and time, forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.records import Forecast, Span, TestRead

_BATCH = 500
"""How many values a query may list: SQLite built with its smallest limits takes 999."""


def log_test_reads(database: Database, reads: Iterable[TestRead]) -> None:
    """Add readings to the log, inside a transaction. One that stands there to the letter is not added again."""
    for read in reads:
        values = (read.run_id, read.rule, _whole(read.epoch), int(read.images), read.purpose, read.read_at)
        database.change(
            "INSERT INTO test_reads (run_id, rule, epoch, images, purpose, read_at, digest) "
            "SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM test_reads WHERE run_id = ? AND rule = ? "
            "AND epoch IS ? AND images = ? AND purpose = ? AND read_at = ?)",
            *(*values, digests.of(values), *values),
        )


def test_reads(database: Database, run_ids: Sequence[str]) -> list[TestRead]:
    """All readings for these runs, in the order in which they were logged."""
    rows = _of_runs(
        database,
        "SELECT ordinal, run_id, rule, epoch, images, purpose, read_at FROM test_reads WHERE run_id IN",
        run_ids,
    )
    return [TestRead(*row[1:]) for row in sorted(rows)]


def record_span(database: Database, span: Span) -> None:
    """Add a span, or put it in the place of an earlier, shorter one of the same id. Inside a transaction."""
    method = jsontext.dump(span.method)
    database.change("DELETE FROM shares WHERE span_id = ?", span.id)
    database.change(
        "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (id) DO UPDATE SET "
        "started_at = excluded.started_at, wall_s = excluded.wall_s, cpu_s = excluded.cpu_s, "
        "energy_j = excluded.energy_j, tag = excluded.tag, method = excluded.method, "
        "model_epochs = excluded.model_epochs",
        *(span.id, span.started_at, span.wall_s, span.cpu_s, span.energy_j, span.tag, method, span.model_epochs),
    )
    shares = ((span.id, run_id, share) for run_id, share in span.shares.items())
    database.change_all("INSERT INTO shares VALUES (?, ?, ?)", shares)
    database.change("UPDATE spans SET digest = ? WHERE id = ?", digests.of_span(database, span.id), span.id)


def spans(database: Database, run_ids: Sequence[str]) -> list[Span]:
    """Every span in which one of these runs has a share, whole, by the time at which it started."""
    found = {row[0] for row in _of_runs(database, "SELECT span_id FROM shares WHERE run_id IN", run_ids)}
    return sorted((_span(database, span_id) for span_id in found), key=lambda span: (span.started_at, span.id))


def record_forecast(database: Database, forecast: Forecast) -> None:
    """Add a forecast, inside a transaction."""
    f = forecast
    values = (f.study_id, f.made_at, int(f.model_epochs), float(f.wall_s), _real(f.energy_j), f.basis)
    database.change(
        "INSERT INTO forecasts (study_id, made_at, model_epochs, wall_s, energy_j, basis, digest) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(*values, digests.of(values)),
    )


def forecasts(database: Database, study_id: str) -> list[Forecast]:
    """The forecasts of a study, in the order in which they were made."""
    rows = database.rows(
        "SELECT study_id, made_at, model_epochs, wall_s, energy_j, basis FROM forecasts WHERE study_id = ? "
        "ORDER BY ordinal",
        study_id,
    )
    return [Forecast(*row) for row in rows]


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _span(database: Database, span_id: str) -> Span:
    row = database.rows(
        "SELECT id, started_at, wall_s, cpu_s, energy_j, tag, method, model_epochs FROM spans WHERE id = ?", span_id
    )[0]
    shares = database.rows("SELECT run_id, share FROM shares WHERE span_id = ? ORDER BY rowid", span_id)
    *start, method, model_epochs = row
    return Span(*start, method=database.parsed(method), shares=dict(shares), model_epochs=model_epochs)


def _of_runs(database: Database, query: str, run_ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(run_ids), _BATCH):
        batch = run_ids[start : start + _BATCH]
        yield from database.rows(f"{query} ({', '.join('?' * len(batch))})", *batch)
