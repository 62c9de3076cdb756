"""Measuring recorded runs again: what a study asks for now, and did not when they were trained.

What is only measured is not part of a run's identity, so a recorded run may lack it. The selected weights are kept, so
nothing is trained for it. A user's own module is evaluated in a process of its own, as it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, final

from paribus.data.pool import Purpose, Split
from paribus.execution.environment import environment
from paribus.execution.isolated_engine import ended_after, evaluation_engine
from paribus.execution.worker import now
from paribus.spec.identity import EngineFamily
from paribus.store.records import LaterMeasurement, TestRead
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.engine import Engine
from paribus.training.evaluation import Snapshot, measure_snapshot, missing_of
from paribus.training.measurements import Measurements, all_of
from paribus.training.plan import PlannedRun

PURPOSE: Final[Purpose] = "later measurement"


def measure_later(runs: Sequence[PlannedRun], workspace: Workspace, device: Device) -> int:
    """Measure what recorded `runs` lack; how many runs lacked something. Each run is recorded before the next."""
    engines: dict[EngineFamily, Engine] = {}
    measured = 0
    with ExitStack() as stack:
        for run in runs:
            recorded, family = _RecordedRun(run, workspace), run.spec.family
            incomplete = recorded.incomplete()
            if not incomplete:
                continue
            if family not in engines:
                engines[family] = evaluation_engine(family)
                stack.enter_context(ended_after(engines[family]))
            found = all_of(recorded.measured(snapshot, engines[family]) for snapshot in incomplete)
            workspace.add_measurements(run.id, list(recorded.additions(found, device)))
            measured += 1
    return measured


def not_kept(run: PlannedRun, workspace: Workspace) -> list[str]:
    """What a recorded run was trained without, and only training can give: curves and interval snapshots, by name."""
    record = workspace.run(run.id)
    if record is None or record.state != "done":
        return []
    curves, snapshots = workspace.curves(run.id), workspace.snapshots(run.id)
    lacking = [name for name in run.recipe.curves(run.spec.dataset) if name not in curves]
    wanted = run.recipe.snapshots
    if wanted.margins and not any(artifact.name == "margins/train" for artifact in workspace.artifacts(run.id)):
        lacking.append("margins")
    if wanted.every and not any(snapshot.part == "network" for snapshot in snapshots):
        lacking.append("snapshots")
    if wanted.first_layer_every and not any(snapshot.part == "first-layer" for snapshot in snapshots):
        lacking.append("first-layer snapshots")
    return lacking


@final
class _RecordedRun:
    """A run of the study as the workspace has it."""

    def __init__(self, run: PlannedRun, workspace: Workspace) -> None:
        self._run, self._workspace = run, workspace
        self._names = {
            *((m.rule, m.name) for m in workspace.measurements(run.id)),
            *((a.rule, a.name) for a in workspace.artifacts(run.id)),
        }

    def incomplete(self) -> list[Snapshot]:
        """The selected snapshots at which something is missing; none of a run that is not done."""
        record = self._workspace.run(self._run.id)
        if record is None or record.state != "done":
            return []
        return [
            Snapshot(chosen.rule, chosen.epoch, self._workspace.tensors.get(chosen.tensors))
            for chosen in self._workspace.selections(self._run.id)
            if chosen.epoch is not None and chosen.tensors is not None
            if missing_of(self._run.spec, chosen.rule, self._known(chosen.rule))
        ]

    def measured(self, snapshot: Snapshot, engine: Engine) -> Measurements:
        """What is missing at a selected snapshot, and perhaps some of what is not."""
        run, known = self._run, self._known(snapshot.rule)
        return measure_snapshot(run.spec, run.splits, snapshot, engine, self._opener(), known)

    def additions(self, found: Measurements, device: Device) -> Iterator[LaterMeasurement]:
        """What was found and is not recorded, as records."""
        run_id, at = self._run.id, now()
        where = environment(device.model, module=self._run.spec.module is not None)
        for one in found.numbers:
            if (one.rule, one.name) not in self._names:
                yield LaterMeasurement(run_id, one.rule, one.name, one.value, None, PURPOSE, at, where)
        for rule, name, arrays in found.artifacts:
            if (rule, name) not in self._names:
                tensors = self._workspace.tensors.put(arrays)
                yield LaterMeasurement(run_id, rule, name, None, tensors, PURPOSE, at, where)

    def _known(self, rule: str) -> set[str]:
        return {name for at, name in self._names if at == rule}

    def _opener(self) -> Callable[[str, int], Split]:
        test_set = self._run.splits.test

        def open_test(rule: str, epoch: int) -> Split:
            assert test_set is not None
            read = TestRead(self._run.id, rule, epoch, test_set.examples, PURPOSE, now())
            self._workspace.log_test_reads([read])
            return test_set.open(PURPOSE)

        return open_test
