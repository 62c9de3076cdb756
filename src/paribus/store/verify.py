"""Whether a workspace still holds what was written to it: every hash, every reference, every row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.errors import StorageError
from paribus.store import digests, disk, jsontext, searches
from paribus.store.database import DATABASE, TENSORS, Database
from paribus.store.digests import RunRow
from paribus.store.recording import ENDED
from paribus.store.runs import stored_row
from paribus.store.studies import run_title
from paribus.store.tensors import SUFFIX, TensorFolder, is_name


@dataclass(frozen=True)
class Verification:
    """What was checked (kind to number), what is wrong, and what is odd but harmless: one line each."""

    checked: Mapping[str, int]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify(path: Path) -> Verification:
    """Check the workspace in folder `path`, changing nothing.

    A damaged file is a problem in the list, which names the file and the runs that use it; all that can still be
    checked is checked. Raises UserError where the folder is not a workspace or of a newer format.
    """
    tensors = TensorFolder(path / TENSORS, _no_writing)
    stored = tensors.names()
    damage = {name: problem for name in stored if (problem := _damage(tensors, name)) is not None}
    notes = list(_other_files(path))
    checked = {"files": len(stored)}
    problems: list[str] = []
    try:
        database = Database.open(path, create=False, write=False, allow_damaged=True)
    except StorageError as error:
        problems = [str(error), *(f"{_file(name)}: {damage[name]}" for name in damage)]
        return Verification(checked, tuple(problems), tuple(notes))
    try:
        for check in (_structure, _studies, _searches, _runs, _later, _logs):
            with database.reading():
                problems += _collected(check, database, checked)
        references = _References(tensors, damage, notes)
        problems += _collected(references.problems, database, checked)
        problems += references.unreported()
    finally:
        database.close()
    return Verification(checked, tuple(problems), tuple(notes))


_Check = Callable[[Database, dict[str, int]], Iterator[str]]


def _collected(check: _Check, database: Database, checked: dict[str, int]) -> list[str]:
    """The problems that one check finds, until the database's own damage may stop it."""
    problems: list[str] = []
    try:
        for problem in check(database, checked):
            problems.append(problem)  # noqa: PERF402 - what was found before an error is kept
    except (StorageError, sqlite3.DatabaseError, ValueError, OverflowError) as error:
        problems.append(f"{DATABASE}: {error}")
    return [" ".join(problem.split()) for problem in problems]


def _no_writing() -> None:
    raise RuntimeError("verify writes nothing")


def _damage(tensors: TensorFolder, name: str) -> str | None:
    try:
        tensors.get(name)
    except StorageError as error:
        return f"damaged: {error.given}" if tensors.path(name).exists() else None
    return None


def _other_files(path: Path) -> Iterator[str]:
    folder = path / TENSORS
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.suffix == disk.TEMPORARY:
            yield f"{TENSORS}/{entry.name}: left by an interrupted write; harmless, and removed at the next run"
        elif not (entry.suffix == SUFFIX and is_name(entry.stem)):
            yield f"{TENSORS}/{entry.name}: not made by paribus; left alone"


def _structure(database: Database, _checked: dict[str, int]) -> Iterator[str]:
    for name in database.altered():
        yield f"{DATABASE}: the definition of {name} is not as it was written"
    for (line,) in database.rows("PRAGMA integrity_check"):
        if line != "ok":
            yield f"{DATABASE}: {line}"
    for table, row, parent, _ in database.rows("PRAGMA foreign_key_check"):
        yield f"{DATABASE}: row {row} of {table} names a row of {parent} that does not exist"


def _studies(database: Database, checked: dict[str, int]) -> Iterator[str]:
    rows = database.rows("SELECT id, name, digest FROM studies ORDER BY ordinal")
    checked["studies"] = len(rows)
    for study_id, name, digest in rows:
        if digests.of_study(database, study_id) != digest:
            yield f"study {name} ({study_id}): its row, its list of runs or its claims are not as they were written"


def _searches(database: Database, checked: dict[str, int]) -> Iterator[str]:
    found = database.rows("SELECT count(*) FROM proposals")[0][0]
    if found:
        checked["proposals"] = found
    yield from searches.altered(database)


def _runs(database: Database, checked: dict[str, int]) -> Iterator[str]:
    rows = database.rows("SELECT id, digest FROM runs ORDER BY rowid")
    checked["runs"] = len(rows)
    for run_id, digest in rows:
        try:
            yield from _run(database, run_id, digest)
        except (StorageError, sqlite3.DatabaseError) as error:
            yield f"run {run_id}: {error}"


def _run(database: Database, run_id: str, digest: str) -> Iterator[str]:
    row = stored_row(database, run_id)
    if row is None:
        yield f"run {run_id}: cannot be found by its name"
        return
    title = run_title(database, run_id)
    if digests.of_run(database, row) != digest:
        yield f"{title}: what is recorded of it is not as it was written"
    for problem in (*_inconsistent(database, row), *_out_of_range(database, run_id, row.epochs_done)):
        yield f"{title}: {problem}"


