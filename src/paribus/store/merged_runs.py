"""One record of a run, made of those that several workspaces have of it.

A run's identity says everything that changes its training, so all records of it must agree in what they have in common:
the same curve has the same bits. They may differ in how far they are, and in what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.errors import Shown, UserError
from paribus.store import digests
from paribus.store.database import Database
from paribus.store.digests import RunRow
from paribus.store.recording import ENDED
from paribus.store.runs import require_as_written, stored_row
from paribus.store.studies import run_title

Row = tuple[Any, ...]


@dataclass(frozen=True)
class _Table:
    """Rows of a run: the columns by which they are known, those that must agree, and the one that orders them."""

    name: str
    what: str
    key: slice
    value: slice
    position: int | None = 1


_CURVES = _Table("curves", "curve", slice(1, 2), slice(2, 3), None)
_SNAPSHOTS = _Table("snapshots", "snapshot", slice(2, 4), slice(4, 5))
_RESULTS = (
    _CURVES,
    _SNAPSHOTS,
    _Table("selections", "selection", slice(2, 3), slice(3, 6)),
    _Table("measurements", "measurement", slice(2, 4), slice(4, 5)),
    _Table("artifacts", "artifact", slice(2, 4), slice(4, 5)),
)
_LATER_KEY, _LATER_VALUE = slice(2, 4), slice(4, 6)


@dataclass(frozen=True)
class Held:
    """A run as one workspace has it."""

    database: Database
    row: RunRow

    @classmethod
    def of(cls, database: Database, run_id: str) -> Held | None:
        """None where that workspace does not have the run. Raises StorageError where it is not as it was written."""
        row = stored_row(database, run_id)
        if row is None:
            return None
        require_as_written(database, row)
        return cls(database, row)

    @property
    def ended(self) -> bool:
        return self.row.state in ENDED

    def rows(self, table: str) -> list[Row]:
        """The run's rows of a table, in their order."""
        return self.database.rows(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY rowid", self.row.id)  # noqa: S608


def merge_run(new: Database, held: Sequence[Held]) -> None:
    """Write the run that all of `held` are records of, inside a transaction.

    A record of its end counts, and those of its end together have everything that was measured; else the one with the
    most epochs counts. The run began when the first of them began. Raises UserError where two of them disagree.
    """
    ended = sorted((one for one in held if one.ended), key=lambda one: one.row.finished_at or "")
    first = ended[0] if ended else max(held, key=lambda one: one.row.epochs_done)
    for other in held:
        _refuse_other_run(first, other)
        if other.row.epochs_done and not other.ended:
            _refuse_other_epochs(first, other)
    for table in _RESULTS:
        _write(new, table.name, _united(table, ended or [first]))
    if not ended:
        _write(new, "progress", first.rows("progress"))
    began = [one.row.started_at for one in held if one.row.started_at is not None]
    row = first.row._replace(started_at=min(began, default=None))
    _write(new, "runs", [(*row, digests.of_run(new, row))])
    _write(new, "later", _united_later(new, ended))


def _refuse_other_run(first: Held, other: Held) -> None:
    """Raises UserError where the ids are equal and the runs are not, or both have ended differently."""
    if first.row.identity != other.row.identity:
        raise _disagree(first, other, "its identity")
    ends = [(one.row.state, one.row.epochs_done) for one in (first, other)]
    if first.ended and other.ended and ends[0] != ends[1]:
        raise _disagree(
            first, other, f"its end ({ends[0][0]} after {ends[0][1]} epochs, {ends[1][0]} after {ends[1][1]})"
        )


def _refuse_other_epochs(first: Held, other: Held) -> None:
    """Raises UserError where the epochs that both have are not the same."""
    ours = {row[1]: row[2] for row in first.rows("curves")}
    for _, metric, values in other.rows("curves"):
        size = min(len(values), len(ours.get(metric, b"")))
        if values[:size] != ours.get(metric, b"")[:size]:
            raise _disagree(first, other, f"curve {metric}")
    kept = {row[_SNAPSHOTS.key]: row[_SNAPSHOTS.value] for row in first.rows("snapshots")}
    for row in other.rows("snapshots"):
        if kept.get(row[_SNAPSHOTS.key], row[_SNAPSHOTS.value]) != row[_SNAPSHOTS.value]:
            raise _disagree(first, other, _named(_SNAPSHOTS.what, row[_SNAPSHOTS.key]))


def _united(table: _Table, held: Sequence[Held]) -> list[Row]:
    """The rows of the first record, and those that only later ones have. Raises UserError where two differ."""
    found: dict[Row, Row] = {}
    for one in held:
        for row in one.rows(table.name):
            known = found.get(row[table.key])
            if known is None:
                at = table.position
                found[row[table.key]] = row if at is None else (*row[:at], len(found), *row[at + 1 :])
            elif known[table.value] != row[table.value]:
                raise _disagree(held[0], one, _named(table.what, row[table.key]))
    return list(found.values())


def _united_later(new: Database, held: Sequence[Held]) -> list[Row]:
    """What was measured after the end in any record, and at the end in none."""
    found: dict[Row, Row] = {}
    for one in held:
        at_end: Mapping[Row, Row] = {
            (rule, name): (value, tensors) for rule, name, value, tensors in new.rows(_MEASURED, one.row.id, one.row.id)
        }
        for row in one.rows("later"):
            key, value = row[_LATER_KEY], row[_LATER_VALUE]
            known = at_end.get(key) or (found[key][_LATER_VALUE] if key in found else None)
            if known is None:
                found[key] = (None, *row[1:])  # its number comes from the new table
            elif known != value:
                raise _disagree(held[0], one, _named("later measurement", key))
    return list(found.values())


_MEASURED = (
    "SELECT rule, name, value, NULL FROM measurements WHERE run_id = ? "
    "UNION ALL SELECT rule, name, NULL, tensors FROM artifacts WHERE run_id = ?"
)


def _write(new: Database, table: str, rows: Sequence[Row]) -> None:
    if rows:
        new.change_all(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608


def _named(what: str, key: Row) -> str:
    return f"{what} {' '.join(str(part) for part in reversed(key) if part != '')}"


def _disagree(first: Held, other: Held, what: str) -> UserError:
    title = run_title(other.database, other.row.id)
    return UserError(
        f"must be the same as in {first.database.folder}: {what} of {title} differs",
        given=Shown(""),
        place=str(other.database.folder),
        remedy="leave one of the two out; own modules give other bits on another kind of processor",
    )
