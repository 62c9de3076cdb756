from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, UserError
from paribus.store import workspace as module
from paribus.store.records import ClaimRecord, NewRun
from paribus.store.workspace import Workspace

STUDY = "0123456789abcdef" * 2
OTHER = "0123456789ab" + "0" * 20


def members(*ids: str, arm: str = "plain") -> dict[tuple[str, int], NewRun]:
    return {(arm, i): NewRun(run_id, f'{{"id":"{run_id}"}}', {"seed": i}, {}) for i, run_id in enumerate(ids)}


@pytest.fixture
def ws(tmp_path: Path):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as workspace:
        yield workspace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Set the time at which a workspace records."""

    def at(time: str) -> None:
        monkeypatch.setattr(module, "_now", lambda: time)

    return at


def test_a_registered_study_is_found_by_name_and_by_id(ws: Workspace) -> None:
    ws.register_study(STUDY, "faces", "the document", {**members("a" * 32, "b" * 32), **members("c" * 32, arm="deep")})
    for name in ("faces", STUDY):
        found = ws.study(name)
        assert (found.id, found.name, found.document) == (STUDY, "faces", "the document")
    rows = ws.runs_of(STUDY)
    assert [(arm, i, run.id[0]) for arm, i, run in rows] == [("plain", 0, "a"), ("plain", 1, "b"), ("deep", 0, "c")]
    second = rows[1][2]
    assert second == ws.run("b" * 32)
    assert (second.identity, second.recipe) == (f'{{"id":"{"b" * 32}"}}', {"seed": 1})
    assert (second.state, second.epochs_done, second.started_at, second.finished_at) == ("planned", 0, None, None)


def test_an_unknown_study_is_refused_with_the_nearest_name(ws: Workspace) -> None:
    ws.register_study(STUDY, "faces", "", members("a" * 32))
    with pytest.raises(UserError, match="study not found: 'fases'; did you mean faces") as refusal:
        ws.study("fases")
    assert refusal.value.exit_code == Exit.USER_MISTAKE


def test_six_digits_of_an_id_are_enough_where_no_other_id_begins_so(ws: Workspace) -> None:
    ws.register_study(STUDY, "faces", "", members("a" * 32))
    for digits in (6, 12, 31):
        assert ws.study(STUDY[:digits]).name == "faces"
    for too_little in ("", STUDY[:5], STUDY[:11] + "%", STUDY + "0"):
        with pytest.raises(UserError, match="study not found"):
            ws.study(too_little)
    ws.register_study(OTHER, "digits", "", members("b" * 32))
    assert ws.study(STUDY[:13]).name == "faces"
    with pytest.raises(UserError, match=f"several ids begin with '0123456789ab'; give more .*{STUDY}, {OTHER}"):
        ws.study(STUDY[:12])
    ws.register_study("f" * 32, STUDY[:12], "", {})
    assert ws.study(STUDY[:12]).id == "f" * 32  # a name comes before the beginning of an id


def test_a_run_is_found_by_the_first_digits_of_its_id(ws: Workspace) -> None:
    ws.register_study(STUDY, "faces", "", members("abcdef" + "0" * 26, "abcdef" + "1" * 26))
    assert ws.find_run("abcdef0").recipe == {"seed": 0}
    assert ws.find_run("abcdef" + "1" * 26).recipe == {"seed": 1}
    with pytest.raises(UserError, match="several ids begin with 'abcdef'"):
        ws.find_run("abcdef")
    for unknown in ("abcdef2", "abcde", "abcdef*"):
        with pytest.raises(UserError, match="run not found") as refusal:
            ws.find_run(unknown)
        assert refusal.value.exit_code == Exit.USER_MISTAKE


def test_the_latest_registered_study_of_a_name_is_meant(ws: Workspace) -> None:
    for study_id, run_id in ((STUDY, "a" * 32), (OTHER, "b" * 32)):
        ws.register_study(study_id, "faces", "", members(run_id))
    assert ws.study("faces").id == OTHER
    ws.register_study(STUDY, "faces", "", members("a" * 32))
    assert ws.study("faces").id == STUDY
    assert [record.id for record in ws.studies()] == [OTHER, STUDY]


def test_registering_again_changes_nothing(ws: Workspace, sequence: ModuleType) -> None:
    for step in sequence.STEPS:
        step(ws)
    before, held = (ws.path / "workspace.sqlite-wal").read_bytes(), sequence.contents(ws.path)
    sequence.register(ws)
    assert (ws.path / "workspace.sqlite-wal").read_bytes() == before
    assert sequence.contents(ws.path) == held


def test_a_study_may_gain_runs_but_never_swap_one(ws: Workspace, sequence: ModuleType) -> None:
    ws.register_study(STUDY, "faces", "", members("a" * 32))
    ws.register_study(STUDY, "faces", "", members("a" * 32, "b" * 32))
    assert [run.id for _, _, run in ws.runs_of(STUDY)] == ["a" * 32, "b" * 32]
    held = sequence.contents(ws.path)
    with pytest.raises(ValueError, match="another run for arm 'plain', replicate 0"):
        ws.register_study(STUDY, "faces", "", members("c" * 32))
    assert sequence.contents(ws.path) == held


def test_a_study_on_changed_data_is_another_study_of_that_name(ws: Workspace) -> None:
    """The caller's study id covers the ids of its runs, which change with the data."""
    ws.register_study(STUDY, "faces", "same", members("a" * 32))
    ws.register_study(OTHER, "faces", "same", members("b" * 32))
    assert [run.id for _, _, run in ws.runs_of(ws.study("faces").id)] == ["b" * 32]
    assert [run.id for _, _, run in ws.runs_of(STUDY)] == ["a" * 32]


