from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from paribus.errors import StorageError, UserError
from paribus.spec.study import parse
from paribus.store.records import Outcome, Progress, RunKey, Selected, Snapshot, Span, TestRead
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

STUDY_FILE = """
format = 1
name = "{name}"
question = "does it matter?"
replicates = 2
[data]
protocol = "faces/all"
[network]
kind = "autoencoder"
layers = [4096, 4, 4096]
[loss]
kind = "mse"
[optimizer]
kind = "adam"
lr = {lr}
[training]
epochs = 3
batch_size = 64
[[arms]]
name = "plain"
[[arms]]
name = "centred"
data = {{ protocol = "faces/all", center = true }}
"""


def study(name: str = "faces", lr: float = 1e-4):
    return parse(STUDY_FILE.format(name=name, lr=lr), place="a test")


def runs(study) -> dict[tuple[str, int], RunKey]:
    return {
        (arm.name, i): RunKey(f"{arm.name}-{i}-{study.name}", arm.recipe.model_dump(mode="json"), 0, i, "d" * 64)
        for arm, i in study.runs()
    }


@pytest.fixture
def ws(tmp_path: Path):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as workspace:
        yield workspace


@pytest.fixture
def begun(ws: Workspace, life: ModuleType) -> Workspace:
    """Two runs registered, one epoch done."""
    life._begin(ws)
    life._first(ws)
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
        "findings": [],
        "artifacts": [],
        "test_reads": [],
    }
    return Outcome(**{**content, **changes})


def test_nothing_is_written_before_something_is_recorded(tmp_path: Path) -> None:
    for write in (False, True):
        with Workspace.open(tmp_path / "deep" / "workspace", create=True, write=write) as ws:
            assert ws.studies() == []
            assert ws.run("x") is None
            assert ws.progress("x") is None
            assert ws.runs_of("x") == []
            assert ws.spans(["x"]) == []
            assert ws.tensors.names() == []
    assert list(tmp_path.iterdir()) == []


def test_a_registered_study_is_found_by_name_and_by_identity(ws: Workspace) -> None:
    faces = study()
    ws.register_study(faces, runs(faces))
    for name in ("faces", faces.id):
        found = ws.study(name)
        assert (found.id, found.name) == (faces.id, "faces")
        assert parse(found.document, place="the workspace") == faces
    rows = ws.runs_of(faces.id)
    assert [(arm, i) for arm, i, _ in rows] == [("plain", 0), ("plain", 1), ("centred", 0), ("centred", 1)]
    assert {run.state for _, _, run in rows} == {"planned"}
    centred = rows[3][2]
    assert centred == ws.run("centred-1-faces")
    assert centred.recipe == faces.arm("centred").recipe.model_dump(mode="json")
    assert (centred.epochs_done, centred.replicate, centred.finished_at) == (0, 1, None)


def test_an_unknown_study_is_refused_with_the_nearest_name(ws: Workspace) -> None:
    faces = study()
    ws.register_study(faces, runs(faces))
    with pytest.raises(UserError, match="did you mean faces"):
        ws.study("fases")


def test_the_latest_registered_of_a_name_is_meant(ws: Workspace) -> None:
    old, new = study(lr=1e-4), study(lr=1e-3)
    for one in (old, new):
        ws.register_study(one, runs(one))
    assert ws.study("faces").id == new.id
    ws.register_study(old, runs(old))
    assert ws.study("faces").id == old.id
    assert [record.id for record in ws.studies()] == [new.id, old.id]


def test_registering_again_changes_nothing(ws: Workspace, life: ModuleType) -> None:
    for step in life.STEPS:
        step(ws)
    before, held = (ws.path / "workspace.sqlite-wal").read_bytes(), life.contents(ws.path)
    life._begin(ws)
    assert (ws.path / "workspace.sqlite-wal").read_bytes() == before
    assert life.contents(ws.path) == held


