"""What is measured on a run after its end: it may grow, and nothing recorded changes."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paribus.errors import Exit, StorageError
from paribus.store.records import Artifact, Measurement
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture
def ws(sequence: ModuleType, quick_path: Path):
    """Run A is done, run B is paused; nothing is measured later yet."""
    with Workspace.open(quick_path / "workspace", create=True, write=True) as workspace:
        for step in (sequence.register, sequence.first_checkpoint, sequence.end):
            step(workspace)
        yield workspace


def test_later_measurements_come_after_those_of_the_end_with_purpose_and_time(
    ws: Workspace, sequence: ModuleType
) -> None:
    numbers, artifacts = ws.measurements(sequence.A), ws.artifacts(sequence.A)
    outputs = ws.tensors.put({"logits": np.zeros((3, 2), np.float16)})
    items = [sequence.later("sharpness", 0.5), sequence.later("outputs/test", tensors=outputs)]
    ws.add_measurements(sequence.A, items)
    more = [sequence.later("flatness", math.nan)]
    ws.add_measurements(sequence.A, more)
    assert ws.later(sequence.A)[:2] == items
    assert math.isnan(ws.later(sequence.A)[2].value)
    assert ws.measurements(sequence.A)[0] == numbers[0]
    *end, sharpness, flatness = ws.measurements(sequence.A)
    assert [m.name for m in end] == [m.name for m in numbers]
    assert sharpness == Measurement("min-val-loss", "sharpness", 0.5)
    assert math.isnan(flatness.value)
    assert ws.artifacts(sequence.A) == [*artifacts, Artifact("min-val-loss", "outputs/test", outputs)]
    assert ws.later(sequence.B) == []


def test_nothing_recorded_is_replaced(ws: Workspace, sequence: ModuleType) -> None:
    ws.add_measurements(sequence.A, [sequence.later("sharpness", 0.5)])
    held = sequence.contents(ws.path)
    taken = [
        sequence.later("sharpness", 0.6),
        sequence.later("mse", 0.6),  # a measurement of the run's end
        dataclasses.replace(sequence.later("examples", 1.0), rule=""),  # an artifact of the run's end
    ]
    for item in taken:
        with pytest.raises(StorageError, match=f"never replaced .new {item.name} for run aaa") as refusal:
            ws.add_measurements(sequence.A, [sequence.later("new", 1.0), item])
        assert refusal.value.exit_code == Exit.FAILURE
    with pytest.raises(StorageError, match="never replaced"):
        ws.add_measurements(sequence.A, [sequence.later("new", 1.0), sequence.later("new", 2.0)])
    assert sequence.contents(ws.path) == held


def test_only_runs_that_are_done_are_measured_later(ws: Workspace, sequence: ModuleType) -> None:
    for run_id in (sequence.B, "f" * 32):
        with pytest.raises(ValueError, match="must be done"):
            ws.add_measurements(run_id, [dataclasses.replace(sequence.later("sharpness", 1.0), run_id=run_id)])
    with pytest.raises(ValueError, match="was given as one of run"):
        ws.add_measurements(sequence.A, [dataclasses.replace(sequence.later("sharpness", 1.0), run_id=sequence.B)])


def test_a_later_measurement_is_a_number_or_arrays_and_not_both(ws: Workspace, sequence: ModuleType) -> None:
    name = ws.tensors.put({"w": np.zeros(1)})
    for item in (sequence.later("sharpness"), sequence.later("sharpness", 1.0, name)):
        with pytest.raises(ValueError, match="either a value or tensors"):
            ws.add_measurements(sequence.A, [item])
    with pytest.raises(StorageError, match="file not found"):
        ws.add_measurements(sequence.A, [sequence.later("sharpness", tensors="0" * 64)])
    assert ws.later(sequence.A) == []


def test_no_statement_changes_a_later_measurement(complete: Path, sequence: ModuleType) -> None:
    with closing(sqlite3.connect(complete / "workspace.sqlite", isolation_level=None)) as connection:
        row = connection.execute("SELECT * FROM later WHERE name = 'sharpness'").fetchone()
        new = "INSERT OR REPLACE INTO later VALUES (?, ?, ?, ?, 2, NULL, '', '', '{}', '')"
        for statement, values, message in (
            ("UPDATE later SET value = 1", (), "only added"),
            ("DELETE FROM later", (), "only added"),
            ("INSERT OR REPLACE INTO later VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row, "never replaced"),
            (new, (row[0], sequence.A, "", "other"), "never replaced"),
            (new, (None, sequence.A, "min-val-loss", "mse"), "never replaced"),
            (new, (None, sequence.B, "", "other"), "not done"),
        ):
            with pytest.raises(sqlite3.IntegrityError, match=message):
                connection.execute(statement, values)
    assert verify(complete).problems == ()


def test_the_digest_of_the_run_stays(ws: Workspace, sequence: ModuleType) -> None:
    before = ws._database.rows("SELECT id, digest FROM runs")
    sequence.measure_later(ws)
    assert ws._database.rows("SELECT id, digest FROM runs") == before


def test_later_tensors_survive_the_next_writer(complete: Path, sequence: ModuleType) -> None:
    for _ in range(2):
        with Workspace.open(complete, write=True) as ws:
            (artifact,) = [a for a in ws.artifacts(sequence.A) if a.name == "outputs/train"]
            logits = ws.tensors.get(artifact.tensors)["logits"]
            assert (logits.dtype, logits.tolist()) == (np.float16, [[1.5, -2.25]])


def test_a_file_whose_name_was_damaged_in_a_later_measurement_is_kept(complete: Path, sequence: ModuleType) -> None:
    with Workspace.open(complete) as ws:
        name = str(ws.later(sequence.A)[1].tensors)
    file = complete / "workspace.sqlite"
    content = file.read_bytes()
    file.write_bytes(content.replace(name.encode(), b"0" * 64))
    with Workspace.open(complete, write=True) as ws:
        assert ws.tensors.path(name).exists()
    assert any("later measurement of outputs/train" in problem for problem in verify(complete).problems)
    file.write_bytes(content)
    assert verify(complete).problems == ()


def test_outputs_per_example_come_back_in_half_precision_and_equal_ones_are_stored_once(
    ws: Workspace, sequence: ModuleType
) -> None:
    """Two rules that chose the same epoch have the same outputs."""
    logits = np.array([[-65504, 6.1e-05, 5.96e-08], [np.inf, np.nan, -0.0]], np.float16)
    names = [ws.tensors.put({"outputs": logits.copy()}) for _ in range(2)]
    targets = ws.tensors.put({"targets": np.array([2, 0], np.uint8)})
    given = [
        *(
            Artifact(rule, "outputs/validation", name)
            for rule, name in zip(("last", "min-val-loss"), names, strict=True)
        ),
        Artifact("", "targets/validation", targets),
    ]
    outcome = dataclasses.replace(sequence.outcome(sequence.B, ws.tensors), artifacts=given, test_reads=[])
    ws.finish([outcome])
    assert names[0] == names[1]
    assert {names[0], targets} <= set(ws.tensors.names())
    assert ws.artifacts(sequence.B) == given
    back = ws.tensors.get(names[0])["outputs"]
    assert back.dtype == np.float16
    assert back.tobytes() == logits.tobytes()
