from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paribus.errors import StorageError
from paribus.store.records import NewRun, Outcome, Progress, Selected, Snapshot, TestRead, UsageRecord
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as workspace:
        yield workspace


@pytest.fixture
def begun(ws: Workspace, sequence: ModuleType) -> Workspace:
    """Two runs registered, one epoch done."""
    sequence.register(ws)
    sequence.first_checkpoint(ws)
    return ws


def ended(run_id: str, **changes) -> Outcome:
    content = {
        "run_id": run_id,
        "state": "done",
        "epochs_done": 2,
        "curves": {"train_loss": np.array([1.0, 0.5])},
        "selections": [],
        "snapshots": [],
        "measurements": [],
        "artifacts": [],
        "test_reads": [],
        "started_at": "2026-01-02T03:00:45+00:00",
    }
    return Outcome(**{**content, **changes})


def test_nothing_is_written_before_something_is_recorded(tmp_path: Path) -> None:
    for write in (False, True):
        with Workspace.open(tmp_path / "deep" / "workspace", create=True, write=write) as ws:
            assert ws.studies() == []
            assert ws.run("x") is None
            assert ws.progress("x") is None
            assert ws.runs_of("x") == []
            assert ws.usage(["x"]) == []
            assert ws.tensors.names() == []
    assert list(tmp_path.iterdir()) == []


