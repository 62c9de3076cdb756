"""How far one recording process goes: simulated from measured costs, and held against real runs (docs/scale.json).

    python -m benchmarks.scale [--to docs/scale.json] [--page docs/scale.md]

Costs are measured on a study of small networks: seconds of a worker for a cohort, and of the parent to begin a task, to
take an epoch's message and to record a run. With Ray, the processor time of the parent is counted, as messages are
decoded in its other threads. Then the same study is trained in several sizes, and its time is compared with the
simulated one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import machine
from paribus.energy.choice import Meters
from paribus.execution import parent as recording
from paribus.execution.encoding import encode
from paribus.execution.events import EpochDone, silent
from paribus.execution.executor import Deliver, Executor
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.lasting import LastingWorkers
from paribus.execution.limits import Limits
from paribus.execution.messages import RunEnded, Task
from paribus.execution.ray_cluster import LOCAL, RayExecutor, connect
from paribus.execution.recorder import Recorder
from paribus.execution.runner import member_runs, prepare
from paribus.searching.simulation import Costs, saturation, simulated
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.plan import CohortPlan, Plan
from paribus.units import duration

MakesExecutor = Callable[[Device, Deliver], Executor]
STUDY: Final = """
name = "scale"
question = "How long do many small runs take?"
data = { source = "sklearn:digits", split = { by = "stratified", validation = 0.25 } }
network = { hidden = [32] }
optimizer = { kind = "sgd", lr = 0.05, momentum = 0.9 }
training = { epochs = 40, batch_size = 32 }
selection = { rules = ["min-val-loss"] }
snapshots = { outputs = false }
arms = [{ name = "one" }]
"""
COHORT: Final = 8
SIZES: Final = (16, 64, 160)
RUNS: Final = (10**2, 10**3, 10**4, 10**5, 10**6)
NODES: Final = (1, 10, 100, 1000)
CORES: Final = 32
HEADING: Final = "## How far one process records"
QUIET: Final = 1.5
"""Processes that want to run, for each core, up to which a machine has no other work."""


def main() -> None:
    """Measure, compare, simulate, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--to", type=Path, default=machine.ROOT / "docs/scale.json")
    parser.add_argument("--page", type=Path, default=machine.ROOT / "docs/scale.md", help="its last section is renewed")
    options = parser.parse_args()
    real(2 * COHORT, 1)  # loads kernels and data
    costs = measured(6 * COHORT)
    checks = [_checked(costs, runs, workers) for workers in (1, 2) for runs in SIZES]
    connect(LOCAL)
    with closing(LastingWorkers(RayExecutor)) as actors:
        real(4 * COHORT, 2, executor=actors)  # starts the actors, which load what they need
        ray_costs = measured_with_ray(10 * COHORT, actors)
        checks += [_checked(ray_costs, runs, workers, actors) for workers in (1, 2) for runs in SIZES]
    found = {
        "costs": asdict(costs),
        "saturated_at_workers": saturation(costs),
        "ray": {"costs": asdict(ray_costs), "saturated_at_workers": saturation(ray_costs)},
        "real": checks,
        "simulated": [
            asdict(simulated(ray_costs, runs, nodes=nodes, cores=CORES)) | {"nodes": nodes}
            for runs in RUNS
            for nodes in NODES
        ],
        "environment": machine.environment(),
        "commit": machine.commit(),
        "load": os.getloadavg()[1],
    }
    options.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write_section(found, options.page)


def _checked(costs: Costs, runs: int, workers: int, executor: MakesExecutor = ExecutorsByFamily) -> dict[str, Any]:
    """How long so many runs take, and would take by the simulation."""
    seconds = real(runs, workers, executor=executor).seconds
    expected = simulated(costs, runs, nodes=1, cores=workers)
    how = "threads" if executor is ExecutorsByFamily else "Ray"
    times = {"real_s": seconds, "simulated_s": expected.seconds}
    return {"runs": runs, "workers": workers, "executor": how, **times}


def write_section(found: Mapping[str, Any], page: Path) -> None:
    """Put what was found at the end of the page, in place of what stands there under the same heading."""
    text = page.read_text(encoding="utf-8")
    page.write_text(text.partition(HEADING)[0] + HEADING + section(found), encoding="utf-8")