def _inconsistent(database: Database, row: RunRow) -> Iterator[str]:
    """Where a run's state and the rows that it has do not agree."""
    for key, text in (("recipe", row.recipe), ("dataset", row.dataset), ("environment", row.environment)):
        if not _is_json(text):
            yield f"its {key} is no JSON"
    if row.state == "planned" and row.epochs_done:
        yield f"planned, but {row.epochs_done} epochs are done"
    progress = database.rows("SELECT scalars FROM progress WHERE run_id = ?", row.id)
    if bool(progress) != (row.state in ("running", "paused")):
        yield f"{row.state}, but it has {'a' if progress else 'no'} checkpoint"
    if row.state not in ENDED and any(database.rows(query, row.id) != [(0,)] for query in _RESULTS):
        yield f"{row.state}, but it has results"


def _out_of_range(database: Database, run_id: str, epochs_done: int) -> Iterator[str]:
    """Rows about epochs that the run does not have."""
    for metric, size in database.rows('SELECT metric, length("values") FROM curves WHERE run_id = ?', run_id):
        if size != 8 * epochs_done:
            yield f"curve {metric} has {size} bytes for {epochs_done} epochs of 8 bytes each"
    for epoch, part in database.rows("SELECT epoch, part FROM snapshots WHERE run_id = ?", run_id):
        if epoch > epochs_done:
            yield f"has a {part} snapshot of epoch {epoch}, but only {epochs_done} epochs"
    for rule, epoch in database.rows("SELECT rule, epoch FROM selections WHERE run_id = ?", run_id):
        if epoch is not None and not 0 <= epoch <= epochs_done:
            yield f"{rule} chose epoch {epoch}, but it has only {epochs_done} epochs"


_RESULTS = (
    "SELECT count(*) FROM selections WHERE run_id = ?",
    "SELECT count(*) FROM measurements WHERE run_id = ?",
    "SELECT count(*) FROM artifacts WHERE run_id = ?",
)


def _is_json(text: Any) -> bool:
    try:
        jsontext.load(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _later(database: Database, checked: dict[str, int]) -> Iterator[str]:
    rows = database.rows(f"SELECT {digests.LATER_COLUMNS}, digest FROM later")  # noqa: S608 - a constant
    checked["later measurements"] = len(rows)
    for *values, digest in rows:
        if digests.of(values) != digest:
            run_id, rule, name, *_ = values
            at = f" at {rule}" if rule else ""
            yield f"{run_title(database, run_id)}: the later measurement of {name}{at} is not as it was written"


def _logs(database: Database, checked: dict[str, int]) -> Iterator[str]:
    reads = database.rows("SELECT run_id, rule, epoch, examples, purpose, read_at, digest FROM test_reads")
    usage = database.rows("SELECT id, digest FROM usage")
    forecasts = database.rows("SELECT study_id, made_at, model_epochs, wall_s, energy_j, basis, digest FROM forecasts")
    checked.update({"test-set reads": len(reads), "usage records": len(usage), "forecasts": len(forecasts)})
    for *values, digest in reads:
        if digests.of(values) != digest:
            yield f"run {values[0]}: the log of test-set reads is not as it was written (entry of {values[5]})"
    for usage_id, digest in usage:
        if digests.of_usage(database, usage_id) != digest:
            yield f"usage record {usage_id}: its energy, times or shares are not as they were written"
    for *values, digest in forecasts:
        if digests.of(values) != digest:
            yield f"study {values[0]}: the forecast of {values[1]} is not as it was written"


class _References:
    """Compares the names that rows give to tensor files with the files, and finds orphans: files that no row names."""

    def __init__(self, tensors: TensorFolder, damage: Mapping[str, str], notes: list[str]) -> None:
        self._tensors = tensors
        self._damage = damage
        self._notes = notes
        self._reported: set[str] = set()

    def problems(self, database: Database, checked: dict[str, int]) -> Iterator[str]:
        rows = database.rows("SELECT tensors, run_id, reason FROM named_tensors ORDER BY run_id, reason")
        checked["references"] = len(rows)
        for name, run_id, reason in rows:
            self._reported.add(name)
            if not is_name(name):
                yield f"{run_title(database, run_id)}: {reason} names {name!r}, which cannot be a tensor file"
            elif name in self._damage:
                yield f"{_file(name)}: {self._damage[name]}; it is {reason} of {run_title(database, run_id)}"
            elif not self._tensors.path(name).exists() and _still_named(database, name):
                yield f"{_file(name)}: not found; it is {reason} of {run_title(database, run_id)}"
        for name in self._tensors.names():
            if name not in self._reported and not _still_named(database, name):
                self._reported.add(name)
                harm = "; also damaged" if name in self._damage else ""
                self._notes.append(f"{_file(name)}: no run names it{harm}; harmless, and removed at the next run")

    def unreported(self) -> list[str]:
        """Damaged files that are not reported yet, because the database could not be read to the end."""
        return [f"{_file(name)}: {problem}" for name, problem in self._damage.items() if name not in self._reported]


def _file(name: str) -> str:
    return f"{TENSORS}/{name}{SUFFIX}"


def _still_named(database: Database, name: str) -> bool:
    """Whether a row names the file now: a writer may be at work, and progress files come and go."""
    return bool(database.rows("SELECT 1 FROM named_tensors WHERE tensors = ?", name))
