"""Random sequences of everything that a workspace can record, beside a plain dictionary that does the same."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from paribus.errors import StorageError
from paribus.store.records import (
    Artifact,
    LaterMeasurement,
    Measurement,
    NewRun,
    Outcome,
    Progress,
    Selected,
    Snapshot,
    TestRead,
)
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

IDS = tuple(letter * 32 for letter in "abcd")
STUDIES = ("5" * 32, "6" * 32)
MEMORY = Path("/dev/shm")
ids = st.sampled_from(IDS)
rules = st.sampled_from(("", "last"))


@dataclass
class Expected:
    """What must be read of a run."""

    state: str = "planned"
    epochs: int = 0
    started_at: str | None = None
    loss: list[float] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    """By the reason for which it is kept: the one number in each tensor file."""
    numbers: dict[tuple[str, str], float] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    reads: int = 0


class Recording(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        memory = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.folder = tempfile.TemporaryDirectory(dir=memory, prefix="paribus-test-")
        self.path = Path(self.folder.name) / "workspace"
        self.ws = Workspace.open(self.path, create=True, write=True)
        self.runs: dict[str, Expected] = {}
        self.members: dict[str, list[str]] = {}
        self.time = 0

    def now(self) -> str:
        self.time += 1
        return f"2026-01-01T00:00:00.{self.time:06d}+00:00"

    def put(self, value: float) -> str:
        return self.ws.tensors.put({"w": np.array([value])})

    @rule(study=st.sampled_from(STUDIES), chosen=st.lists(ids, min_size=1, unique=True))
    def register(self, study: str, chosen: list[str]) -> None:
        known = self.members.setdefault(study, [])
        known += [run_id for run_id in chosen if run_id not in known]
        members = {("arm", i): NewRun(run_id, run_id, {"id": run_id}, {}) for i, run_id in enumerate(known)}
        self.ws.register_study(study, "study", "", members, ["claim"])
        for run_id in chosen:
            self.runs.setdefault(run_id, Expected())

    @precondition(lambda self: self.runs)
    @rule(run_id=ids, epochs=st.integers(0, 3), paused=st.booleans(), weights=st.sampled_from((1.0, 2.0)))
    def checkpoint(self, run_id: str, epochs: int, paused: bool, weights: float) -> None:
        state = "paused" if paused else "running"
        time, loss = self.now(), [weights] * epochs
        name, snapshot = self.put(weights), Snapshot(0, "network", self.put(-weights))
        curves = {"train_loss": np.array(loss)}
        attempt = Progress(run_id, epochs, name, {"w": weights}, curves, [snapshot], time, state)  # type: ignore[arg-type]
        if self.refused(run_id, lambda: self.ws.save_progress([attempt])):
            return
        run = self.runs[run_id]
        run.state, run.epochs, run.loss, run.started_at = state, epochs, loss, run.started_at or time
        run.weights = {"progress": weights, "snapshot": -weights}

    @precondition(lambda self: self.runs)
    @rule(run_id=ids, diverged=st.booleans(), epochs=st.integers(0, 3), weights=st.sampled_from((1.0, 3.0)))
    def finish(self, run_id: str, diverged: bool, epochs: int, weights: float) -> None:
        state = "diverged" if diverged else "done"
        time, loss = self.now(), [weights] * epochs
        attempt = Outcome(
            run_id=run_id,
            state=state,  # type: ignore[arg-type]
            epochs_done=epochs,
            curves={"train_loss": np.array(loss)},
            selections=[Selected("last", epochs, weights, self.put(weights))],
            snapshots=[],
            measurements=[Measurement("last", "mse", weights)],
            artifacts=[Artifact("", "targets", self.put(10 * weights))],
            test_reads=[],
            started_at=time,
        )
        if self.refused(run_id, lambda: self.ws.finish([attempt])):
            return
        run = self.runs[run_id]
        run.state, run.epochs, run.loss, run.started_at = state, epochs, loss, run.started_at or time
        run.weights = {"selection": weights, "/targets": 10 * weights}
        run.numbers = {("last", "mse"): weights}

    def refused(self, run_id: str, attempt) -> bool:
        """Whether the attempt must be refused, and was."""
        if run_id not in self.runs:
            with pytest.raises(ValueError, match="must be registered"):
                attempt()
        elif self.runs[run_id].state in ("done", "diverged"):
            with pytest.raises(StorageError, match="never changed"):
                attempt()
        else:
            attempt()
            return False
        return True

    @precondition(lambda self: self.runs)
    @rule(run_id=ids, at=rules, name=st.sampled_from(("mse", "sharpness", "targets", "outputs")), arrays=st.booleans())
    def measure_later(self, run_id: str, at: str, name: str, arrays: bool) -> None:
        value, tensors = (None, self.put(20.0)) if arrays else (4.0, None)
        item = LaterMeasurement(run_id, at, name, value, tensors, "why", self.now(), {})
        run = self.runs.get(run_id)
        if run is None or run.state != "done":
            with pytest.raises(ValueError, match="must be done"):
                self.ws.add_measurements(run_id, [item])
            return
        if f"{at}/{name}" in {"last/mse", "/targets", *run.later}:
            with pytest.raises(StorageError, match="never replaced"):
                self.ws.add_measurements(run_id, [item])
            return
        self.ws.add_measurements(run_id, [item])
        run.later.append(f"{at}/{name}")
        if arrays:
            run.weights[f"{at}/{name}"] = 20.0
        else:
            run.numbers[at, name] = 4.0

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def log_a_read(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        self.ws.log_test_reads([TestRead(run_id, "last", 1, 10, "selected snapshot", self.now())])
        self.runs[run_id].reads += 1

    @rule(epoch=st.integers(0, 9))
    def say_how_it_goes(self, epoch: int) -> None:
        self.ws.write_live({"epoch": epoch})

    @rule()
    def leave_an_orphan_and_open_again(self) -> None:
        self.put(99.0)
        self.ws.close()
        self.ws = Workspace.open(self.path, create=True, write=True)
        assert len(self.ws.tensors.names()) == len({w for run in self.runs.values() for w in run.weights.values()})

    @invariant()
    def everything_is_read_as_expected(self) -> None:
        with Workspace.open(self.path, create=True) as reader:
            for study, expected in self.members.items():
                assert [run.id for _, _, run in reader.runs_of(study)] == expected
                assert [claim.text for claim in reader.claims(study)] == ["claim"]
            for run_id, expected in self.runs.items():
                self.check(reader, run_id, expected)

    def check(self, reader: Workspace, run_id: str, expected: Expected) -> None:
        run = reader.run(run_id)
        assert run is not None
        assert (run.state, run.epochs_done, run.started_at) == (expected.state, expected.epochs, expected.started_at)
        assert (run.finished_at is None) == (expected.state not in ("done", "diverged"))
        progress = reader.progress(run_id)
        assert (progress is not None) == (expected.state in ("running", "paused"))
        curves = reader.curves(run_id)
        assert [float(loss) for loss in curves.get("train_loss", ())] == expected.loss
        found = [] if progress is None else [("progress", progress.tensors)]
        found += [("snapshot", snapshot.tensors) for snapshot in reader.snapshots(run_id)]
        found += [("selection", str(selected.tensors)) for selected in reader.selections(run_id)]
        found += [(f"{artifact.rule}/{artifact.name}", artifact.tensors) for artifact in reader.artifacts(run_id)]
        assert {reason: float(reader.tensors.get(name)["w"][0]) for reason, name in found} == expected.weights
        assert {(m.rule, m.name): m.value for m in reader.measurements(run_id)} == expected.numbers
        assert [f"{m.rule}/{m.name}" for m in reader.later(run_id)] == expected.later
        assert len(reader.test_reads([run_id])) == expected.reads

    def teardown(self) -> None:
        self.ws.close()
        if (self.path / "workspace.sqlite").exists():
            assert verify(self.path).problems == ()
        self.folder.cleanup()


Recording.TestCase.settings = settings(max_examples=15, stateful_step_count=20, phases=(Phase.generate, Phase.shrink))
TestRecording = Recording.TestCase
