"""Records what workers report: nothing else writes to the workspace during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.execution.environment import environment
from paribus.execution.messages import CohortCheckpoint, RunCheckpoint, RunEnded, TestReadRequest
from paribus.execution.worker import Trainee, now
from paribus.store.records import Artifact, Outcome, Progress, Selected, Snapshot, TestRead
from paribus.store.workspace import Workspace
from paribus.training.cohort import TrainingState, fresh_state
from paribus.training.engine import State
from paribus.training.plan import PlannedRun
from paribus.training.tracker import PendingSnapshot, Tracker


class Recorder:
    """Writes checkpoints, outcomes and test-set reads of runs, and reads back where an interrupted run was."""

    def __init__(self, workspace: Workspace, device: str) -> None:
        self._workspace = workspace
        self._device = device
        self._snapshots: dict[str, list[Snapshot]] = {}
        self._unwritten: dict[str, list[PendingSnapshot]] = {}
        self._earlier: dict[str, list[Mapping[str, Any]]] = {}

    def trainee(self, run: PlannedRun) -> Trainee:
        """`run` ready to train: from its initial weights, or from its last checkpoint."""
        tracker = Tracker(run.spec)
        progress = self._workspace.progress(run.id)
        if progress is None:
            return Trainee(run, tracker, fresh_state(run.spec), now())
        selected: dict[int, dict[str, npt.NDArray[Any]]] = {}
        state: dict[str, npt.NDArray[Any]] = {}
        for name, tensor in self._workspace.tensors.get(progress.tensors).items():
            kind, _, rest = name.partition("/")
            if kind == "selected":
                epoch, _, parameter = rest.partition("/")
                selected.setdefault(int(epoch), {})[parameter] = tensor
            else:
                state[name] = tensor
        curves = {name: [float(value) for value in curve] for name, curve in progress.curves.items()}
        tracker.restore(progress.scalars, curves, selected)
        self._snapshots[run.id] = list(progress.snapshots)
        self._earlier[run.id] = list(progress.scalars["environments"])
        resumed = TrainingState(progress.epochs_done, progress.scalars["steps"], state)
        return Trainee(run, tracker, resumed, progress.started_at)

    def checkpoint(self, message: CohortCheckpoint) -> None:
        """Write a checkpoint of a cohort, in one transaction.

        Where the disk is full, its interval snapshots are kept in memory for the next attempt: no later checkpoint has
        them.
        """
        for checkpoint in message.runs:
            self._unwritten.setdefault(checkpoint.run.id, []).extend(checkpoint.snapshots)
        try:
            self._workspace.save_progress([self._progress(one, paused=message.paused) for one in message.runs])
        finally:
            message.released.set()

    def _progress(self, checkpoint: RunCheckpoint, *, paused: bool) -> Progress:
        run = checkpoint.run
        tensors = dict(checkpoint.state.tensors)
        for epoch, weights in checkpoint.selected.items():
            tensors |= {f"selected/{epoch}/{name}": tensor for name, tensor in weights.items()}
        scalars = {**checkpoint.scalars, "steps": checkpoint.state.steps, "environments": self._environments(run)}
        return Progress(
            run_id=run.id,
            epochs_done=checkpoint.state.epoch,
            tensors=self._put(tensors),
            scalars=scalars,
            curves=_arrays(checkpoint.curves),
            snapshots=self._written(run),
            started_at=checkpoint.started_at,
            state="paused" if paused else "running",
        )

    def ended(self, message: RunEnded) -> None:
        """Write everything about a run that has ended, in one transaction."""
        run, tracker, measured = message.run, message.tracker, message.measured
        self._unwritten.setdefault(run.id, []).extend(tracker.take_pending())
        outcome = tracker.outcome
        assert outcome is not None
        seen = self._environments(run)
        self._workspace.finish([
            Outcome(
                run_id=run.id,
                state=outcome,
                epochs_done=tracker.epoch,
                curves=_arrays(tracker.curves),
                selections=[self._selected(rule, tracker) for rule in run.recipe.selection.rules],
                snapshots=self._written(run),
                measurements=measured.numbers,
                artifacts=[
                    Artifact(rule, name, self._workspace.tensors.put(arrays))
                    for rule, name, arrays in measured.artifacts
                ],
                test_reads=[],  # logged before each read
                started_at=message.started_at,
                environment={**seen[-1], "earlier": seen[:-1]},
            )
        ])  # fmt: skip

    def grant(self, request: TestReadRequest) -> None:
        """Log a read of the test set, then allow it. A read that cannot be logged does not happen."""
        try:
            self._workspace.log_test_reads(
                TestRead(run.id, request.rule, request.epoch, request.examples, request.purpose, now())
                for run in request.runs
            )
        except BaseException as error:
            request.granted.set_exception(error)
            raise
        request.granted.set_result(None)

    def _selected(self, rule: str, tracker: Tracker) -> Selected:
        chosen = tracker.selected.get(rule)
        if chosen is None:
            return Selected(rule, None, None, None)
        return Selected(rule, chosen.epoch, chosen.value, self._put(chosen.weights))

    def _written(self, run: PlannedRun) -> list[Snapshot]:
        """All snapshots of a run so far."""
        known = self._snapshots.setdefault(run.id, [])
        waiting = self._unwritten[run.id]
        while waiting:
            known.append(Snapshot(waiting[0].epoch, waiting[0].part, self._put(waiting[0].weights)))
            waiting.pop(0)
        return known

    def _put(self, tensors: State) -> str:
        return self._workspace.tensors.put(dict(tensors))

    def _environments(self, run: PlannedRun) -> list[Mapping[str, Any]]:
        """Every environment in which the run has trained, in order, the present one last."""
        here = environment(self._device)
        return [earlier for earlier in self._earlier.get(run.id, []) if earlier != here] + [here]


def _arrays(curves: Mapping[str, Sequence[float]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.asarray(curve, dtype=np.float64) for name, curve in curves.items()}
