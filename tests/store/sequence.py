"""A short history of a workspace, step by step, and all that can be read of it. Several tests use it, also in other
processes:

    python sequence.py run FOLDER              do all steps
    python sequence.py hold FOLDER             begin to write, print "ready", and wait with the transaction open
    python sequence.py wait FOLDER             save progress, print "ready", and wait with the workspace open
    python sequence.py spill FOLDER            as hold, with half of the transaction in the database file already
    python sequence.py kill FOLDER...          do all steps in one process per folder, the N-th killed at its N-th point

It loads the store only: no torch, no study files. With SHARED_FILE_SYSTEM=1 in the environment it takes every file
system for one that several machines share.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from paribus.store import faults, filesystem
from paribus.store.records import (
    Artifact,
    Assessment,
    Forecast,
    LaterMeasurement,
    Measurement,
    NewRun,
    Outcome,
    Progress,
    Proposal,
    Selected,
    Snapshot,
    TestRead,
    UsageRecord,
)
from paribus.store.tensors import TensorFolder
from paribus.store.workspace import Workspace

STUDY = "5" * 32
RUNS = {
    (arm, 0): NewRun(
        letter * 32, f'{{"lr":{lr},"seed":7}}', {"optimizer": {"kind": "sgd", "lr": lr}, "hidden": [4]}, {"features": 9}
    )
    for arm, letter, lr in (("control", "a", 0.1), ('größer, "b"', "b", 0.2))
}
CLAIMS = ('{"better":"b"}', '{"equal":"größer"}')
A, B = (run.run_id for run in RUNS.values())
STARTED = "2026-01-02T03:00:00+00:00"


def weights(value: float) -> dict[str, Any]:
    return {"fc1.weight": np.full((2, 4), value, np.float32), "step": np.array(value)}


def progress(run_id: str, epochs: int, tensors: TensorFolder, **changes: Any) -> Progress:
    """A checkpoint that differs at every epoch; one snapshot from the start on."""
    start = 100.0 + ord(run_id[0])
    content: dict[str, Any] = {
        "run_id": run_id,
        "epochs_done": epochs,
        "tensors": tensors.put(weights(start + epochs / 10)),
        "scalars": {"best": {"min-val-loss": 0.5, "last": float("inf")}, "milestones": [3, 4]},
        "curves": {"train_loss": np.linspace(1, 1 / epochs, epochs), "val_loss": np.full(epochs, np.nan)},
        "snapshots": [Snapshot(0, "first-layer", tensors.put(weights(start)))],
        "started_at": STARTED,
    }
    return Progress(**{**content, **changes})


def read(run_id: str) -> TestRead:
    return TestRead(run_id, "last", 2, 100, "selected snapshot", "2026-01-02T03:04:05+00:00")


def outcome(run_id: str, tensors: TensorFolder) -> Outcome:
    kept = tensors.put(weights(3.5))
    return Outcome(
        run_id=run_id,
        state="done",
        epochs_done=2,
        curves={"train_loss": np.array([1.0, 0.1]), "val_loss": np.array([np.nan, 0.25])},
        selections=[Selected("min-val-loss", 2, 0.25, kept), Selected("max-val-accuracy", None, None, None)],
        snapshots=[Snapshot(0, "first-layer", tensors.put(weights(100.0 + ord(run_id[0]))))],
        measurements=[Measurement("", "parameters", 10), Measurement("min-val-loss", "mse", float("nan"))],
        artifacts=[Artifact("", "examples", tensors.put({"images": np.arange(6, dtype=np.uint8).reshape(2, 3)}))],
        test_reads=[read(run_id)],
        started_at="2026-01-02T03:00:30+00:00",
        environment={"torch": "2.15.0", "threads": 1},
    )


def register(ws: Workspace) -> None:
    ws.register_study(STUDY, "small", 'name = "small"\n', RUNS, CLAIMS)


def first_checkpoint(ws: Workspace) -> None:
    ws.save_progress([progress(A, 1, ws.tensors), progress(B, 1, ws.tensors, state="paused")])


def second_checkpoint(ws: Workspace) -> None:
    ws.save_progress([progress(A, 2, ws.tensors), progress(B, 2, ws.tensors)])


def pause(ws: Workspace) -> None:
    ws.save_progress([progress(B, 2, ws.tensors, state="paused")])


def log_test_read(ws: Workspace) -> None:
    ws.log_test_reads([read(A)])


def end(ws: Workspace) -> None:
    ws.finish([outcome(A, ws.tensors)])


def later(name: str, value: float | None = None, tensors: str | None = None) -> LaterMeasurement:
    time, environment = "2026-02-02T00:00:00+00:00", {"numpy": "2.3"}
    return LaterMeasurement(A, "min-val-loss", name, value, tensors, "reviewer's question", time, environment)


def measure_later(ws: Workspace) -> None:
    outputs = ws.tensors.put({"logits": np.array([[1.5, -2.25]], np.float16)})
    ws.add_measurements(A, [later("sharpness", float("nan")), later("outputs/train", tensors=outputs)])


def record_usage(ws: Workspace) -> None:
    shares = {A: 0.25, B: 0.75}
    ws.record_usage(UsageRecord("u1", STARTED, 2.5, 5.0, 12.0, "modelled", {"watts": 4.8}, shares, 4))


def forecast(ws: Workspace) -> None:
    ws.record_forecast(Forecast(STUDY, "2026-01-02T02:59:00+00:00", 4, 2.0, None, "measured steps"))


def proposals() -> list[Proposal]:
    return [Proposal(i, 0, {"optimizer.lr": 0.1 * i, "network.hidden": [4]}, "tpe 5") for i in (0, 1, 2)]


def propose(ws: Workspace) -> None:
    ws.add_proposals(STUDY, proposals())


def assess(ws: Workspace) -> None:
    failed = Assessment(2, 0, 2, None, (), "must divide 30, got 4")
    ws.add_assessments(STUDY, [Assessment(0, 0, 2, 0.25, ()), Assessment(1, 0, 2, None, ("diverged",)), failed])


STEPS: tuple[Callable[[Workspace], None], ...] = (
    register,
    forecast,
    first_checkpoint,
    second_checkpoint,
    record_usage,
    pause,
    log_test_read,
    end,
    measure_later,
    propose,
    assess,
)


def run_all(folder: Path) -> None:
    with Workspace.open(folder, create=True, write=True) as ws:
        for step in STEPS:
            step(ws)


def resume(folder: Path, done: int) -> None:
    """Do the steps that follow the first `done`."""
    with Workspace.open(folder, create=True, write=True) as ws:
        for step in STEPS[done:]:
            step(ws)


def contents(folder: Path) -> dict[str, Any]:
    """All that can be read, except times of recording; of a workspace that does not exist: nothing."""
    with Workspace.open(folder, create=True) as ws:
        known = {run.id: run for study in ws.studies() for _, _, run in ws.runs_of(study.id)}
        found = {
            "studies": [study.name for study in ws.studies()],
            "members": [(arm, i, run.id) for study in ws.studies() for arm, i, run in ws.runs_of(study.id)],
            "claims": [claim.text for study in ws.studies() for claim in ws.claims(study.id)],
            "forecasts": ws.forecasts(STUDY),
            "usage": ws.usage(known),
            "reads": ws.test_reads(known),
            "runs": {run_id: run_contents(ws, run_id) for run_id in known},
        }
        if ws.proposals(STUDY):  # older formats have none
            found["search"] = [ws.proposals(STUDY), ws.assessments(STUDY)]
    return json.loads(json.dumps(found, default=_plain))


def run_contents(ws: Workspace, run_id: str) -> dict[str, Any]:
    run = ws.run(run_id)
    assert run is not None
    return {
        "run": dataclasses.replace(run, finished_at=None),
        "progress": ws.progress(run_id),
        "curves": ws.curves(run_id),
        "selections": ws.selections(run_id),
        "snapshots": ws.snapshots(run_id),
        "measurements": ws.measurements(run_id),
        "artifacts": ws.artifacts(run_id),
        "later": ws.later(run_id),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [float(v).hex() for v in value]
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _hold(folder: Path) -> None:
    with Workspace.open(folder, create=True, write=True) as ws:
        register(ws)
        with ws._database.transaction():
            ws._database.change("UPDATE runs SET epochs_done = 99 WHERE id = ?", B)
            _wait()


def _spill(folder: Path) -> None:
    """SQLite writes changed pages to the file, with their old content in the journal, when they fill its cache."""
    with Workspace.open(folder, write=True) as ws:
        ws._database.rows("PRAGMA cache_size = 1")
        with ws._database.transaction():
            ws._database.change("UPDATE runs SET epochs_done = 99 WHERE id = ?", B)
            ws._database.change('UPDATE curves SET "values" = zeroblob(400000) WHERE run_id = ?', B)
            _wait()


def _wait_open(folder: Path) -> None:
    with Workspace.open(folder, create=True, write=True) as ws:
        ws.save_progress([progress(B, 3, ws.tensors)])
        ws.write_live({"epochs": 3})
        _wait()


def _wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _kill(folders: list[Path]) -> list[int]:
    """One child per folder, forked: starting Python a hundred times takes a minute. Returns how each ended."""
    ends: list[int] = []
    for number, folder in enumerate(folders, start=1):
        child = os.fork()
        if child == 0:
            faults.inject(f"kill@{number}")
            run_all(folder)
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return ends


def main(command: str, *paths: str) -> None:
    if os.environ.get("SHARED_FILE_SYSTEM"):
        filesystem.is_shared = lambda _: True
    folders = [Path(path) for path in paths]
    if command == "kill":
        sys.stdout.write(json.dumps(_kill(folders)))
    else:
        {"run": run_all, "hold": _hold, "spill": _spill, "wait": _wait_open}[command](folders[0])
    assert "torch" not in sys.modules
    assert "pydantic" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
