"""What training writes about runs: checkpoints while they go on, and the outcome when they end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from paribus.store import digests, jsontext, logs
from paribus.store.database import Database
from paribus.store.digests import RunRow
from paribus.store.records import Curve, Outcome, Progress, Snapshot
from paribus.store.refusals import completed
from paribus.store.runs import stored_row

ENDED = ("done", "diverged")


def named_by_progress(progress: Progress) -> Iterator[str]:
    """Every tensor file that the rows of a `Progress` name."""
    yield progress.tensors
    yield from (snapshot.tensors for snapshot in progress.snapshots)


def named_by_outcome(outcome: Outcome) -> Iterator[str]:
    """Every tensor file that the rows of an `Outcome` name."""
    yield from (chosen.tensors for chosen in outcome.selections if chosen.tensors is not None)
    yield from (snapshot.tensors for snapshot in outcome.snapshots)
    yield from (artifact.tensors for artifact in outcome.artifacts)


def save_progress(database: Database, items: Sequence[Progress]) -> set[str]:
    """Replace the checkpoints of runs; returns the tensor files that the replaced rows named.

    Inside a transaction. Raises StorageError for a run that has ended, ValueError for one that was never registered.
    """
    replaced: set[str] = set()
    for item in items:
        row = _open_row(database, item.run_id)
        _check_curves(item.run_id, item.curves, item.epochs_done)
        replaced |= _delete_progress(database, item.run_id)
        scalars = jsontext.dump(item.scalars)
        database.change("INSERT INTO progress VALUES (?, ?, ?)", item.run_id, item.tensors, scalars)
        _insert_curves(database, item.run_id, item.curves)
        _insert_snapshots(database, item.run_id, item.snapshots)
        started_at = row.started_at or item.started_at
        new = row._replace(state=item.state, epochs_done=int(item.epochs_done), started_at=started_at)
        _update_run(database, new)
    return replaced


def finish(database: Database, outcomes: Sequence[Outcome], *, now: str) -> set[str]:
    """Record how runs ended, for good, and delete their checkpoints; returns the tensor files that those named.

    Inside a transaction. Raises StorageError for a run that has ended, ValueError for one that was never registered.
    """
    replaced: set[str] = set()
    for outcome in outcomes:
        row = _open_row(database, outcome.run_id)
        _check_curves(outcome.run_id, outcome.curves, outcome.epochs_done)
        replaced |= _delete_progress(database, outcome.run_id)
        _insert_curves(database, outcome.run_id, outcome.curves)
        _insert_snapshots(database, outcome.run_id, outcome.snapshots)
        _insert_results(database, outcome)
        logs.log_test_reads(database, outcome.test_reads)
        new = row._replace(
            state=outcome.state,
            epochs_done=int(outcome.epochs_done),
            environment=jsontext.dump(outcome.environment),
            started_at=row.started_at or outcome.started_at,
            finished_at=now,
        )
        _update_run(database, new)
    return replaced


def unnamed(database: Database, names: set[str]) -> list[str]:
    """Those of `names` that no row names any more."""
    return [name for name in sorted(names) if not database.rows("SELECT 1 FROM named_tensors WHERE tensors = ?", name)]


def _open_row(database: Database, run_id: str) -> RunRow:
    row = stored_row(database, run_id)
    if row is None:
        raise ValueError(f"run {run_id} must be registered before anything is recorded of it")
    if row.state in ENDED:
        raise completed(database.folder, run_id)
    return row


def _check_curves(run_id: str, curves: Mapping[str, Curve], epochs_done: int) -> None:
    for metric, values in curves.items():
        if values.shape != (epochs_done,):
            raise ValueError(
                f"curve {metric} of run {run_id} must have one value for each of {epochs_done} epochs, got shape "
                f"{values.shape}"
            )


def _delete_progress(database: Database, run_id: str) -> set[str]:
    """Delete the rows of a run's checkpoint; returns the tensor files that they named."""
    named = {name for (name,) in database.rows("SELECT tensors FROM named_tensors WHERE run_id = ?", run_id)}
    for statement in (
        "DELETE FROM progress WHERE run_id = ?",
        "DELETE FROM curves WHERE run_id = ?",
        "DELETE FROM snapshots WHERE run_id = ?",
    ):
        database.change(statement, run_id)
    return named


def _insert_curves(database: Database, run_id: str, curves: Mapping[str, Curve]) -> None:
    database.change_all(
        "INSERT INTO curves VALUES (?, ?, ?)",
        ((run_id, metric, np.asarray(values, dtype="<f8").tobytes()) for metric, values in curves.items()),
    )


def _insert_snapshots(database: Database, run_id: str, snapshots: Sequence[Snapshot]) -> None:
    database.change_all(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)",
        ((run_id, i, snapshot.epoch, snapshot.part, snapshot.tensors) for i, snapshot in enumerate(snapshots)),
    )


def _insert_results(database: Database, outcome: Outcome) -> None:
    run_id = outcome.run_id
    database.change_all(
        "INSERT INTO selections VALUES (?, ?, ?, ?, ?, ?)",
        ((run_id, i, s.rule, s.epoch, s.value, s.tensors) for i, s in enumerate(outcome.selections)),
    )
    database.change_all(
        "INSERT INTO measurements VALUES (?, ?, ?, ?, ?)",
        ((run_id, i, m.rule, m.name, float(m.value)) for i, m in enumerate(outcome.measurements)),
    )
    database.change_all(
        "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?)",
        ((run_id, i, a.rule, a.name, a.tensors) for i, a in enumerate(outcome.artifacts)),
    )


def _update_run(database: Database, row: RunRow) -> None:
    """Call it last: the database refuses every change of a run that has ended."""
    database.change(
        "UPDATE runs SET state = ?, epochs_done = ?, environment = ?, started_at = ?, finished_at = ?, digest = ? "
        "WHERE id = ?",
        *(row.state, row.epochs_done, row.environment, row.started_at, row.finished_at),
        *(digests.of_run(database, row), row.id),
    )
