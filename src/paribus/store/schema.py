"""The tables of a workspace, their version, and the way from an older version to this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing

from paribus.store import faults
from paribus.store.refusals import COMPLETED

VERSION = 1
"""The format that this paribus writes. It reads every older one, and refuses newer ones."""

APPLICATION_ID = 0x50415249
"""Marks the SQLite file as a workspace's ("PARI")."""

Step = Callable[[sqlite3.Connection], None]

MIGRATIONS: Mapping[int, Step] = {}
"""Format `n` to the step that makes format `n + 1` of it, inside a transaction that the caller holds."""

_FORMAT_1 = """
CREATE TABLE studies (
    id TEXT PRIMARY KEY,
    ordinal INTEGER NOT NULL UNIQUE,     -- grows with each registration: the greatest is the latest
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'done', 'diverged')),
    epochs_done INTEGER NOT NULL CHECK (epochs_done >= 0),
    recipe TEXT NOT NULL,
    seed INTEGER NOT NULL,
    replicate INTEGER NOT NULL CHECK (replicate >= 0),
    data_fingerprint TEXT NOT NULL,
    environment TEXT NOT NULL,
    finished_at TEXT CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'diverged'))),
    digest TEXT NOT NULL                 -- of this row and of all rows below that name the run, test reads apart
);
CREATE TABLE members (
    study_id TEXT NOT NULL REFERENCES studies (id),
    arm TEXT NOT NULL,
    replicate INTEGER NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (study_id, arm, replicate)
);
CREATE INDEX members_by_run ON members (run_id);
CREATE TABLE progress (
    run_id TEXT PRIMARY KEY REFERENCES runs (id),
    tensors TEXT NOT NULL CHECK (length(tensors) = 64),
    scalars TEXT NOT NULL
);
CREATE INDEX progress_by_tensors ON progress (tensors);
CREATE TABLE curves (
    run_id TEXT NOT NULL REFERENCES runs (id),
    metric TEXT NOT NULL,
    "values" BLOB NOT NULL,              -- little-endian float64, one an epoch, NaN where not measured
    PRIMARY KEY (run_id, metric)
);
CREATE TABLE selections (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    epoch INTEGER,
    value REAL,
    tensors TEXT CHECK (length(tensors) = 64),
    PRIMARY KEY (run_id, rule)
);
CREATE INDEX selections_by_tensors ON selections (tensors);
CREATE TABLE snapshots (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    part TEXT NOT NULL CHECK (part IN ('network', 'first-layer')),
    tensors TEXT NOT NULL CHECK (length(tensors) = 64),
    PRIMARY KEY (run_id, epoch, part)
);
CREATE INDEX snapshots_by_tensors ON snapshots (tensors);
CREATE TABLE measurements (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL,                          -- NULL stands for NaN
    PRIMARY KEY (run_id, rule, name)
);
CREATE TABLE findings (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    epoch INTEGER,
    detail TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
);
CREATE TABLE artifacts (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    tensors TEXT NOT NULL CHECK (length(tensors) = 64),
    PRIMARY KEY (run_id, rule, name)
);
CREATE INDEX artifacts_by_tensors ON artifacts (tensors);
CREATE TABLE test_reads (
    ordinal INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    rule TEXT NOT NULL,
    epoch INTEGER,
    images INTEGER NOT NULL CHECK (images >= 0),
    purpose TEXT NOT NULL,
    read_at TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX test_reads_by_run ON test_reads (run_id);
CREATE TABLE spans (
    id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    wall_s REAL NOT NULL,
    cpu_s REAL NOT NULL,
    energy_j REAL CHECK (tag <> 'unknown' OR energy_j IS NULL),
    tag TEXT NOT NULL CHECK (tag IN ('measured', 'modelled', 'unknown')),
    method TEXT NOT NULL,
    model_epochs INTEGER NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE shares (
    span_id TEXT NOT NULL REFERENCES spans (id),
    run_id TEXT NOT NULL REFERENCES runs (id),
    share REAL NOT NULL,
    PRIMARY KEY (span_id, run_id)
);
CREATE INDEX shares_by_run ON shares (run_id);
CREATE TABLE forecasts (
    ordinal INTEGER PRIMARY KEY,
    study_id TEXT NOT NULL REFERENCES studies (id),
    made_at TEXT NOT NULL,
    model_epochs INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    energy_j REAL,
    basis TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE VIEW named_tensors AS             -- every file that some row names, and why
    SELECT tensors, run_id, 'selection ' || rule AS reason FROM selections WHERE tensors IS NOT NULL
    UNION ALL SELECT tensors, run_id, part || ' snapshot of epoch ' || epoch FROM snapshots
    UNION ALL SELECT tensors, run_id, 'artifact ' || name FROM artifacts
    UNION ALL SELECT tensors, run_id, 'progress' FROM progress;
"""

_RESULTS = ("progress", "curves", "selections", "snapshots", "measurements", "findings", "artifacts")
"""Tables whose rows belong to one run and end with it."""


def _guards() -> list[str]:
    """Triggers: the database itself refuses to change a run that has ended, or to shorten the log of test reads."""
    guards = [
        _guard("runs", "UPDATE", "OLD.state"),
        _guard("runs", "DELETE", "OLD.state"),
        _guard("runs", "INSERT", "(SELECT state FROM runs WHERE id = NEW.id)"),
    ]
    for table in _RESULTS:
        guards += [
            _guard(table, "INSERT", _state_of("NEW")),
            _guard(table, "DELETE", _state_of("OLD")),
            _guard(table, "UPDATE", _state_of("OLD")),
            _guard(table, "UPDATE", _state_of("NEW"), "_into"),
        ]
    guards += [
        f"CREATE TRIGGER test_reads_no_{verb} BEFORE {verb} ON test_reads "
        "BEGIN SELECT RAISE(ABORT, 'the log of test reads only grows'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    return guards


def _state_of(row: str) -> str:
    return f"(SELECT state FROM runs WHERE id = {row}.run_id)"  # noqa: S608 - made of the words above only


def _guard(table: str, verb: str, state: str, suffix: str = "") -> str:
    return (
        f"CREATE TRIGGER {table}_no_{verb}{suffix} BEFORE {verb} ON {table} "
        f"WHEN {state} IN ('done', 'diverged') BEGIN SELECT RAISE(ABORT, '{COMPLETED}'); END"
    )


def create(connection: sqlite3.Connection) -> None:
    """Fill an empty database: the tables of format 1, then every migration, so that old and new end up the same."""
    script = ["BEGIN IMMEDIATE", _FORMAT_1, *_guards()]
    script += [f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 1", "COMMIT"]
    connection.executescript(";\n".join(script) + ";")
    migrate(connection)


def version(connection: sqlite3.Connection) -> int | None:
    """The format of an open database; None where it is no workspace's."""
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        return None
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def altered(connection: sqlite3.Connection) -> list[str]:
    """Names of tables, indexes, views and guards of a database of this format that are not as `create` makes them."""
    found = {row for row in connection.execute(_OBJECTS) if not row[0].startswith("sqlite_stat")}
    return sorted({str(row[0]) for row in found ^ _intended()})


_OBJECTS = "SELECT name, type, tbl_name, sql FROM sqlite_master"


def _intended() -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection)
        return frozenset(connection.execute(_OBJECTS))


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database of an older format up to `VERSION`: each step in a transaction of its own, or not at all."""
    found = version(connection)
    while found is not None and found < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[found](connection)
            connection.execute(f"PRAGMA user_version = {found + 1}")
            with faults.around("migration commit"):
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        found += 1