def section(found: Mapping[str, Any]) -> str:
    """The section without its heading, from what was measured and simulated."""
    costs, cores, ray = found["costs"], found["environment"]["cores"], found["ray"]
    measured_costs = (
        f"One process records all results. For cohorts of {costs['runs']} small runs of {costs['epochs']} epochs, "
        f"which take a core {costs['train_s']:.2g} s, it needs {1000 * costs['begin_s']:.2g} ms to begin a cohort, "
        f"{1000 * costs['message_s']:.2g} ms for an epoch's message and {1000 * costs['end_s']:.2g} ms to record a "
        f"run. So it is always busy from {found['saturated_at_workers']:.0f} workers on. Further workers wait for it, "
        "and shorten nothing. Where networks train ten times as slowly, about ten times as many workers are of use."
    )
    driver = Costs(**ray["costs"]).driver_s / costs["runs"], Costs(**costs).driver_s / costs["runs"]
    with_ray = (
        f"With Ray, it takes {1000 * driver[0]:.2g} ms of processor time for a run in all, in place of "
        f"{1000 * driver[1]:.2g} ms, as messages are decoded there. A worker takes {ray['costs']['train_s']:.2g} s for "
        f"a cohort, so the process is busy from {ray['saturated_at_workers']:.0f} workers on. That was measured with "
        f"two actors on {cores} cores."
    )
    simulations = (
        "Simulated from the costs with Ray, as nobody has that many machines to try: how long so many runs take, and "
        f"how much of that time the recording process is busy, on nodes of {CORES} cores."
    )
    rows = [["runs", *(f"{nodes:,} node{'s' * (nodes > 1)}" for nodes in NODES), "sent, on 1 node"]]
    for runs in RUNS:
        own = {one["nodes"]: one for one in found["simulated"] if one["runs"] == runs}
        times = (f"{duration(own[n]['seconds'])}, {100 * own[n]['driver_load']:.0f} %" for n in NODES)
        rows.append([f"{runs:,}", *times, f"{own[1]['bytes'] / 1e6:,.0f} MB"])
    real = [["runs", "workers", "executor", "real", "simulated", "simulated over real"]]
    for one in found["real"]:
        times = [one["real_s"], one["simulated_s"]]
        ratio = f"{times[1] / times[0]:.2f}"
        real.append(
            [str(one["runs"]), str(one["workers"]), one["executor"], *(f"{seconds:.1f} s" for seconds in times), ratio]
        )
    note = f"Measured on an {found['environment']['processor']} with {cores} cores, commit {found['commit']}."
    if found["load"] > QUIET * cores:
        note += (
            f" Other programs ran meanwhile ({found['load']:.0f} processes wanted to run), so every cost is too high, "
            "and the real times differ by chance."
        )
    note += " For programs: [scale.json](scale.json)."
    compared = f"The same study, trained in several sizes on one machine: {_agreement(found['real'])}"
    parts = [
        _filled(measured_costs),
        _filled(with_ray),
        _filled(simulations),
        _table(rows),
        _filled(compared),
        _table(real),
        _filled(note),
    ]
    return "\n\n" + "\n\n".join(parts) + "\n"


def _agreement(real: Sequence[Mapping[str, Any]]) -> str:
    """Between what the simulated time over the real one is, for each executor."""
    parts: list[str] = []
    for how in dict.fromkeys(one["executor"] for one in real):
        ratios = [one["simulated_s"] / one["real_s"] for one in real if one["executor"] == how]
        parts.append(f"{min(ratios):.2f} to {max(ratios):.2f} with {how}")
    return f"simulated over real time is {' and '.join(parts)}."


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


class Watched:
    """What the parent did in one real study: seconds by kind of message, and how often."""

    def __init__(self) -> None:
        self.seconds = self.processor_s = 0.0
        self.busy: dict[str, float] = {}
        self.count: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.train_s = 0.0

    def timed(self, kind: str, act: Callable[[], Any]) -> Any:
        """Call `act`, and count its time."""
        began = time.perf_counter()
        found = act()
        self.busy[kind] = self.busy.get(kind, 0.0) + time.perf_counter() - began
        self.count[kind] = self.count.get(kind, 0) + 1
        return found

    def each(self, kind: str) -> float:
        """Seconds of one."""
        return self.busy.get(kind, 0.0) / max(1, self.count.get(kind, 0))