def test_a_second_session_with_nothing_new_leaves_every_byte(lived: Path, life: ModuleType) -> None:
    before = {path: path.read_bytes() for path in lived.rglob("*") if path.is_file() and path.name != "lock"}
    with Workspace.open(lived, create=True, write=True) as ws:
        life._begin(ws)
        assert ws.run(life.A).state == "done"
    after = {path: path.read_bytes() for path in lived.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_a_study_may_gain_replicates_but_never_swap_a_run(ws: Workspace, life: ModuleType) -> None:
    life._begin(ws)
    more = RunKey("c" * 32, {}, 7, 1, "d" * 64)
    ws.register_study(life.STUDY, {**life.RUNS, ("control", 1): more})
    assert [run.id for _, _, run in ws.runs_of(life.STUDY.id)] == [life.A, life.B, more.run_id]
    with pytest.raises(ValueError, match="another run"):
        ws.register_study(life.STUDY, {("control", 0): more})


def test_studies_share_runs_of_one_identity(begun: Workspace, life: ModuleType) -> None:
    other = SimpleNamespace(id="6" * 32, name="other", document="")
    begun.register_study(other, {("mine", 0): life.RUNS["control", 0]})
    assert begun.runs_of(other.id) == [("mine", 0, begun.run(life.A))]
    assert begun.run(life.A).epochs_done == 1


def test_progress_is_read_back_bit_for_bit(begun: Workspace, life: ModuleType) -> None:
    given = life.progress(life.A, 3, begun.tensors)
    begun.save_progress([given])
    found = begun.progress(life.A)
    assert (found.run_id, found.epochs_done, found.state) == (life.A, 3, given.state)
    assert found.scalars == given.scalars
    assert found.snapshots == given.snapshots
    for curves in (found.curves, begun.curves(life.A)):
        assert {name: curve.tobytes() for name, curve in curves.items()} == {
            name: curve.tobytes() for name, curve in given.curves.items()
        }
    assert begun.run(life.A).state == "running"
    assert begun.snapshots(life.A) == given.snapshots


def test_an_outcome_is_read_back_bit_for_bit(begun: Workspace, life: ModuleType) -> None:
    given = life.outcome(life.A, begun.tensors)
    begun.finish([given])
    run = begun.run(life.A)
    assert (run.state, run.epochs_done, run.environment) == ("done", 2, given.environment)
    assert run.finished_at.endswith("+00:00")
    assert begun.progress(life.A) is None
    assert begun.selections(life.A) == given.selections
    assert begun.snapshots(life.A) == given.snapshots
    assert begun.artifacts(life.A) == given.artifacts
    assert begun.test_reads([life.A]) == begun.test_reads(life.STUDY.id) == given.test_reads
    parameters, mse = begun.measurements(life.A)
    assert (parameters.name, parameters.value) == ("parameters", 10.0)
    assert math.isnan(mse.value)
    (finding,) = begun.findings(life.A)
    assert finding.detail["units"] == [0, 1]
    assert math.isnan(finding.detail["loss"])
    assert {name: curve.tobytes() for name, curve in begun.curves(life.A).items()} == {
        name: curve.tobytes() for name, curve in given.curves.items()
    }


def test_numpy_numbers_are_as_good_as_pythons(begun: Workspace, life: ModuleType) -> None:
    chosen = Selected("last", np.int64(2), np.float32(0.5), None)  # type: ignore[arg-type]
    begun.finish([ended(life.A, epochs_done=np.int64(2), selections=[chosen])])
    assert begun.selections(life.A) == [Selected("last", 2, 0.5, None)]
    assert begun.run(life.A).epochs_done == 2


def test_divergence_is_an_outcome_too(begun: Workspace, life: ModuleType) -> None:
    curves = {"train_loss": np.array([np.inf, np.nan])}
    begun.finish([ended(life.A, state="diverged", curves=curves, selections=[Selected("last", None, math.nan, None)])])
    assert begun.run(life.A).state == "diverged"
    assert begun.selections(life.A) == [Selected("last", None, None, None)]
    np.testing.assert_array_equal(begun.curves(life.A)["train_loss"], [np.inf, np.nan])


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_run_that_has_ended_is_never_changed(begun: Workspace, life: ModuleType, state: str) -> None:
    begun.finish([ended(life.A, state=state)])
    held = life.contents(begun.path)
    for attempt in (
        lambda: begun.finish([ended(life.A)]),
        lambda: begun.finish([ended(life.B), ended(life.A)]),
        lambda: begun.save_progress([life.progress(life.A, 3, begun.tensors)]),
    ):
        with pytest.raises(StorageError, match="a completed run is never changed") as refusal:
            attempt()
        assert life.A in str(refusal.value)
    assert life.contents(begun.path) == held


def test_several_runs_are_recorded_together_or_not_at_all(begun: Workspace, life: ModuleType) -> None:
    held = life.contents(begun.path)
    with pytest.raises(ValueError, match="must be registered"):
        begun.finish([ended(life.A), ended("unheard-of")])
    with pytest.raises(ValueError, match="must be registered"):
        begun.save_progress([life.progress(life.A, 2, begun.tensors), life.progress("unheard-of", 2, begun.tensors)])
    assert life.contents(begun.path) == held


def test_a_curve_has_one_value_an_epoch(begun: Workspace, life: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"train_loss of run a+ must have one value for each of 2 epochs"):
        begun.finish([ended(life.A, curves={"train_loss": np.zeros(3)})])


def test_no_row_names_a_file_that_is_not_there(begun: Workspace, life: ModuleType) -> None:
    held = life.contents(begun.path)
    with pytest.raises(StorageError, match="no such file"):
        begun.finish([ended(life.A, selections=[Selected("last", 2, 0.5, "0" * 64)])])
    assert life.contents(begun.path) == held


def test_old_progress_goes_and_everything_named_stays(begun: Workspace, life: ModuleType) -> None:
    old = begun.progress(life.A)
    begun.save_progress([life.progress(life.A, 2, begun.tensors)])
    new = begun.progress(life.A)
    kept = {
        new.state,
        new.snapshots[0].tensors,
        begun.progress(life.B).state,
        begun.progress(life.B).snapshots[0].tensors,
    }
    assert old.state not in begun.tensors.names()
    assert set(begun.tensors.names()) == kept
    begun.finish([ended(life.A, selections=[Selected("last", 2, 0.5, new.state)])])
    assert new.state in begun.tensors.names()
    assert new.snapshots[0].tensors not in begun.tensors.names()


def test_progress_that_equals_what_another_run_left_behind_is_not_lost(begun: Workspace, life: ModuleType) -> None:
    """B's next state has the content of A's old one, and is put before A's old one goes."""
    old = begun.progress(life.A)
    shared = begun.tensors.put(begun.tensors.get(old.state))
    assert shared == old.state
    begun.save_progress([life.progress(life.A, 2, begun.tensors)])
    begun.save_progress([Progress(life.B, 1, shared, {}, {}, [Snapshot(0, "network", shared)])])
    assert begun.tensors.get(begun.progress(life.B).state).keys() == {"fc1.weight", "step"}


def test_the_log_of_test_reads_grows_by_what_is_new(begun: Workspace, life: ModuleType) -> None:
    first = life.read(life.A)
    monitoring = TestRead(life.B, "", None, 500, "monitoring", "2026-01-02T03:04:05+00:00")
    again = TestRead(life.A, "last", 2, 100, "selected snapshot", "2026-01-03T00:00:00+00:00")
    begun.log_test_reads([first, monitoring])
    begun.log_test_reads([again, monitoring])
    begun.finish([ended(life.A, test_reads=[first])])
    begun.finish([ended(life.B, test_reads=[monitoring])])
    assert begun.test_reads(life.STUDY.id) == [first, monitoring, again]
    assert begun.test_reads([life.B]) == [monitoring]
    begun.log_test_reads([TestRead(life.A, "last", 2, 100, "selected snapshot", "2026-02-01T00:00:00+00:00")])
    assert len(begun.test_reads([life.A])) == 3


def test_spans_are_found_by_any_of_their_runs_and_may_grow(begun: Workspace, life: ModuleType) -> None:
    short = Span("s", "2026-01-02T00:00:00+00:00", 1.5, 3, None, "unknown", {}, {life.A: 1.0}, 1)
    both = Span(
        "s", "2026-01-02T00:00:00+00:00", 2, 4, 9.5, "measured", {"meter": "rapl"}, {life.A: 0.5, life.B: 0.5}, 4
    )
    early = Span("e", "2026-01-01T00:00:00+00:00", 2, 4, None, "unknown", {}, {life.B: 1.0}, 4)
    for span in (short, both, early):
        begun.record_span(span)
    assert begun.spans([life.A]) == [both]
    assert begun.spans([life.B, life.A]) == [early, both]
    assert begun.spans([f"{i}" for i in range(2000)]) == []


def test_forecasts_are_kept_in_order(begun: Workspace, life: ModuleType) -> None:
    life._predict(begun)
    life._predict(begun)
    first, second = begun.forecasts(life.STUDY.id)
    assert first == second
    assert (first.model_epochs, first.wall_s, first.energy_j) == (4, 2.0, None)
    assert begun.forecasts("another") == []


def test_reading_sees_one_state_while_another_writes(begun: Workspace, life: ModuleType) -> None:
    with Workspace.open(begun.path) as reader:
        with reader.reading():
            assert reader.run(life.A).epochs_done == 1
            begun.save_progress([life.progress(life.A, 2, begun.tensors)])
            assert len(reader.curves(life.A)["train_loss"]) == 1
            assert reader.progress(life.A).epochs_done == 1
        assert reader.run(life.A).epochs_done == 2


def test_what_is_open_for_reading_refuses_to_write(lived: Path, life: ModuleType) -> None:
    with Workspace.open(lived) as ws:
        for attempt in (lambda: life._log(ws), lambda: ws.tensors.put({"w": np.zeros(1)})):
            with pytest.raises(RuntimeError, match="opened for reading"):
                attempt()


def test_progress_whose_row_was_damaged_is_refused(begun: Workspace, life: ModuleType) -> None:
    with begun._database.transaction():
        begun._database.change('UPDATE curves SET "values" = zeroblob(8) WHERE run_id = ?', life.A)
    with pytest.raises(StorageError, match=f"other values for run {life.A}"):
        begun.progress(life.A)
    assert begun.progress(life.B) is not None


def spoil(folder: Path, written: str, found: str) -> None:
    """Change text where it stands in the database file, as a failing disk would."""
    file = folder / "workspace.sqlite"
    content = file.read_bytes()
    assert written.encode() in content
    assert len(written.encode()) == len(found.encode())
    file.write_bytes(content.replace(written.encode(), found.encode()))


def test_a_study_is_not_trained_upon_rows_that_were_damaged(lived: Path, life: ModuleType) -> None:
    whole = (lived / "workspace.sqlite").read_bytes()
    for written, found, named in (
        (f"{life.A}done", f"{life.A}dzne", f"other values for run {life.A}"),
        ("größer", "gräßer", f"other values for study {life.STUDY.id}"),
    ):
        spoil(lived, written, found)
        spoiled = (lived / "workspace.sqlite").read_bytes()
        with Workspace.open(lived, write=True) as ws, pytest.raises(StorageError, match=named):
            ws.register_study(life.STUDY, life.RUNS)
        assert (lived / "workspace.sqlite").read_bytes() == spoiled
        (lived / "workspace.sqlite").write_bytes(whole)


def test_a_sound_file_whose_name_was_damaged_in_the_database_is_kept(lived: Path, life: ModuleType) -> None:
    with Workspace.open(lived) as ws:
        name, path = (chosen := ws.selections(life.A)[0]).tensors, ws.tensors.path(str(chosen.tensors))
    spoil(lived, str(name), "0" * 64)
    with Workspace.open(lived, write=True):
        assert path.exists()
    spoil(lived, "0" * 64, str(name))
    assert verify(lived).problems == ()


def test_a_sound_file_is_kept_also_where_only_an_index_was_damaged(lived: Path, life: ModuleType) -> None:
    with Workspace.open(lived) as ws:
        (name, *_) = {snapshot.tensors for snapshot in ws.snapshots(life.A)}
        path = ws.tensors.path(name)
    file = lived / "workspace.sqlite"
    whole = file.read_bytes()
    places = [place.start() for place in re.finditer(name.encode(), whole)]
    assert len(places) >= 2
    for place in places:
        file.write_bytes(whole[:place] + b"0" * 64 + whole[place + 64 :])
        with Workspace.open(lived, write=True):
            assert path.exists()
        assert verify(lived).problems != ()
