from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

from paribus.errors import Exit, UserError
from paribus.store import schema
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

GOLDEN = Path(__file__).with_name("golden")
FORMATS = sorted(path.name for path in GOLDEN.glob("v*") if path.is_dir())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def next_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paribus one format ahead: it gives every study a colour."""

    def colour(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE studies ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")

    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(schema, "MIGRATIONS", {**schema.MIGRATIONS, schema.VERSION - 1: colour})


def colours(folder: Path) -> list[tuple[str]]:
    with Workspace.open(folder) as ws:
        return ws._database.rows("SELECT colour FROM studies")


def test_there_is_a_golden_workspace_of_every_format() -> None:
    assert [f"v{number}" for number in range(1, schema.VERSION + 1)] == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_golden_workspaces_read_as_they_always_did_and_stay_untouched(name: str, sequence: ModuleType) -> None:
    before = everything(GOLDEN / name)
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert sequence.contents(GOLDEN / name) == expected
    checked = verify(GOLDEN / name)
    assert (checked.problems, checked.notes) == ((), ())
    assert everything(GOLDEN / name) == before


@pytest.mark.parametrize("name", FORMATS)
def test_golden_tensors_have_the_values_that_were_put(name: str, sequence: ModuleType) -> None:
    with Workspace.open(GOLDEN / name) as ws:
        kept = ws.tensors.get(ws.selections(sequence.A)[0].tensors)
    assert {key: value.tolist() for key, value in kept.items()} == {
        "fc1.weight": [[3.5] * 4] * 2,
        "step": 3.5,
    }
    assert kept["fc1.weight"].dtype == "float32"


@pytest.mark.parametrize("name", FORMATS)
def test_golden_workspaces_can_be_written_to(name: str, sequence: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(GOLDEN / name, folder)
    with Workspace.open(folder, write=True) as ws:
        ws.finish([sequence.outcome(sequence.B, ws.tensors)])
    assert verify(folder).problems == ()


@pytest.mark.usefixtures("next_format")
def test_an_older_format_is_read_as_if_migrated_and_changed_only_by_a_writer(
    sequence: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(GOLDEN / "v1", folder)
    before, held = everything(folder), sequence.contents(folder)
    assert colours(folder) == [("grey",)]
    assert everything(folder) == before
    with Workspace.open(folder, write=True):
        pass
    assert everything(folder).keys() - {"lock"} == before.keys()
    assert everything(folder)["workspace.sqlite"] != before["workspace.sqlite"]
    assert colours(folder) == [("grey",)]
    assert sequence.contents(folder) == held


def test_a_migration_that_fails_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, sequence: ModuleType, complete: Path
) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE studies ADD COLUMN colour TEXT")
        raise OSError(28, "No space left on device")

    held = sequence.contents(complete)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        patch.setattr(schema, "MIGRATIONS", {**schema.MIGRATIONS, schema.VERSION - 1: half})
        with pytest.raises(UserError, match="no space left"):
            Workspace.open(complete, write=True)
    assert sequence.contents(complete) == held
    sequence.resume(complete, len(sequence.STEPS))


@pytest.mark.usefixtures("next_format")
def test_a_fresh_workspace_has_the_newest_format(sequence: ModuleType, tmp_path: Path) -> None:
    sequence.run_all(tmp_path / "fresh")
    assert colours(tmp_path / "fresh") == [("grey",)]


def test_a_newer_format_is_refused_politely_and_left_alone(sequence: ModuleType, complete: Path) -> None:
    with sqlite3.connect(complete / "workspace.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = everything(complete)
    for attempt in (
        lambda: Workspace.open(complete),
        lambda: Workspace.open(complete, write=True),
        lambda: Workspace.open(complete, create=True, write=True),
        lambda: verify(complete),
    ):
        with pytest.raises(
            UserError, match=r"workspace format 99, made by a newer paribus .*; upgrade paribus"
        ) as refusal:
            attempt()
        assert str(complete) in str(refusal.value)
        assert refusal.value.exit_code == Exit.USER_MISTAKE
    assert everything(complete) == before


def test_no_statement_changes_what_is_never_changed(sequence: ModuleType, complete: Path) -> None:
    connection = sqlite3.connect(complete / "workspace.sqlite", isolation_level=None)
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (sequence.A,)).fetchone()
    statements = [
        ("UPDATE runs SET epochs_done = 3 WHERE id = ?", (sequence.A,)),
        ("UPDATE runs SET state = 'paused', finished_at = NULL WHERE id = ?", (sequence.A,)),
        ("DELETE FROM runs WHERE id = ?", (sequence.A,)),
        ("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row),
        ("INSERT INTO progress VALUES (?, ?, '{}')", (sequence.A, "0" * 64)),
        ("INSERT OR REPLACE INTO curves VALUES (?, 'train_loss', x'')", (sequence.A,)),
        ("UPDATE snapshots SET run_id = ?", (sequence.A,)),
    ]
    for table in ("curves", "selections", "snapshots", "measurements", "artifacts"):
        statements.append((f"DELETE FROM {table}", ()))  # noqa: S608 - the names above
        statements.append((f"UPDATE {table} SET run_id = ?", (sequence.B,)))  # noqa: S608
    for statement, values in statements:
        with pytest.raises(sqlite3.IntegrityError, match="a completed run is never changed"):
            connection.execute(statement, values)
    for table in ("test_reads", "claims", "proposals", "assessments"):
        for statement in (f"UPDATE {table} SET rowid = rowid", f"DELETE FROM {table}"):  # noqa: S608
            with pytest.raises(sqlite3.IntegrityError, match=f"rows of {table} are only added"):
                connection.execute(statement)
    for column in ("id", "identity", "recipe", "started_at"):
        with pytest.raises(sqlite3.IntegrityError, match="origin is never changed"):
            connection.execute(f"UPDATE runs SET {column} = 'other' WHERE id = ?", (sequence.B,))  # noqa: S608
    connection.close()
    assert verify(complete).problems == ()