def study_of(runs: int) -> Study:
    return parse(STUDY, place="scale", overrides={"replicates": f'{{ count = {runs}, vary = ["init", "order"] }}'})


def real(runs: int, workers: int, *, executor: MakesExecutor = ExecutorsByFamily) -> Watched:
    """Train so many runs in cohorts of `COHORT` on so many workers; what the parent did."""
    own = Watched()
    prepared = prepare(study_of(runs), workers=workers)
    groups = [prepared.runs[at : at + COHORT] for at in range(0, runs, COHORT)]
    plan = Plan(prepared.study, prepared.runs, tuple(CohortPlan(group, None) for group in groups), prepared.device)
    with (
        tempfile.TemporaryDirectory(prefix="paribus-scale-") as folder,
        Workspace.open(Path(folder) / "workspace", create=True, write=True) as workspace,
    ):
        members = member_runs(prepared.study, prepared.runs)
        workspace.register_study(prepared.id, "scale", prepared.study.document, members)
        meters, limits = Meters(), Limits()
        parent = _Watching(prepared.id, "scale", plan, workspace, silent, 20.0, executor, meters, limits)
        parent.watched = own
        began, used = time.perf_counter(), time.process_time()
        parent.run()
        own.seconds, own.processor_s = time.perf_counter() - began, time.process_time() - used
    return own


class _Watching(recording.Parent):  # type: ignore[misc]  # the class is final for the program, not for its benchmark
    watched: Watched

    def _start(self, attempt: Any) -> None:
        self.watched.timed("begin", lambda: super(_Watching, self)._start(attempt))

    def _handle(self, received: Any) -> None:
        message = received[1] if isinstance(received, tuple) else None
        kind = {EpochDone: "epoch", RunEnded: "end"}.get(type(message), "other")
        if kind in ("epoch", "end") and kind not in self.watched.bytes and message is not None:
            self.watched.bytes[kind] = _size(message)
        self.watched.timed(kind, lambda: super(_Watching, self)._handle(received))

    def _finished(self, attempt: Any, message: Any) -> None:
        self.watched.train_s += message.wall_s
        super()._finished(attempt, message)


def _size(message: Any) -> int:
    found = encode(message)
    return len(json.dumps(found.values)) + sum(array.nbytes for array in found.arrays)


def measured(runs: int) -> Costs:
    """Costs by a real study on one worker."""
    own = real(runs, 1)
    tasks = runs // COHORT
    prepared = prepare(study_of(COHORT))
    with (
        tempfile.TemporaryDirectory(prefix="paribus-scale-") as folder,
        Workspace.open(Path(folder) / "w", create=True, write=True) as workspace,
    ):
        recorder = Recorder(workspace, "cpu")
        sent = encode(Task("0", 0, [recorder.task_of(run) for run in prepared.runs], 20.0))
    task_bytes = len(json.dumps(sent.values)) + sum(array.nbytes for array in sent.arrays)
    begin = max(0.0, own.each("begin"))
    return Costs(
        runs=COHORT,
        epochs=prepared.runs[0].recipe.training.epochs,
        train_s=own.train_s / tasks,
        begin_s=begin,
        message_s=own.each("epoch"),
        end_s=own.each("end"),
        task_bytes=task_bytes,
        message_bytes=own.bytes["epoch"],
        end_bytes=own.bytes["end"],
        shared_bytes=sum(array.nbytes for array in sent.shared.values()),
    )


def measured_with_ray(runs: int, actors: MakesExecutor) -> Costs:
    """Costs by a real study on two actors. All processor time of this process but that of beginning tasks counts as
    that of recording runs."""
    own = real(runs, 2, executor=actors)
    tasks, plain = runs // COHORT, measured(COHORT)
    begin = own.each("begin")
    end = max(0.0, own.processor_s / tasks - begin) / COHORT
    return replace(plain, train_s=own.train_s / tasks, begin_s=begin, message_s=0.0, end_s=end)


if __name__ == "__main__":
    main()
