"""Studies and their runs: registered, found, listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from paribus.errors import UserError
from paribus.spec.overrides import nearest
from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.records import RunKey, RunRecord, StudyRecord
from paribus.store.refusals import damaged
from paribus.store.runs import require_as_written, run_record, stored_row

if TYPE_CHECKING:
    from paribus.spec.study import Study

Members = Mapping[tuple[str, int], RunKey]
"""(arm, replicate) to the run that stands there, in the study's order."""


def register(database: Database, study: Study, runs: Members, *, now: str) -> None:
    """Add a study and those of its runs that are new, in state planned, in one transaction.

    Nothing is written where all is known already and no later study has the same name. Raises StorageError where what
    is known of the study or of its runs is not what was written: a run mistaken for an unfinished one would be trained
    again.
    """
    record = StudyRecord(study.id, study.name, study.document, now)
    _require_as_written(database, record.id, runs)
    if _is_latest(database, record) and not _unknown_members(database, record.id, runs):
        return
    with database.transaction():
        latest: int = database.rows("SELECT coalesce(max(ordinal), 0) FROM studies")[0][0]
        database.change(
            "INSERT INTO studies (id, ordinal, name, document, registered_at, digest) VALUES (?, ?, ?, ?, ?, '') "
            "ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal",
            *(record.id, latest + 1, record.name, record.document, record.registered_at),
        )
        _add_runs(database, runs)
        database.change_all(
            "INSERT INTO members (study_id, arm, replicate, run_id, position) VALUES (?, ?, ?, ?, ?)",
            ((record.id, *row) for row in _unknown_members(database, record.id, runs)),
        )
        database.change("UPDATE studies SET digest = ? WHERE id = ?", digests.of_study(database, record.id), record.id)


def studies(database: Database) -> list[StudyRecord]:
    """All studies, the latest registered last."""
    rows = database.rows("SELECT id, name, document, registered_at FROM studies ORDER BY ordinal")
    return [StudyRecord(*row) for row in rows]


def study(database: Database, name_or_id: str) -> StudyRecord:
    """The study of that identity, or the latest registered of that name. Raises UserError where there is none."""
    known = studies(database)
    for record in (*(r for r in known if r.id == name_or_id), *reversed(known)):
        if name_or_id in (record.id, record.name):
            return record
    raise UserError(
        "must be a study that was run in this workspace",
        given=name_or_id,
        place=str(database.folder),
        remedy=nearest(name_or_id, dict.fromkeys(record.name for record in known)),
    )


def runs_of(database: Database, study_id: str) -> list[tuple[str, int, RunRecord]]:
    """(arm, replicate, run) for every run of a study, in the study's order; empty where it has none."""
    rows = database.rows(
        "SELECT arm, members.replicate, id, state, epochs_done, recipe, seed, runs.replicate, data_fingerprint, "
        "environment, finished_at FROM members JOIN runs ON id = run_id WHERE study_id = ? ORDER BY position",
        study_id,
    )
    return [(arm, replicate, run_record(database, row)) for arm, replicate, *row in rows]


def _require_as_written(database: Database, study_id: str, runs: Members) -> None:
    digest = database.rows("SELECT digest FROM studies WHERE id = ?", study_id)
    if digest and digest != [(digests.of_study(database, study_id),)]:
        raise damaged(database.file, f"other values for study {study_id} than were written")
    for run_id in dict.fromkeys(key.run_id for key in runs.values()):
        row = stored_row(database, run_id)
        if row is not None:
            require_as_written(database, row)


def _is_latest(database: Database, record: StudyRecord) -> bool:
    rows = database.rows("SELECT id FROM studies WHERE name = ? ORDER BY ordinal DESC LIMIT 1", record.name)
    return rows == [(record.id,)]


def _unknown_members(database: Database, study_id: str, runs: Members) -> list[tuple[str, int, str, int]]:
    rows = database.rows("SELECT arm, replicate, run_id FROM members WHERE study_id = ?", study_id)
    known = {(arm, replicate): run_id for arm, replicate, run_id in rows}
    unknown: list[tuple[str, int, str, int]] = []
    for position, ((arm, replicate), key) in enumerate(runs.items()):
        if known.get((arm, replicate), key.run_id) != key.run_id:
            raise ValueError(f"study {study_id} has another run for arm {arm!r}, replicate {replicate}")
        if (arm, replicate) not in known:
            unknown.append((arm, replicate, key.run_id, position))
    return unknown


def _add_runs(database: Database, runs: Members) -> None:
    for row in _new_rows(database, runs):
        database.change(
            f"INSERT INTO runs ({digests.RUN_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            *(*row, digests.of_run(database, row)),
        )


def _new_rows(database: Database, runs: Members) -> Iterator[digests.RunRow]:
    for run_id, key in {key.run_id: key for key in runs.values()}.items():
        if not database.rows("SELECT 1 FROM runs WHERE id = ?", run_id):
            recipe = jsontext.dump(key.recipe)
            yield (run_id, "planned", 0, recipe, key.seed, key.replicate, key.data_fingerprint, "{}", None)
