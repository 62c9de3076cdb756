"""Measuring recorded runs again: what a study asks for now, and did not when they were trained.

What is only measured is no part of a run's identity, so a recorded run may lack it. The selected weights are kept, so
nothing is trained for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from paribus.data.pool import Split
from paribus.execution.environment import environment
from paribus.execution.worker import now
from paribus.store.records import LaterMeasurement, TestRead
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.engine import Engine
from paribus.training.evaluation import Measurements, Snapshot, measure_snapshot, missing_of
from paribus.training.plan import PlannedRun

PURPOSE = "later measurement"


def measure_later(runs: Sequence[PlannedRun], workspace: Workspace, device: Device) -> int:
    """Measure what recorded `runs` lack; how many runs lacked something. Each run is recorded before the next."""
    engine: Engine | None = None
    measured = 0
    for run in runs:
        lacking = list(_lacking(run, workspace))
        if lacking:
            engine = engine or device.engine()
            items = [item for snapshot in lacking for item in _measured(run, snapshot, workspace, engine, device)]
            workspace.add_measurements(run.id, items)
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
    if wanted.every and not any(snapshot.part == "network" for snapshot in snapshots):
        lacking.append("snapshots")
    if wanted.first_layer_every and not any(snapshot.part == "first-layer" for snapshot in snapshots):
        lacking.append("first-layer snapshots")
    return lacking


def _lacking(run: PlannedRun, workspace: Workspace) -> Iterator[Snapshot]:
    """The recorded snapshots of a run at which something is missing."""
    record = workspace.run(run.id)
    if record is None or record.state != "done":
        return
    for chosen in workspace.selections(run.id):
        known = [m.name for m in workspace.measurements(run.id) if m.rule == chosen.rule]
        if chosen.epoch is not None and chosen.tensors is not None and missing_of(run.spec, chosen.rule, known):
            yield Snapshot(chosen.rule, chosen.epoch, workspace.tensors.get(chosen.tensors))


def _measured(
    run: PlannedRun, snapshot: Snapshot, workspace: Workspace, engine: Engine, device: Device
) -> Iterator[LaterMeasurement]:
    numbers = {(m.rule, m.name) for m in workspace.measurements(run.id)}
    arrays = {(a.rule, a.name) for a in workspace.artifacts(run.id)}
    known = [name for rule, name in numbers if rule == snapshot.rule]
    found: Measurements = measure_snapshot(run.spec, run.splits, snapshot, engine, _opener(run, workspace), known)
    made_at, where = now(), environment(device.model)
    for one in found.numbers:
        if (one.rule, one.name) not in numbers:
            yield LaterMeasurement(run.id, one.rule, one.name, one.value, None, PURPOSE, made_at, where)
    for rule, name, content in found.artifacts:
        if (rule, name) not in arrays:
            tensors = workspace.tensors.put(content)
            yield LaterMeasurement(run.id, rule, name, None, tensors, PURPOSE, made_at, where)


def _opener(run: PlannedRun, workspace: Workspace) -> Callable[[str, int], Split]:
    test_set = run.splits.test

    def open_test(rule: str, epoch: int) -> Split:
        assert test_set is not None
        workspace.log_test_reads([TestRead(run.id, rule, epoch, test_set.examples, PURPOSE, now())])
        return test_set.open(PURPOSE)

    return open_test
