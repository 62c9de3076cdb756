"""What a workspace contains, read without paribus: every row that is a result, and every byte of every file."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DATABASE = "workspace.sqlite"
NO_RESULTS = ("usage", "usage_shares", "forecasts")
"""Time and energy, used and expected: every process adds its own."""
NO_RESULT_COLUMNS = {
    "studies": ("ordinal", "registered_at", "digest"),
    "claims": ("registered_at",),
    "runs": ("started_at", "finished_at", "digest"),
    "later": ("ordinal", "measured_at", "digest"),
    "proposals": ("proposed_at", "digest"),
    "assessments": ("assessed_at", "digest"),
    "test_reads": ("ordinal", "read_at", "digest"),
}
"""Times, and what depends on them."""
REPEATED = "test_reads"
"""Every read of the test set is logged, so the same read may be there twice: a kill can make the first one useless."""

Row = tuple[object, ...]
Results = Counter[tuple[str, object]]
"""(table, row) or ("file", (name, hash)) to the number of times that it is there."""


def results(workspace: Path) -> Results:
    """Everything recorded in a workspace that nothing writes to, except times and energy."""
    found: Results = Counter()
    with closing(_open(workspace / DATABASE)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in NO_RESULTS:
                rows = Counter((table, row) for row in _rows(database, table))
                found += Counter(set(rows)) if table == REPEATED else rows
    for path in sorted(workspace.rglob("*")):
        if path.is_file() and path.name not in (DATABASE, "lock", "live.json"):
            found["file", (path.name, hashlib.sha256(path.read_bytes()).hexdigest())] += 1
    return found


def differing(found: Results, expected: Results) -> int:
    """How many results are missing or unexpected; a changed one counts once."""
    return max((found - expected).total(), (expected - found).total())


@dataclass(frozen=True)
class RunProgress:
    """Epochs done by run, and the bytes of each curve by (run, metric), 8 for each epoch."""

    epochs: Mapping[str, int]
    curves: Mapping[tuple[str, str], bytes]


NO_PROGRESS = RunProgress({}, {})


def run_progress(workspace: Path) -> RunProgress:
    """How far a workspace is; NO_PROGRESS if there is none."""
    if not (workspace / DATABASE).exists():
        return NO_PROGRESS
    with closing(_open(workspace / DATABASE)) as database:
        epochs = dict(database.execute("SELECT id, epochs_done FROM runs").fetchall())
        rows = database.execute('SELECT run_id, metric, "values" FROM curves').fetchall()
    return RunProgress(epochs, {(run, metric): values for run, metric, values in rows})


def epochs_lost(before: RunProgress, now: RunProgress, whole: RunProgress) -> int:
    """Model-epochs that were recorded before and now are not, or are not as in the undisturbed study."""
    lost = sum(max(0, epochs - now.epochs.get(run, 0)) for run, epochs in before.epochs.items())
    wrong: dict[str, int] = {}
    for (run, metric), values in now.curves.items():
        right = whole.curves.get((run, metric), b"")
        differ = sum(values[i : i + 8] != right[i : i + 8] for i in range(0, len(values), 8))
        wrong[run] = max(wrong.get(run, 0), differ, abs(len(values) // 8 - now.epochs[run]))
    return lost + sum(wrong.values())


def copied(workspace: Path, target: Path) -> Path:
    """A copy to be read: reading a database after a crash may change it. Tensor files are hard links."""
    shutil.rmtree(target, ignore_errors=True)
    if workspace.exists():
        shutil.copytree(workspace, target, copy_function=_copy)
    return target


def _copy(source: str, target: str) -> None:
    if source.endswith(".safetensors"):
        try:
            os.link(source, target)
        except OSError:  # on another disk
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)


def _rows(database: sqlite3.Connection, table: str) -> list[Row]:
    columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})").fetchall()]
    kept = [name for name in columns if name not in NO_RESULT_COLUMNS.get(table, ())]
    selected = ", ".join(f'"{name}"' for name in kept)
    return database.execute(f"SELECT {selected} FROM {table}").fetchall()  # noqa: S608 - names from the schema
