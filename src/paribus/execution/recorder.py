"""From what workers report to what the workspace holds: the one place that writes during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from paribus.execution.environment import environment
from paribus.execution.worker import Checkpoint, DrawerRequest, Ended, Participant, Standing
from paribus.store.records import Artifact, Outcome, Progress, Selected, Snapshot, TestRead
from paribus.store.workspace import Workspace
from paribus.training.cohort import TrainingState, fresh_state
from paribus.training.findings import findings_of
from paribus.training.plan import PlannedRun
from paribus.training.tracker import Kept, Tracker


class Recorder:
    """Writes checkpoints, outcomes and test reads of runs, and reads back where an interrupted run stands."""

    def __init__(self, workspace: Workspace, device: str) -> None:
        self._workspace = workspace
        self._device = device
        self._snapshots: dict[str, list[Snapshot]] = {}
        self._unwritten: dict[str, list[Kept]] = {}
        self._earlier: dict[str, list[Mapping[str, Any]]] = {}

    def participant(self, run: PlannedRun) -> Participant:
        """`run` ready to train: from its random start, or from where its last checkpoint left it."""
        tracker = Tracker(run.recipe)
        progress = self._workspace.progress(run.run_id)
        if progress is None:
            return Participant(run, tracker, fresh_state(run.recipe, run.seed, run.replicate))
        tensors = {name: torch.from_numpy(value) for name, value in self._workspace.tensors.get(progress.state).items()}
        best: dict[int, dict[str, torch.Tensor]] = {}
        state: dict[str, torch.Tensor] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "best":
                epoch, _, parameter = rest.partition("/")
                best.setdefault(int(epoch), {})[parameter] = tensor
            else:
                state[name] = tensor
        curves = {name: [float(value) for value in curve] for name, curve in progress.curves.items()}
        tracker.restore(progress.scalars, curves, best)
        self._snapshots[run.run_id] = list(progress.snapshots)
        self._earlier[run.run_id] = list(progress.scalars["environments"])
        return Participant(run, tracker, TrainingState(progress.epochs_done, progress.scalars["steps"], state))

    def checkpoint(self, message: Checkpoint) -> None:
        """Write where a cohort stands, in one transaction.

        Where the disk is full, the snapshots that came with it are kept for the next attempt: no later checkpoint has
        them.
        """
        for standing in message.standings:
            self._unwritten.setdefault(standing.run.run_id, []).extend(standing.kept)
        try:
            self._workspace.save_progress([self._progress(standing) for standing in message.standings])
        finally:
            message.written.set()

    def _progress(self, standing: Standing) -> Progress:
        run = standing.run
        tensors = {**standing.state.tensors}
        for epoch, weights in standing.best.items():
            tensors |= {f"best/{epoch}/{name}": tensor for name, tensor in weights.items()}
        scalars = {**standing.scalars, "steps": standing.state.steps, "environments": self._environments(run)}
        return Progress(
            run_id=run.run_id,
            epochs_done=standing.state.epoch,
            state=self._put(tensors),
            scalars=scalars,
            curves=_arrays(standing.curves),
            snapshots=self._written(run),
        )

    def ended(self, message: Ended) -> None:
        """Write all that is known of a run that has ended, in one transaction."""
        run, tracker, measured = message.run, message.tracker, message.measured
        self._unwritten.setdefault(run.run_id, []).extend(tracker.drain())
        outcome = tracker.outcome
        assert outcome is not None
        seen = self._environments(run)
        self._workspace.finish([
            Outcome(
                run_id=run.run_id,
                state=outcome,
                epochs_done=tracker.epoch,
                curves=_arrays(tracker.curves),
                selections=[self._selected(rule, tracker) for rule in run.recipe.selection.rules],
                snapshots=self._written(run),
                measurements=measured.measurements,
                findings=findings_of(outcome, tracker.curves, measured.measurements),
                artifacts=[
                    Artifact(rule, name, self._workspace.tensors.put(arrays))
                    for rule, name, arrays in measured.artifacts
                ],
                test_reads=[],  # logged before each reading
                environment={**seen[-1], "earlier": seen[:-1]},
            )
        ])  # fmt: skip

    def grant(self, request: DrawerRequest) -> None:
        """Log a reading of the test split, then let it happen. What cannot be logged does not happen."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        purpose = "monitoring" if request.epoch is None else "selected snapshot"
        try:
            self._workspace.log_test_reads(
                TestRead(run.run_id, request.rule, request.epoch, request.images, purpose, now) for run in request.runs
            )
        except BaseException as error:
            request.granted.set_exception(error)
            raise
        request.granted.set_result(None)

    def _selected(self, rule: str, tracker: Tracker) -> Selected:
        best = tracker.best.get(rule)
        if best is None:
            return Selected(rule, None, None, None)
        return Selected(rule, best.epoch, best.value, self._put(best.weights))

    def _written(self, run: PlannedRun) -> list[Snapshot]:
        """All snapshots of a run so far."""
        known = self._snapshots.setdefault(run.run_id, [])
        waiting = self._unwritten[run.run_id]
        while waiting:
            known.append(Snapshot(waiting[0].epoch, waiting[0].part, self._put(waiting[0].weights)))
            waiting.pop(0)
        return known

    def _put(self, tensors: Mapping[str, torch.Tensor]) -> str:
        return self._workspace.tensors.put({name: tensor.numpy() for name, tensor in tensors.items()})

    def _environments(self, run: PlannedRun) -> list[Mapping[str, Any]]:
        """Every environment in which the run has trained, in order, the present one last."""
        here = environment(self._device)
        return [earlier for earlier in self._earlier.get(run.run_id, []) if earlier != here] + [here]


def _arrays(curves: Mapping[str, Sequence[float]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.asarray(curve, dtype=np.float64) for name, curve in curves.items()}
