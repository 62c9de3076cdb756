"""Studies, their runs and their claims: registered, found, listed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from paribus.errors import nearest
from paribus.store import digests, jsontext
from paribus.store.database import Database
from paribus.store.digests import RunRow
from paribus.store.prefixes import only_match
from paribus.store.records import ClaimRecord, NewRun, RunRecord, StudyRecord
from paribus.store.refusals import damaged, unknown_study
from paribus.store.runs import require_as_written, run_record, stored_row

Members = Mapping[tuple[str, int], NewRun]
"""(arm, replicate) to its run, in the study's order."""


def register(database: Database, study: StudyRecord, members: Members, claims: Sequence[str]) -> None:
    """Add a study, its claims and those of its runs that are new, in state planned, in one transaction.

    Nothing is written where all is known already and no later study has the same name. `study.registered_at` counts
    for what is new. Raises StorageError where what is known of the study or of its runs is not what was written: a run
    mistaken for an unfinished one would be trained again.
    """
    _require_as_written(database, study.id, members)
    unknown = _unknown_members(database, study.id, members) or _unknown_claims(database, study.id, claims)
    if _is_latest(database, study) and not unknown:
        return
    with database.transaction():
        latest: int = database.rows("SELECT coalesce(max(ordinal), 0) FROM studies")[0][0]
        database.change(
            "INSERT INTO studies (id, ordinal, name, document, registered_at, digest) VALUES (?, ?, ?, ?, ?, '') "
            "ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal",
            *(study.id, latest + 1, study.name, study.document, study.registered_at),
        )
        _add_runs(database, members)
        database.change_all(
            "INSERT INTO members (study_id, arm, replicate, run_id, position) VALUES (?, ?, ?, ?, ?)",
            ((study.id, *row) for row in _unknown_members(database, study.id, members)),
        )
        _add_claims(database, study, claims)
        database.change("UPDATE studies SET digest = ? WHERE id = ?", digests.of_study(database, study.id), study.id)


def studies(database: Database) -> list[StudyRecord]:
    """All studies, the latest registered last."""
    rows = database.rows("SELECT id, name, document, registered_at FROM studies ORDER BY ordinal")
    return [StudyRecord(*row) for row in rows]


def study(database: Database, name_or_id: str) -> StudyRecord:
    """The study of that id, else the latest registered of that name, else the only one whose id begins so.

    Raises UserError where there is none, or several ids begin so.
    """
    known = studies(database)
    by_name = {record.name: record for record in known}
    by_id = {record.id: record for record in known}
    found = by_id.get(name_or_id) or by_name.get(name_or_id)
    if found is not None:
        return found
    match = only_match(name_or_id, by_id, place=database.folder)
    if match is None:
        raise unknown_study(database.folder, name_or_id, nearest(name_or_id, by_name))
    return by_id[match]


def runs_of(database: Database, study_id: str) -> list[tuple[str, int, RunRecord]]:
    """(arm, replicate, run) for every run of a study, in the study's order; empty where it has none."""
    rows = database.rows(
        f"SELECT arm, replicate, {digests.RUN_COLUMNS} FROM members JOIN runs ON id = run_id "  # noqa: S608
        "WHERE study_id = ? ORDER BY position",
        study_id,
    )
    return [(arm, replicate, run_record(database, row)) for arm, replicate, *row in rows]


def arms_of(database: Database, study_id: str) -> set[str]:
    """The names of the arms that have runs."""
    return {arm for (arm,) in database.rows("SELECT DISTINCT arm FROM members WHERE study_id = ?", study_id)}


def claims(database: Database, study_id: str) -> list[ClaimRecord]:
    """The claims of a study, in its order."""
    rows = database.rows("SELECT text, registered_at FROM claims WHERE study_id = ? ORDER BY position", study_id)
    return [ClaimRecord(*row) for row in rows]


def run_title(database: Database, run_id: str) -> str:
    """A run as a person knows it."""
    rows = database.rows(
        "SELECT name, arm, members.replicate FROM members JOIN studies ON study_id = studies.id WHERE run_id = ? "
        "ORDER BY ordinal LIMIT 1",
        run_id,
    )
    known = "".join(f" ({name}, arm {arm}, replicate {replicate})" for name, arm, replicate in rows)
    return f"run {run_id}{known}"


def _require_as_written(database: Database, study_id: str, members: Members) -> None:
    digest = database.rows("SELECT digest FROM studies WHERE id = ?", study_id)
    if digest and digest != [(digests.of_study(database, study_id),)]:
        raise damaged(database.file, f"other values for study {study_id} than were written")
    for run_id in dict.fromkeys(run.run_id for run in members.values()):
        row = stored_row(database, run_id)
        if row is not None:
            require_as_written(database, row)


def _is_latest(database: Database, study: StudyRecord) -> bool:
    rows = database.rows("SELECT id FROM studies WHERE name = ? ORDER BY ordinal DESC LIMIT 1", study.name)
    return rows == [(study.id,)]


def _unknown_members(database: Database, study_id: str, members: Members) -> list[tuple[str, int, str, int]]:
    """(arm, replicate, run id, position) of the members that are not recorded yet."""
    rows = database.rows("SELECT arm, replicate, run_id FROM members WHERE study_id = ?", study_id)
    known = {(arm, replicate): run_id for arm, replicate, run_id in rows}
    unknown: list[tuple[str, int, str, int]] = []
    for position, ((arm, replicate), run) in enumerate(members.items()):
        if known.get((arm, replicate), run.run_id) != run.run_id:
            raise ValueError(
                f"study {study_id} has another run for arm {arm!r}, replicate {replicate}: a study's id must cover the "
                "ids of its runs"
            )
        if (arm, replicate) not in known:
            unknown.append((arm, replicate, run.run_id, position))
    return unknown


def _add_runs(database: Database, members: Members) -> None:
    for row in _new_rows(database, members):
        database.change(
            f"INSERT INTO runs ({digests.RUN_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            *(*row, digests.of_run(database, row)),
        )


def _new_rows(database: Database, members: Members) -> Iterator[RunRow]:
    for run_id, run in {run.run_id: run for run in members.values()}.items():
        if not database.rows("SELECT 1 FROM runs WHERE id = ?", run_id):
            recipe, dataset = jsontext.dump(run.recipe), jsontext.dump(run.dataset)
            yield RunRow(run_id, "planned", 0, run.identity, recipe, dataset, "{}", None, None)


def _unknown_claims(database: Database, study_id: str, claims: Sequence[str]) -> list[str]:
    known = {text for (text,) in database.rows("SELECT text FROM claims WHERE study_id = ?", study_id)}
    return [text for text in dict.fromkeys(claims) if text not in known]


def _add_claims(database: Database, study: StudyRecord, claims: Sequence[str]) -> None:
    """A claim has the time at which any study of this name first made it: a changed study does not make it late."""
    count: int = database.rows("SELECT count(*) FROM claims WHERE study_id = ?", study.id)[0][0]
    for position, text in enumerate(_unknown_claims(database, study.id, claims), start=count):
        digest = hashlib.sha256(text.encode()).hexdigest()
        earliest = database.rows(
            "SELECT min(claims.registered_at) FROM claims JOIN studies ON study_id = studies.id "
            "WHERE name = ? AND claims.digest = ?",
            *(study.name, digest),
        )[0][0]
        database.change(
            "INSERT INTO claims (study_id, position, digest, text, registered_at) VALUES (?, ?, ?, ?, ?)",
            *(study.id, position, digest, text, earliest or study.registered_at),
        )