def test_a_second_session_with_nothing_new_leaves_every_byte(complete: Path, sequence: ModuleType) -> None:
    before = {path: path.read_bytes() for path in complete.rglob("*") if path.is_file() and path.name != "lock"}
    with Workspace.open(complete, create=True, write=True) as ws:
        sequence.register(ws)
        assert ws.run(sequence.A).state == "done"
    after = {path: path.read_bytes() for path in complete.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_progress_is_read_back_bit_for_bit(begun: Workspace, sequence: ModuleType) -> None:
    given = sequence.progress(sequence.A, 3, begun.tensors)
    begun.save_progress([given])
    found = begun.progress(sequence.A)
    assert (found.run_id, found.epochs_done, found.tensors) == (sequence.A, 3, given.tensors)
    assert found.scalars == given.scalars
    assert found.snapshots == given.snapshots
    for curves in (found.curves, begun.curves(sequence.A)):
        assert {name: curve.tobytes() for name, curve in curves.items()} == {
            name: curve.tobytes() for name, curve in given.curves.items()
        }
    assert begun.run(sequence.A).state == "running"
    assert begun.snapshots(sequence.A) == given.snapshots


def test_a_run_pauses_and_goes_on(begun: Workspace, sequence: ModuleType) -> None:
    assert (begun.run(sequence.B).state, begun.progress(sequence.B).state) == ("paused", "paused")
    begun.save_progress([sequence.progress(sequence.B, 2, begun.tensors)])
    assert (begun.run(sequence.B).state, begun.progress(sequence.B).state) == ("running", "running")
    begun.save_progress([sequence.progress(sequence.B, 2, begun.tensors, state="paused")])
    assert begun.progress(sequence.B).epochs_done == 2
    begun.finish([ended(sequence.B)])
    assert (begun.run(sequence.B).state, begun.progress(sequence.B)) == ("done", None)


def test_when_a_run_started_is_recorded_once(begun: Workspace, sequence: ModuleType) -> None:
    later = "2026-05-01T00:00:00+00:00"
    begun.save_progress([sequence.progress(sequence.A, 2, begun.tensors, started_at=later)])
    assert begun.run(sequence.A).started_at == begun.progress(sequence.A).started_at == sequence.STARTED
    begun.finish([ended(sequence.A, started_at=later)])
    assert begun.run(sequence.A).started_at == sequence.STARTED
    begun.register_study("7" * 32, "short", "", {("only", 0): NewRun("c" * 32, "{}", {}, {})})
    begun.finish([ended("c" * 32, started_at=later)])
    assert begun.run("c" * 32).started_at == later


def test_an_outcome_is_read_back_bit_for_bit(begun: Workspace, sequence: ModuleType) -> None:
    given = sequence.outcome(sequence.A, begun.tensors)
    begun.finish([given])
    run = begun.run(sequence.A)
    assert (run.state, run.epochs_done, run.environment) == ("done", 2, given.environment)
    assert run.finished_at.endswith("+00:00")
    assert begun.progress(sequence.A) is None
    assert begun.selections(sequence.A) == given.selections
    assert begun.snapshots(sequence.A) == given.snapshots
    assert begun.artifacts(sequence.A) == given.artifacts
    assert begun.test_reads([sequence.A]) == begun.test_reads(sequence.STUDY) == given.test_reads
    parameters, mse = begun.measurements(sequence.A)
    assert (parameters.name, parameters.value) == ("parameters", 10.0)
    assert math.isnan(mse.value)
    assert {name: curve.tobytes() for name, curve in begun.curves(sequence.A).items()} == {
        name: curve.tobytes() for name, curve in given.curves.items()
    }


def test_numpy_numbers_are_as_good_as_pythons(begun: Workspace, sequence: ModuleType) -> None:
    chosen = Selected("last", np.int64(2), np.float32(0.5), None)  # type: ignore[arg-type]
    begun.finish([ended(sequence.A, epochs_done=np.int64(2), selections=[chosen])])
    assert begun.selections(sequence.A) == [Selected("last", 2, 0.5, None)]
    assert begun.run(sequence.A).epochs_done == 2


def test_divergence_is_an_outcome_too(begun: Workspace, sequence: ModuleType) -> None:
    curves = {"train_loss": np.array([np.inf, np.nan])}
    begun.finish(
        [ended(sequence.A, state="diverged", curves=curves, selections=[Selected("last", None, math.nan, None)])]
    )
    assert begun.run(sequence.A).state == "diverged"
    assert begun.selections(sequence.A) == [Selected("last", None, None, None)]
    np.testing.assert_array_equal(begun.curves(sequence.A)["train_loss"], [np.inf, np.nan])


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_run_that_has_ended_is_never_changed(begun: Workspace, sequence: ModuleType, state: str) -> None:
    begun.finish([ended(sequence.A, state=state)])
    held = sequence.contents(begun.path)
    for attempt in (
        lambda: begun.finish([ended(sequence.A)]),
        lambda: begun.finish([ended(sequence.B), ended(sequence.A)]),
        lambda: begun.save_progress([sequence.progress(sequence.A, 3, begun.tensors)]),
    ):
        with pytest.raises(StorageError, match="a completed run is never changed") as refusal:
            attempt()
        assert sequence.A in str(refusal.value)
    assert sequence.contents(begun.path) == held


def test_several_runs_are_recorded_together_or_not_at_all(begun: Workspace, sequence: ModuleType) -> None:
    held = sequence.contents(begun.path)
    with pytest.raises(ValueError, match="must be registered"):
        begun.finish([ended(sequence.A), ended("unknown")])
    with pytest.raises(ValueError, match="must be registered"):
        begun.save_progress(
            [sequence.progress(sequence.A, 2, begun.tensors), sequence.progress("unknown", 2, begun.tensors)]
        )
    assert sequence.contents(begun.path) == held


def test_a_curve_has_one_value_an_epoch(begun: Workspace, sequence: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"train_loss of run a+ must have one value for each of 2 epochs"):
        begun.finish([ended(sequence.A, curves={"train_loss": np.zeros(3)})])


def test_no_row_names_a_file_that_is_not_there(begun: Workspace, sequence: ModuleType) -> None:
    held = sequence.contents(begun.path)
    with pytest.raises(StorageError, match="file not found"):
        begun.finish([ended(sequence.A, selections=[Selected("last", 2, 0.5, "0" * 64)])])
    assert sequence.contents(begun.path) == held


def test_old_progress_goes_and_everything_named_stays(begun: Workspace, sequence: ModuleType) -> None:
    old = begun.progress(sequence.A)
    begun.save_progress([sequence.progress(sequence.A, 2, begun.tensors)])
    new = begun.progress(sequence.A)
    kept = {
        new.tensors,
        new.snapshots[0].tensors,
        begun.progress(sequence.B).tensors,
        begun.progress(sequence.B).snapshots[0].tensors,
    }
    assert old.tensors not in begun.tensors.names()
    assert set(begun.tensors.names()) == kept
    begun.finish([ended(sequence.A, selections=[Selected("last", 2, 0.5, new.tensors)])])
    assert new.tensors in begun.tensors.names()
    assert new.snapshots[0].tensors not in begun.tensors.names()


def test_progress_that_equals_what_another_run_left_behind_is_not_lost(begun: Workspace, sequence: ModuleType) -> None:
    """B's next state has the content of A's old one, and is put before A's old one goes."""
    old = begun.progress(sequence.A)
    shared = begun.tensors.put(begun.tensors.get(old.tensors))
    assert shared == old.tensors
    begun.save_progress([sequence.progress(sequence.A, 2, begun.tensors)])
    begun.save_progress([Progress(sequence.B, 1, shared, {}, {}, [Snapshot(0, "network", shared)], sequence.STARTED)])
    assert begun.tensors.get(begun.progress(sequence.B).tensors).keys() == {"fc1.weight", "step"}


def test_the_log_of_test_reads_grows_by_what_is_new(begun: Workspace, sequence: ModuleType) -> None:
    first = sequence.read(sequence.A)
    monitoring = TestRead(sequence.B, "", None, 500, "monitoring", "2026-01-02T03:04:05+00:00")
    again = TestRead(sequence.A, "last", 2, 100, "selected snapshot", "2026-01-03T00:00:00+00:00")
    begun.log_test_reads([first, monitoring])
    begun.log_test_reads([again, monitoring])
    begun.finish([ended(sequence.A, test_reads=[first])])
    begun.finish([ended(sequence.B, test_reads=[monitoring])])
    assert begun.test_reads(sequence.STUDY) == [first, monitoring, again]
    assert begun.test_reads([sequence.B]) == [monitoring]
    begun.log_test_reads([TestRead(sequence.A, "last", 2, 100, "selected snapshot", "2026-02-01T00:00:00+00:00")])
    assert len(begun.test_reads([sequence.A])) == 3


def test_usage_is_found_by_any_of_its_runs_and_a_longer_record_replaces_a_shorter(
    begun: Workspace, sequence: ModuleType
) -> None:
    start = "2026-01-02T00:00:00+00:00"
    short = UsageRecord("s", start, 1.5, 3, None, "unknown", {}, {sequence.A: 1.0}, 1)
    shares = {sequence.A: 0.5, sequence.B: 0.5}
    both = UsageRecord("s", start, 2, 4, 9.5, "measured", {"meter": "rapl"}, shares, 4)
    early = UsageRecord("e", "2026-01-01T00:00:00+00:00", 2, 4, None, "unknown", {}, {sequence.B: 1.0}, 4)
    for usage in (short, both, early):
        begun.record_usage(usage)
    assert begun.usage([sequence.A]) == [both]
    assert begun.usage([sequence.B, sequence.A]) == [early, both]
    assert begun.usage([f"{i}" for i in range(2000)]) == []


def test_forecasts_are_kept_in_order(begun: Workspace, sequence: ModuleType) -> None:
    sequence.forecast(begun)
    sequence.forecast(begun)
    first, second = begun.forecasts(sequence.STUDY)
    assert first == second
    assert (first.model_epochs, first.wall_s, first.energy_j) == (4, 2.0, None)
    assert begun.forecasts("another") == []


def test_reading_sees_one_state_while_another_writes(begun: Workspace, sequence: ModuleType) -> None:
    with Workspace.open(begun.path) as reader:
        with reader.reading():
            assert reader.run(sequence.A).epochs_done == 1
            begun.save_progress([sequence.progress(sequence.A, 2, begun.tensors)])
            assert len(reader.curves(sequence.A)["train_loss"]) == 1
            assert reader.progress(sequence.A).epochs_done == 1
        assert reader.run(sequence.A).epochs_done == 2


def test_what_is_open_for_reading_refuses_to_write(complete: Path, sequence: ModuleType) -> None:
    with Workspace.open(complete) as ws:
        for attempt in (lambda: sequence.log_test_read(ws), lambda: ws.tensors.put({"w": np.zeros(1)})):
            with pytest.raises(RuntimeError, match="opened for reading"):
                attempt()


def test_progress_whose_row_was_damaged_is_refused(begun: Workspace, sequence: ModuleType) -> None:
    with begun._database.transaction():
        begun._database.change('UPDATE curves SET "values" = zeroblob(8) WHERE run_id = ?', sequence.A)
    with pytest.raises(StorageError, match=f"other values for run {sequence.A}"):
        begun.progress(sequence.A)
    assert begun.progress(sequence.B) is not None


def change_bytes(folder: Path, written: str, found: str) -> None:
    """Change text where it stands in the database file, as a failing disk would."""
    file = folder / "workspace.sqlite"
    content = file.read_bytes()
    assert written.encode() in content
    assert len(written.encode()) == len(found.encode())
    file.write_bytes(content.replace(written.encode(), found.encode()))


def test_a_study_is_not_trained_upon_rows_that_were_damaged(complete: Path, sequence: ModuleType) -> None:
    whole = (complete / "workspace.sqlite").read_bytes()
    for written, found, named in (
        (f"{sequence.A}done", f"{sequence.A}dzne", f"other values for run {sequence.A}"),
        ("größer", "gräßer", f"other values for study {sequence.STUDY}"),
    ):
        change_bytes(complete, written, found)
        changed = (complete / "workspace.sqlite").read_bytes()
        with Workspace.open(complete, write=True) as ws, pytest.raises(StorageError, match=named):
            sequence.register(ws)
        assert (complete / "workspace.sqlite").read_bytes() == changed
        (complete / "workspace.sqlite").write_bytes(whole)


def test_an_intact_file_whose_name_was_damaged_in_the_database_is_kept(complete: Path, sequence: ModuleType) -> None:
    with Workspace.open(complete) as ws:
        name, path = (chosen := ws.selections(sequence.A)[0]).tensors, ws.tensors.path(str(chosen.tensors))
    change_bytes(complete, str(name), "0" * 64)
    with Workspace.open(complete, write=True):
        assert path.exists()
    change_bytes(complete, "0" * 64, str(name))
    assert verify(complete).problems == ()


def test_an_intact_file_is_kept_also_where_only_an_index_was_damaged(complete: Path, sequence: ModuleType) -> None:
    with Workspace.open(complete) as ws:
        (name, *_) = {snapshot.tensors for snapshot in ws.snapshots(sequence.A)}
        path = ws.tensors.path(name)
    file = complete / "workspace.sqlite"
    whole = file.read_bytes()
    places = [place.start() for place in re.finditer(name.encode(), whole)]
    assert len(places) >= 2
    for place in places:
        file.write_bytes(whole[:place] + b"0" * 64 + whole[place + 64 :])
        with Workspace.open(complete, write=True):
            assert path.exists()
        assert verify(complete).problems != ()
