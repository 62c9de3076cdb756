"""The tables of a workspace, their version, and the way from an older version to this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache

from paribus.store import faults
from paribus.store.refusals import COMPLETED

VERSION = 1
"""The format that this paribus writes. It reads every older format and refuses newer ones."""

APPLICATION_ID = 0x50415249
"""Marks the SQLite file as a workspace's ("PARI")."""

Step = Callable[[sqlite3.Connection], None]

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
    state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'paused', 'done', 'diverged')),
    epochs_done INTEGER NOT NULL CHECK (epochs_done >= 0),
    identity TEXT NOT NULL,              -- canonical JSON: the id is its hash
    recipe TEXT NOT NULL,
    dataset TEXT NOT NULL,
    environment TEXT NOT NULL,
    started_at TEXT CHECK ((started_at IS NOT NULL) = (state <> 'planned')),
    finished_at TEXT CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'diverged'))),
    digest TEXT NOT NULL                 -- of this row and of the rows of the run in progress, ..., artifacts
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
CREATE TABLE claims (
    study_id TEXT NOT NULL REFERENCES studies (id),
    position INTEGER NOT NULL,
    digest TEXT NOT NULL,                -- of the text
    text TEXT NOT NULL,
    registered_at TEXT NOT NULL,         -- when a study of the same name first had this claim
    PRIMARY KEY (study_id, digest)
);
CREATE TABLE progress (
    run_id TEXT PRIMARY KEY REFERENCES runs (id),
    tensors TEXT NOT NULL CHECK (length(tensors) = 64),
    scalars TEXT NOT NULL
);
CREATE INDEX progress_by_tensors ON progress (tensors);
CREATE TABLE curves (
    run_id TEXT NOT NULL REFERENCES runs (id),
    metric TEXT NOT NULL,
    "values" BLOB NOT NULL,              -- little-endian float64, one per epoch, NaN where not measured
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
CREATE TABLE artifacts (
    run_id TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    tensors TEXT NOT NULL CHECK (length(tensors) = 64),
    PRIMARY KEY (run_id, rule, name)
);
CREATE INDEX artifacts_by_tensors ON artifacts (tensors);
CREATE TABLE later (                     -- measured on a run that was done already
    ordinal INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL CHECK (value IS NULL OR tensors IS NULL),
    tensors TEXT CHECK (length(tensors) = 64),
    purpose TEXT NOT NULL,               -- where value and tensors are NULL, the value is NaN
    measured_at TEXT NOT NULL,
    environment TEXT NOT NULL,
    digest TEXT NOT NULL,                -- of this row
    UNIQUE (run_id, rule, name)
);
CREATE INDEX later_by_tensors ON later (tensors);
CREATE TABLE test_reads (
    ordinal INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    rule TEXT NOT NULL,
    epoch INTEGER,
    examples INTEGER NOT NULL CHECK (examples >= 0),
    purpose TEXT NOT NULL,
    read_at TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX test_reads_by_run ON test_reads (run_id);
CREATE TABLE usage (
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
CREATE TABLE usage_shares (
    usage_id TEXT NOT NULL REFERENCES usage (id),
    run_id TEXT NOT NULL REFERENCES runs (id),
    share REAL NOT NULL,
    PRIMARY KEY (usage_id, run_id)
);
CREATE INDEX usage_shares_by_run ON usage_shares (run_id);
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
CREATE TABLE proposals (                 -- the candidates of a search, before they train
    study_id TEXT NOT NULL REFERENCES studies (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    batch INTEGER NOT NULL CHECK (batch >= 0),
    "values" TEXT NOT NULL,              -- JSON: dotted keys of an arm
    proposer TEXT NOT NULL,
    proposed_at TEXT NOT NULL,
    digest TEXT NOT NULL,                -- of this row
    PRIMARY KEY (study_id, number)
);
CREATE TABLE assessments (               -- what they came to at each rung
    study_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    rung INTEGER NOT NULL CHECK (rung >= 0),
    epochs INTEGER NOT NULL CHECK (epochs > 0),
    value REAL,                          -- NULL where a replicate has none
    faults TEXT NOT NULL,
    assessed_at TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (study_id, number, rung),
    FOREIGN KEY (study_id, number) REFERENCES proposals (study_id, number)
);
CREATE VIEW named_tensors AS             -- every file that some row names, and why
    SELECT tensors, run_id, 'selection ' || rule AS reason FROM selections WHERE tensors IS NOT NULL
    UNION ALL SELECT tensors, run_id, part || ' snapshot of epoch ' || epoch FROM snapshots
    UNION ALL SELECT tensors, run_id, 'artifact ' || name FROM artifacts
    UNION ALL SELECT tensors, run_id, 'artifact ' || name FROM later WHERE tensors IS NOT NULL
    UNION ALL SELECT tensors, run_id, 'progress' FROM progress;
CREATE VIEW measured AS                  -- every name of a number or an artifact that a run has
    SELECT run_id, rule, name FROM measurements
    UNION ALL SELECT run_id, rule, name FROM artifacts
    UNION ALL SELECT run_id, rule, name FROM later;
"""

_RESULTS = ("progress", "curves", "selections", "snapshots", "measurements", "artifacts")
"""Tables whose rows belong to one run and do not change after its end."""

_APPEND_ONLY = ("claims", "later", "test_reads", "proposals", "assessments")
"""Tables whose rows are never changed nor deleted."""


def _guards() -> list[str]:
    """Triggers: the database itself refuses changes of a run that has ended, and of what is only ever added to."""
    guards = [
        _refuse_ended("runs", "UPDATE", "OLD.state"),
        _refuse_ended("runs", "DELETE", "OLD.state"),
        _refuse_ended("runs", "INSERT", "(SELECT state FROM runs WHERE id = NEW.id)"),
        _refuse("later_of_done_runs", "INSERT ON later", "the run is not done", f"{_state_of('NEW')} IS NOT 'done'"),
        _refuse("later_no_other_value", "INSERT ON later", "a recorded measurement is never replaced", _MEASURED),
        _refuse("runs_no_other_origin", "UPDATE ON runs", "a run's origin is never changed", _OTHER_ORIGIN),
    ]
    for table in _RESULTS:
        guards += [
            _refuse_ended(table, "INSERT", _state_of("NEW")),
            _refuse_ended(table, "DELETE", _state_of("OLD")),
            _refuse_ended(table, "UPDATE", _state_of("OLD")),
            _refuse_ended(table, "UPDATE", _state_of("NEW"), "_into"),
        ]
    guards += [
        _refuse(f"{table}_no_{change}", f"{change} ON {table}", f"rows of {table} are only added")
        for table in _APPEND_ONLY
        for change in ("UPDATE", "DELETE")
    ]
    return guards


_MEASURED = (
    "EXISTS (SELECT 1 FROM measured WHERE run_id = NEW.run_id AND rule = NEW.rule AND name = NEW.name) "
    "OR EXISTS (SELECT 1 FROM later WHERE ordinal = NEW.ordinal)"
)
_OTHER_ORIGIN = (
    "NEW.id IS NOT OLD.id OR NEW.identity IS NOT OLD.identity OR NEW.recipe IS NOT OLD.recipe "
    "OR NEW.dataset IS NOT OLD.dataset OR (OLD.started_at IS NOT NULL AND NEW.started_at IS NOT OLD.started_at)"
)


def _state_of(row: str) -> str:
    return f"(SELECT state FROM runs WHERE id = {row}.run_id)"  # noqa: S608 - made of the words above only


def _refuse_ended(table: str, change: str, state: str, suffix: str = "") -> str:
    name = f"{table}_no_{change}{suffix}"
    return _refuse(name, f"{change} ON {table}", COMPLETED, f"{state} IN ('done', 'diverged')")


def _refuse(name: str, change: str, message: str, condition: str = "1") -> str:
    text = message.replace("'", "''")
    return f"CREATE TRIGGER {name} BEFORE {change} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{text}'); END"


MIGRATIONS: Mapping[int, Step] = {}
"""Format `n` to the step that makes format `n + 1` of it, inside a transaction that the caller holds."""


def create(connection: sqlite3.Connection) -> None:
    """Fill an empty database: the tables of format 1, then every migration, so that old and new end up the same."""
    script = ["BEGIN IMMEDIATE", _FORMAT_1, *_guards()]
    script += [f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 1", "COMMIT"]
    connection.executescript(";\n".join(script) + ";")
    for number in range(1, VERSION):
        MIGRATIONS[number](connection)
        connection.execute(f"PRAGMA user_version = {number + 1}")


def version(connection: sqlite3.Connection) -> int | None:
    """The format of an open database; None where it is not a workspace's."""
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        return None
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def altered(connection: sqlite3.Connection) -> list[str]:
    """Names of tables, indexes, views and guards of a database of this format that are not as `create` makes them."""
    found = {row for row in connection.execute(_OBJECTS) if not row[0].startswith("sqlite_stat")}
    return sorted({str(row[0]) for row in found ^ _intended(VERSION, tuple(MIGRATIONS.values()))})


_OBJECTS = "SELECT name, type, tbl_name, sql FROM sqlite_master"


@cache
def _intended(_version: int, _steps: tuple[Step, ...]) -> frozenset[tuple[str, ...]]:
    """What `create` makes. It takes some milliseconds, which every opening would wait for."""
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
