from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paribus.errors import StorageError, UserError
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


def tamper(folder: Path, statement: str, *values) -> None:
    """Change rows behind the back of the database's own guards, as a flipped bit would."""
    with closing(sqlite3.connect(folder / "workspace.sqlite", isolation_level=None)) as connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement, values).rowcount > 0
        for _, sql in guards:
            connection.execute(sql)


def test_an_intact_workspace_has_no_problem_and_says_what_was_checked(complete: Path) -> None:
    result = verify(complete)
    assert (result.problems, result.notes) == ((), ())
    assert result.checked == {
        "files": 6,
        "studies": 1,
        "proposals": 3,
        "runs": 2,
        "later measurements": 2,
        "test-set reads": 1,
        "usage records": 1,
        "forecasts": 1,
        "references": 6,
    }


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE studies SET document = 'name = \"smell\"'", "study small"),
        ("UPDATE studies SET registered_at = ''", "study small"),
        ("UPDATE proposals SET proposer = 'chance' WHERE number = 1", "the proposal of candidate 1"),
        ("UPDATE assessments SET value = 0.1 WHERE number = 0", "the assessment of candidate 0"),
        ("UPDATE members SET position = 7 WHERE position = 1", "study small"),
        ("UPDATE claims SET text = '{}' WHERE position = 1", "study small"),
        ("UPDATE claims SET registered_at = '2001'", "study small"),
        ("UPDATE runs SET identity = '{}' WHERE id = :run", "run aaa"),
        ("UPDATE runs SET started_at = '2001' WHERE id = :run", "run aaa"),
        ("UPDATE runs SET recipe = '{' WHERE id = :run", "recipe is no JSON"),
        ("UPDATE runs SET recipe = cast(x'ff' as text) WHERE id = :run", "run aaa"),
        ("UPDATE runs SET environment = '{}' WHERE id = :run", "run aaa"),
        ("UPDATE runs SET finished_at = '2031' WHERE id = :run", "run aaa"),
        ("UPDATE runs SET state = 'paused', finished_at = NULL WHERE id = :run", "paused, but it has no checkpoint"),
        ('UPDATE curves SET "values" = zeroblob(16) WHERE run_id = :run', "run aaa"),
        ("UPDATE curves SET \"values\" = x'00' WHERE run_id = :run", "curve train_loss has 1 bytes for 2 epochs"),
        ("UPDATE selections SET value = 0.26 WHERE epoch IS NOT NULL", "run aaa"),
        ("UPDATE selections SET epoch = 5 WHERE epoch IS NOT NULL", "chose epoch 5, but it has only 2 epochs"),
        ("UPDATE snapshots SET epoch = 9 WHERE run_id = :run", "first-layer snapshot of epoch 9, but only 2 epochs"),
        ("UPDATE measurements SET value = 11 WHERE name = 'parameters'", "run aaa"),
        ("DELETE FROM artifacts", "run aaa"),
        ("UPDATE artifacts SET tensors = 'nonsense'", "artifact examples names 'nonsense'"),
        ("UPDATE later SET value = 1 WHERE value IS NULL", "later measurement of sharpness at min-val-loss is not"),
        ("UPDATE later SET measured_at = '2001'", "later measurement of outputs/train"),
        ("UPDATE test_reads SET examples = 99", "the log of test-set reads is not as it was written"),
        ("UPDATE usage SET energy_j = 1", "usage record u1"),
        ("UPDATE usage_shares SET share = 0.5", "usage record u1"),
        ("UPDATE forecasts SET wall_s = 1", "the forecast of 2026-01-02T02:59:00+00:00"),
        ("DELETE FROM runs WHERE id = :run", "names a row of runs that does not exist"),
        ("UPDATE runs SET state = 'lost' WHERE id = :run", "lost, but it has results"),
    ],
)
def test_every_changed_row_is_noticed_and_named(
    sequence: ModuleType, complete: Path, statement: str, named: str
) -> None:
    tamper(complete, statement.replace(":run", f"'{sequence.A}'"))
    problems = verify(complete).problems
    assert any(named in problem for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_a_run_is_named_as_people_know_it(sequence: ModuleType, complete: Path) -> None:
    tamper(complete, "UPDATE runs SET identity = '{}' WHERE id = ?", sequence.B)
    (problem,) = verify(complete).problems
    assert problem.startswith(f'run {sequence.B} (small, arm größer, "b", replicate 0): ')


@pytest.mark.parametrize("damage", ["flip", "tear", "remove"])
def test_every_damaged_file_is_named_with_the_run_that_uses_it(
    sequence: ModuleType, complete: Path, damage: str
) -> None:
    with Workspace.open(complete) as ws:
        expected = {(s.tensors, sequence.A) for s in ws.selections(sequence.A) if s.tensors}
        expected |= {(a.tensors, sequence.A) for a in ws.artifacts(sequence.A)}
        expected |= {(s.tensors, run) for run in (sequence.A, sequence.B) for s in ws.snapshots(run)}
        expected |= {(ws.progress(sequence.B).tensors, sequence.B)}
    files = sorted((complete / "tensors").iterdir())
    assert {name for name, _ in expected} == {path.stem for path in files}
    for path in files:
        content = path.read_bytes()
        path.unlink()
        if damage != "remove":
            path.write_bytes(content[:-1] + (bytes([content[-1] ^ 1]) if damage == "flip" else b""))
        (problem,) = verify(complete).problems
        (run,) = (run for name, run in expected if name == path.stem)
        assert problem.startswith(f"tensors/{path.name}: ")
        assert f"run {run}" in problem
        path.write_bytes(content)
    assert verify(complete).problems == ()


def test_orphans_and_leftovers_are_harmless_and_swept_by_the_next_writer(complete: Path) -> None:
    with Workspace.open(complete, write=True) as ws:
        orphan = ws.tensors.path(ws.tensors.put({"w": np.arange(5.0)}))
    leftover = complete / "tensors" / ".abc.safetensors.1.tmp"
    leftover.write_bytes(b"half")
    (complete / "tensors" / "notes.txt").write_text("mine")
    result = verify(complete)
    assert result.problems == ()
    assert any(f"tensors/{orphan.name}: no run names it; harmless" in note for note in result.notes)
    assert any(leftover.name in note and "harmless" in note for note in result.notes)
    assert any("notes.txt: not made by paribus; left alone" in note for note in result.notes)
    Workspace.open(complete, write=True).close()
    assert not orphan.exists()
    assert not leftover.exists()
    assert (complete / "tensors" / "notes.txt").exists()


def test_damage_to_database_and_files_is_reported_together(complete: Path) -> None:
    path = sorted((complete / "tensors").iterdir())[0]
    path.write_bytes(b"nothing like it")
    (complete / "workspace.sqlite").write_bytes(b"nothing like it either")
    database, file = verify(complete).problems
    assert "workspace.sqlite" in database
    assert path.name in file


def test_a_flipped_bit_anywhere_in_the_database_is_noticed_or_changes_nothing(
    sequence: ModuleType, complete: Path
) -> None:
    """A bit in ten thousand is tried: either verify notices, or all that can be read is as it was."""
    file = complete / "workspace.sqlite"
    intact, held = file.read_bytes(), sequence.contents(complete)
    noticed = 0
    for position in range(50, len(intact), 997):
        file.write_bytes(intact[:position] + bytes([intact[position] ^ 4]) + intact[position + 1 :])
        try:
            problems = verify(complete).problems
        except UserError:
            problems = ("refused",)
        noticed += bool(problems)
        if not problems:
            assert sequence.contents(complete) == held
    assert noticed > 0


def test_what_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a paribus workspace"):
        verify(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "found", "named"),
    [
        (b"RAISE(ABORT, 'rows of test", b"RAISF(ABORT, 'rows of test", "test_reads_no_"),
        (b"PRIMARY KEY (run_id, rule, name)", b"PRIMARY KEY (run_id, rule, mame)", ""),
        (b"members_by_run", b"members_by_rum", "members_by_ru"),
    ],
)
def test_a_damaged_definition_is_named(complete: Path, written: bytes, found: bytes, named: str) -> None:
    """Or else the first command that uses it would fail for no reason that anyone could see."""
    file = complete / "workspace.sqlite"
    content = file.read_bytes()
    file.write_bytes(content.replace(written, found))
    assert content != file.read_bytes()
    assert any("workspace.sqlite" in problem and named in problem for problem in verify(complete).problems)
    for write in (False, True):
        with pytest.raises(StorageError, match=r"workspace\.sqlite"), Workspace.open(complete, write=write):
            pass
