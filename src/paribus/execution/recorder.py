"""Records what workers report: nothing else writes to the workspace during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy.typing as npt

from paribus.data.pool import Split
from paribus.execution.environment import environment
from paribus.execution.messages import Checkpoint, RunEnded, RunProgress, RunTask, TestReadRequest
from paribus.execution.worker import now
from paribus.store.records import Artifact, Outcome, Progress, Selected, Snapshot, TestRead
from paribus.store.workspace import Workspace
from paribus.training.cohort import TrainingState
from paribus.training.engine import State
from paribus.training.margins import MarginSums
from paribus.training.plan import PlannedRun
from paribus.training.tracker import PendingSnapshot, SelectedEpoch

_MARGINS: Final = "margins/sums"
"""The name of the sums of margins among a checkpoint's tensors."""


class UndeclaredReadError(RuntimeError):
    """A worker asked for a read of the test set that the study does not declare."""


class Recorder:
    """Writes checkpoints, outcomes and test-set reads of runs, and reads back where an interrupted run was."""

    def __init__(self, workspace: Workspace, device: str) -> None:
        self._workspace = workspace
        self._device = device
        self._modules: set[str] = set()
        self._snapshots: dict[str, list[Snapshot]] = {}
        self._unwritten: dict[str, list[PendingSnapshot]] = {}
        self._earlier: dict[str, list[Mapping[str, Any]]] = {}

    def task_of(self, run: PlannedRun) -> RunTask:
        """`run` as a worker is given it: from its first epoch, or from its last checkpoint; without its test set."""
        splits = replace(run.splits, test=None)
        if run.spec.module is not None:
            self._modules.add(run.id)
        stored = self._workspace.progress(run.id)
        self._unwritten[run.id] = []
        self._snapshots[run.id] = [] if stored is None else list(stored.snapshots)
        if stored is None:
            return RunTask(run.spec, splits, None, now())
        self._earlier[run.id] = list(stored.scalars["environments"])
        return RunTask(run.spec, splits, self._restored(stored), stored.started_at)

    def _restored(self, stored: Progress) -> RunProgress:
        selected: dict[int, dict[str, npt.NDArray[Any]]] = {}
        state: dict[str, npt.NDArray[Any]] = {}
        margins: MarginSums | None = None
        for name, tensor in self._workspace.tensors.get(stored.tensors).items():
            kind, _, rest = name.partition("/")
            if kind == "selected":
                epoch, _, parameter = rest.partition("/")
                selected.setdefault(int(epoch), {})[parameter] = tensor
            elif name == _MARGINS:
                margins = MarginSums(tensor, stored.scalars["margin_epochs"])
            else:
                state[name] = tensor
        return RunProgress(
            run_id=stored.run_id,
            state=TrainingState(stored.epochs_done, stored.scalars["steps"], state, margins),
            scalars=stored.scalars,
            curves=stored.curves,
            selected=selected,
            snapshots=(),
            started_at=stored.started_at,
        )

    def pause(self, run_id: str) -> None:
        """Note that a run with a checkpoint does not go on in this session."""
        stored = self._workspace.progress(run_id)
        if stored is not None:
            self._workspace.save_progress([replace(stored, state="paused")])

    def checkpoint(self, message: Checkpoint) -> None:
        """Write a checkpoint of a cohort, in one transaction.

        Where the disk is full, its interval snapshots are kept in memory for the next attempt: no later checkpoint has
        them.
        """
        for progress in message.runs:
            self._unwritten.setdefault(progress.run_id, []).extend(progress.snapshots)
        self._workspace.save_progress([self._progress(one, paused=message.paused) for one in message.runs])

    def _progress(self, found: RunProgress, *, paused: bool) -> Progress:
        tensors = dict(found.state.tensors)
        for epoch, weights in found.selected.items():
            tensors |= {f"selected/{epoch}/{name}": tensor for name, tensor in weights.items()}
        environments = self._environments(found.run_id, found.environment)
        scalars = dict(found.scalars)
        if found.state.margins is not None:
            tensors[_MARGINS] = found.state.margins.sums
            scalars["margin_epochs"] = found.state.margins.epochs
        return Progress(
            run_id=found.run_id,
            epochs_done=found.state.epoch,
            tensors=self._put(tensors),
            scalars={**scalars, "steps": found.state.steps, "environments": environments},
            curves=found.curves,
            snapshots=self._written(found.run_id),
            started_at=found.started_at,
            state="paused" if paused else "running",
        )

    def ended(self, message: RunEnded, rules: Sequence[str]) -> None:
        """Write everything about a run that has ended, in one transaction. `rules` are its selection rules."""
        self._unwritten.setdefault(message.run_id, []).extend(message.snapshots)
        seen = self._environments(message.run_id, message.environment)
        self._workspace.finish([
            Outcome(
                run_id=message.run_id,
                state=message.outcome,
                epochs_done=message.epochs,
                curves=message.curves,
                selections=[self._selected(rule, message.selected.get(rule)) for rule in rules],
                snapshots=self._written(message.run_id),
                measurements=message.measured.numbers,
                artifacts=[
                    Artifact(rule, name, self._workspace.tensors.put(arrays))
                    for rule, name, arrays in message.measured.artifacts
                ],
                test_reads=[],  # logged before each read
                started_at=message.started_at,
                environment={**seen[-1], "earlier": seen[:-1]},
            )
        ])  # fmt: skip

    def opened(self, request: TestReadRequest, runs: Sequence[PlannedRun]) -> Split:
        """Log a read of the test set, then read it: a read that cannot be logged does not happen.

        `runs` are those of the request, which have one test set. Raises UndeclaredReadError where their recipes declare
        no such read.
        """
        for run in runs:
            declared = run.recipe.test
            if not (declared.monitor_every if request.purpose == "monitoring" else request.rule in declared.read_at):
                raise UndeclaredReadError(f"no {request.purpose} of the test set is declared")
        self._workspace.log_test_reads(
            TestRead(run_id, request.rule, request.epoch, request.examples, request.purpose, now())
            for run_id in request.run_ids
        )
        test_set = runs[0].splits.test
        assert test_set is not None
        return test_set.open(request.purpose, request.examples)

    def _selected(self, rule: str, chosen: SelectedEpoch | None) -> Selected:
        if chosen is None:
            return Selected(rule, None, None, None)
        return Selected(rule, chosen.epoch, chosen.value, self._put(chosen.weights))

    def _written(self, run_id: str) -> list[Snapshot]:
        """All snapshots of a run so far."""
        known = self._snapshots.setdefault(run_id, [])
        waiting = self._unwritten[run_id]
        while waiting:
            known.append(Snapshot(waiting[0].epoch, waiting[0].part, self._put(waiting[0].weights)))
            waiting.pop(0)
        return known

    def _put(self, tensors: State) -> str:
        return self._workspace.tensors.put(dict(tensors))

    def _environments(self, run_id: str, there: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
        """Every environment in which the run has trained, in order, the present one last: `there`, or our own."""
        here = there or environment(self._device, module=run_id in self._modules)
        return [earlier for earlier in self._earlier.get(run_id, []) if earlier != here] + [here]