def test_studies_share_runs_of_one_identity(ws: Workspace, sequence: ModuleType) -> None:
    sequence.register(ws)
    sequence.first_checkpoint(ws)
    ws.register_study(OTHER, "other", "", {("mine", 3): sequence.RUNS["control", 0]})
    assert ws.runs_of(OTHER) == [("mine", 3, ws.run(sequence.A))]
    assert ws.run(sequence.A).epochs_done == 1


def test_a_claim_keeps_the_time_at_which_a_study_of_its_name_first_made_it(ws: Workspace, clock) -> None:
    first, second, third = (f"2026-01-0{day}T00:00:00+00:00" for day in (1, 2, 3))
    clock(first)
    ws.register_study(STUDY, "faces", "", members("a" * 32), ["early"])
    clock(second)
    ws.register_study(OTHER, "faces", "", members("b" * 32), ["late", "early"])
    ws.register_study("d" * 32, "another", "", members("a" * 32), ["early"])
    clock(third)
    ws.register_study("e" * 32, "faces", "", members("c" * 32), ["early", "late"])
    assert ws.claims(STUDY) == [ClaimRecord("early", first)]
    assert ws.claims(OTHER) == [ClaimRecord("late", second), ClaimRecord("early", first)]
    assert ws.claims("d" * 32) == [ClaimRecord("early", second)]
    assert ws.claims("e" * 32) == [ClaimRecord("early", first), ClaimRecord("late", second)]
    assert ws.claims("unknown") == []


def test_a_claim_that_is_new_to_a_known_study_is_added_with_its_own_time(ws: Workspace, clock) -> None:
    clock("2026-01-01T00:00:00+00:00")
    ws.register_study(STUDY, "faces", "", members("a" * 32), ["one", "one"])
    clock("2026-01-02T00:00:00+00:00")
    ws.register_study(STUDY, "faces", "", members("a" * 32), ["two", "one"])
    assert [(claim.text, claim.registered_at[:10]) for claim in ws.claims(STUDY)] == [
        ("one", "2026-01-01"),
        ("two", "2026-01-02"),
    ]
    assert ws.study("faces").registered_at == "2026-01-01T00:00:00+00:00"
