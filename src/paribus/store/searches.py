"""What a search has proposed, and the results of its candidates at each rung: its whole history, only added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.records import Assessment, Proposal
from paribus.store.refusals import damaged

_PROPOSAL_COLUMNS = 'study_id, number, batch, "values", proposer, proposed_at'
_ASSESSMENT_COLUMNS = "study_id, number, rung, epochs, value, faults, assessed_at"
_PROPOSALS = f"SELECT {_PROPOSAL_COLUMNS}, digest FROM proposals"  # noqa: S608 - constants, as below
_ASSESSMENTS = f"SELECT {_ASSESSMENT_COLUMNS}, digest FROM assessments"  # noqa: S608


def add_proposals(database: Database, study_id: str, items: Sequence[Proposal], *, now: str) -> None:
    """Record proposals of a registered study. Inside a transaction."""
    for item in items:
        row = (study_id, item.number, item.batch, jsontext.dump(item.values), item.proposer, now)
        database.change(
            f"INSERT INTO proposals ({_PROPOSAL_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            *(*row, digests.of(row)),
        )


def add_assessments(database: Database, study_id: str, items: Sequence[Assessment], *, now: str) -> None:
    """Record the results of candidates at a rung. Inside a transaction."""
    for item in items:
        faults = jsontext.dump({"faults": list(item.faults), **({"failure": item.failure} if item.failure else {})})
        row = (study_id, item.number, item.rung, item.epochs, item.value, faults, now)
        database.change(
            f"INSERT INTO assessments ({_ASSESSMENT_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            *(*row, digests.of(row)),
        )


def proposals(database: Database, study_id: str) -> list[Proposal]:
    """The proposals of a study by their numbers. Raises StorageError where one is not what was written."""
    rows = _as_written(database, _PROPOSALS, study_id, "number")
    return [
        Proposal(number, batch, database.parsed(values), proposer) for _, number, batch, values, proposer, _ in rows
    ]


def assessments(database: Database, study_id: str) -> list[Assessment]:
    """The assessments of a study, rung by rung. Raises StorageError where one is not what was written."""
    rows = _as_written(database, _ASSESSMENTS, study_id, "rung, number")
    return [
        _assessment(number, rung, epochs, value, database.parsed(faults))
        for _, number, rung, epochs, value, faults, _ in rows
    ]


def _assessment(number: int, rung: int, epochs: int, value: float | None, found: Mapping[str, Any]) -> Assessment:
    return Assessment(number, rung, epochs, value, tuple(found["faults"]), found.get("failure", ""))


def altered(database: Database) -> list[str]:
    """What is not as it was written, in words."""
    found: list[str] = []
    for what, query in (
        ("proposal", _PROPOSALS),
        ("assessment", _ASSESSMENTS),
    ):
        for *values, digest in database.rows(query):
            if digests.of(values) != digest:
                found.append(f"study {values[0]}: the {what} of candidate {values[1]} is not as it was written")
    return found


def _as_written(database: Database, query: str, study_id: str, order: str) -> list[list[Any]]:
    rows = database.rows(f"{query} WHERE study_id = ? ORDER BY {order}", study_id)
    for *values, digest in rows:
        if digests.of(values) != digest:
            raise damaged(
                database.file, f"other values for candidate {values[1]} of study {study_id} than were written"
            )
    return [values for *values, _ in rows]
