"""What is recorded beside the results of runs: test-set reads, time and energy used, forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.records import Forecast, TestRead, UsageRecord

_BATCH = 500
"""How many values a query may list: SQLite built with its smallest limits takes 999."""


def log_test_reads(database: Database, reads: Iterable[TestRead]) -> None:
    """Add reads to the log, inside a transaction. One that equals an entry in every field is not added again."""
    for read in reads:
        epoch = None if read.epoch is None else int(read.epoch)
        values = (read.run_id, read.rule, epoch, int(read.examples), read.purpose, read.read_at)
        database.change(
            "INSERT INTO test_reads (run_id, rule, epoch, examples, purpose, read_at, digest) "
            "SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM test_reads WHERE run_id = ? AND rule = ? "
            "AND epoch IS ? AND examples = ? AND purpose = ? AND read_at = ?)",
            *(*values, digests.of(values), *values),
        )


def test_reads(database: Database, run_ids: Sequence[str]) -> list[TestRead]:
    """All reads for these runs, in the order in which they were logged."""
    rows = _of_runs(
        database,
        "SELECT ordinal, run_id, rule, epoch, examples, purpose, read_at FROM test_reads WHERE run_id IN",
        run_ids,
    )
    return [TestRead(*row[1:]) for row in sorted(rows)]


def record_usage(database: Database, usage: UsageRecord) -> None:
    """Add a usage record, or replace an earlier one of the same id (of the same session). Inside a transaction."""
    u = usage
    database.change("DELETE FROM usage_shares WHERE usage_id = ?", u.id)
    database.change(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (id) DO UPDATE SET "
        "started_at = excluded.started_at, wall_s = excluded.wall_s, cpu_s = excluded.cpu_s, "
        "energy_j = excluded.energy_j, tag = excluded.tag, method = excluded.method, "
        "model_epochs = excluded.model_epochs",
        *(u.id, u.started_at, u.wall_s, u.cpu_s, u.energy_j, u.tag, jsontext.dump(u.method), u.model_epochs),
    )
    shares = ((u.id, run_id, share) for run_id, share in u.shares.items())
    database.change_all("INSERT INTO usage_shares VALUES (?, ?, ?)", shares)
    database.change("UPDATE usage SET digest = ? WHERE id = ?", digests.of_usage(database, u.id), u.id)


def usage(database: Database, run_ids: Sequence[str]) -> list[UsageRecord]:
    """Every usage record in which one of these runs has a share, with all its shares, by the time of its start."""
    ids = {row[0] for row in _of_runs(database, "SELECT usage_id FROM usage_shares WHERE run_id IN", run_ids)}
    records = (_usage_record(database, usage_id) for usage_id in ids)
    return sorted(records, key=lambda record: (record.started_at, record.id))


def record_forecast(database: Database, forecast: Forecast) -> None:
    """Add a forecast, inside a transaction."""
    f = forecast
    energy_j = None if f.energy_j is None else float(f.energy_j)
    values = (f.study_id, f.made_at, int(f.model_epochs), float(f.wall_s), energy_j, _basis_text(f))
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
    return [_forecast(row, database) for row in rows]


_RANGES = ("low_s", "high_s", "low_j", "high_j", "session")


def _basis_text(forecast: Forecast) -> str:
    """What the column `basis` holds: the words alone, or with the range and the session a JSON object."""
    more = {name: value for name in _RANGES if (value := getattr(forecast, name)) not in (None, "")}
    return jsontext.dump({"basis": forecast.basis, **more}) if more else forecast.basis


def _forecast(row: tuple[Any, ...], database: Database) -> Forecast:
    study_id, made_at, model_epochs, wall_s, energy_j, basis = row
    known = database.parsed(basis) if str(basis).startswith("{") else {"basis": basis}
    ranges = {name: known[name] for name in _RANGES if name in known}
    return Forecast(study_id, made_at, model_epochs, wall_s, energy_j, str(known["basis"]), **ranges)


def _usage_record(database: Database, usage_id: str) -> UsageRecord:
    row = database.rows(
        "SELECT id, started_at, wall_s, cpu_s, energy_j, tag, method, model_epochs FROM usage WHERE id = ?", usage_id
    )[0]
    shares = database.rows("SELECT run_id, share FROM usage_shares WHERE usage_id = ? ORDER BY rowid", usage_id)
    *start, method, model_epochs = row
    return UsageRecord(*start, method=database.parsed(method), shares=dict(shares), model_epochs=model_epochs)


def _of_runs(database: Database, query: str, run_ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(run_ids), _BATCH):
        batch = run_ids[start : start + _BATCH]
        yield from database.rows(f"{query} ({', '.join('?' * len(batch))})", *batch)
