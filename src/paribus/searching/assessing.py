"""The result of a candidate at a rung, from what is recorded of its runs: a value, and faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from paribus.analysis.faults import faults_of
from paribus.analysis.run import Run, run_of
from paribus.spec.choice import FAULTS
from paribus.spec.rules import parse_rule, selected_epoch
from paribus.spec.search import Search
from paribus.store.records import Assessment
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.evaluation import Snapshot, measure_training
from paribus.training.plan import PlannedRun

_ENDED = ("done", "diverged")


class Assessor:
    """Assesses the candidates of a search at its rungs. Nothing is written."""

    def __init__(self, search: Search, workspace: Workspace, device: Device) -> None:
        self._search, self._workspace, self._device = search, workspace, device

    def assessed(self, number: int, rung: int, epochs: int, runs: Sequence[PlannedRun]) -> Assessment:
        """The candidate `number`, whose replicates are `runs`, after `epochs` epochs.

        Its value is the mean over its replicates of the best value of the objective up to there.
        """
        seen = [self._seen(run, epochs) for run in runs]
        found = {fault for run in seen for fault in faults_of(run, self._search.objective, self._search.without)}
        values = [self._value(run, epochs) for run in seen]
        known = [value for value in values if value is not None]
        diverged = any(run.state == "diverged" for run in seen)
        value = None if diverged or len(known) < len(values) else math.fsum(known) / len(known)
        if diverged:
            found.add("diverged")
        return Assessment(number, rung, epochs, value, tuple(fault for fault in FAULTS if fault in found))

    def _value(self, run: Run, epochs: int) -> float | None:
        rule = parse_rule(self._search.objective)
        curve = run.curves[rule.metric].tolist()
        epoch = selected_epoch(rule, {rule.metric: curve}, min(epochs, len(curve)))
        return None if epoch is None else float(curve[epoch - 1])

    def _seen(self, planned: PlannedRun, epochs: int) -> Run:
        """A run as it was after `epochs` epochs: later epochs, which another study may have trained, do not count."""
        record = self._workspace.run(planned.id)
        if record is None:
            raise ValueError(f"run {planned.id} must have been trained before it is assessed")
        run = run_of(self._workspace, record)
        if run.state in _ENDED and run.epochs_done <= epochs:
            return run
        curves = {name: curve[:epochs] for name, curve in run.curves.items()}
        early = replace(run, state="paused", curves=curves, selections={}, measurements={}, artifacts={})
        return self._measured(planned, early) if run.epochs_done == epochs else early

    def _measured(self, planned: PlannedRun, run: Run) -> Run:
        """A paused run with measurements of its hidden units and its outputs at the epoch chosen so far."""
        rule, stored = self._search.objective, self._workspace.progress(planned.id)
        epoch = run.epoch(rule)
        if stored is None or epoch is None or planned.spec.module is not None:
            return run
        prefix = f"selected/{epoch}/"
        tensors = self._workspace.tensors.get(stored.tensors)
        weights = {name.removeprefix(prefix): own for name, own in tensors.items() if name.startswith(prefix)}
        snapshot = Snapshot(rule, epoch, weights)
        found = measure_training(planned.spec, planned.splits, snapshot, self._device.engine())
        arrays = {name: own for own_rule, name, own in found.artifacts if own_rule == rule}
        return replace(
            run,
            measurements={(number.rule, number.name): number.value for number in found.numbers},
            artifacts={(rule, name): name for name in arrays},
            tensors=arrays,
        )
