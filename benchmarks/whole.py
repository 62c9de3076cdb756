"""The four built-in studies as a whole: what they take, beside the reference's loops and beside what was forecast.

    python -m benchmarks.whole [--output FOLDER]

Trains every study in a workspace of its own, measures epochs of the `DataLoader` loop in between, and writes
`docs/whole-study.md`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import machine
from benchmarks.children import Child
from benchmarks.peak import peak
from benchmarks.tasks import NAMES, task
from paribus.spec import builtin
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training.plan import plan_study
from paribus.units import duration

STUDIES = ("faces", "selection", "capacity", "noisy-labels")
RATIO_TARGET, WHOLE_TARGET_S = 8, 720.0
REPORT_TARGET_S, HELP_TARGET_S = 20.0, 0.3
FORECAST_TARGET = 0.25
REPEATS = 5


@dataclass(frozen=True)
class Taken:
    """One study: its runs' epochs that were trained, their floating-point operations, training and measuring
    together, and seconds: of the reference's loops, of the command, of its training, and as forecast."""

    name: str
    model_epochs: int
    operations: float
    loop_s: float
    command_s: float
    trained_s: float
    forecast_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every study as it ends, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__)
    parser.add_argument("--output", type=Path, default=machine.ROOT, metavar="FOLDER", help="where docs/ lies")
    options = parser.parse_args(arguments)
    before = machine.stolen()
    taken: list[Taken] = []
    loops = _Loops()
    with tempfile.TemporaryDirectory(prefix="paribus-whole-") as folder:
        workspace = Path(folder) / "workspace"
        loops.measure()
        peaks = [peak()]
        for name in STUDIES:
            taken.append(_trained(name, workspace, loops))
            print(taken[-1], flush=True)
            loops.measure()
            peaks.append(peak())
        report_s = [seconds_of("report", *STUDIES, "--workspace", str(workspace)) for _ in range(2)][-1]
    help_s = statistics.median(seconds_of("--help") for _ in range(REPEATS))
    for one in taken:
        print(one)
    text = page(taken, loops, statistics.median(peaks), report_s, help_s, machine.stolen_since(before))
    (options.output / "docs").mkdir(parents=True, exist_ok=True)
    (options.output / "docs/whole-study.md").write_text(text, encoding="utf-8")
    print(text)


class _Loops:
    """Milliseconds for an epoch of the reference's loop, by network: medians over the whole run."""

    def __init__(self) -> None:
        self._children = {name: Child("dataloader", name) for name in NAMES}
        self._ms: dict[str, list[float]] = {name: [] for name in NAMES}
        for child in self._children.values():
            child.ready()
            child.ask({"do": "warm up", "runs": 1})

    def measure(self) -> None:
        """One more measurement of each network."""
        for name, child in self._children.items():
            told = child.ask({"do": "train", "runs": 1, "epochs": 1})
            self._ms[name].append(1e3 * told["seconds"])

    @property
    def ms(self) -> Mapping[str, float]:
        return {name: statistics.median(times) for name, times in self._ms.items()}

    def seconds(self, study: Study, epochs: Mapping[str, int]) -> float:
        """What the loops would take for so many model-epochs of each arm, by batches of the same network."""
        layers = {task(name).layers: name for name in NAMES}
        total = 0.0
        for arm in study.arms:
            name = layers[arm.recipe.network.layers]
            images = arm.recipe.data.train_images or task(name).images
            total += epochs[arm.name] * self.ms[name] / 1e3 * images / task(name).images
        return total


def _trained(name: str, workspace: Path, loops: _Loops) -> Taken:
    """Run one study, and ask the workspace what that took; a run that an earlier study has trained costs nothing."""
    study = parse(builtin.text(name), place=name)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    command_s = seconds_of("run", name, "--workspace", str(workspace))
    with Workspace.open(workspace) as known:
        runs = {run.id: (arm, run.epochs_done) for arm, _, run in known.runs_of(study.id)}
        spans = [span for span in known.spans(runs) if span.started_at >= since]
        forecast = known.forecasts(study.id)[-1]
    epochs = dict.fromkeys((arm.name for arm in study.arms), 0)
    each = {run.run_id: run.operations / run.epochs_left for run in plan_study(study, {}, rehearse=False).runs}
    operations = 0.0
    for run_id in {run_id for span in spans for run_id in span.shares}:
        arm, done = runs[run_id]
        epochs[arm] += done
        operations += each[run_id] * done
    return Taken(
        name=name,
        model_epochs=sum(epochs.values()),
        operations=operations,
        loop_s=loops.seconds(study, epochs),
        command_s=command_s,
        trained_s=sum(span.wall_s for span in spans),
        forecast_s=forecast.wall_s,
    )


def seconds_of(*words: str) -> float:
    """Wall seconds of a `paribus` command. Exit code 3 says that a run has diverged, which is a result."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "paribus", *words],
        cwd=machine.ROOT,
        stdout=subprocess.DEVNULL,
        env=os.environ,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise SystemExit(f"paribus {' '.join(words)} ended with code {done.returncode}")
    return time.perf_counter() - start


def page(taken: Sequence[Taken], loops: _Loops, peak_rate: float, report_s: float, help_s: float, stolen: float) -> str:
    """`docs/whole-study.md`; `peak_rate` is in operations a second."""
    lines = [
        "| study | model-epochs | the loops | `paribus run` | ratio | training | floor | share | forecast | off by |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in taken:
        off = one.forecast_s / one.trained_s - 1
        lines.append(
            f"| {one.name} | {one.model_epochs:,} | {duration(one.loop_s)} | {duration(one.command_s)} "
            f"| {one.loop_s / one.command_s:.1f}x | {duration(one.trained_s)} | {duration(one.operations / peak_rate)} "
            f"| {one.operations / peak_rate / one.trained_s:.0%} | {duration(one.forecast_s)} "
            f"| {_judged(f'{off:+.0%}', abs(off) <= FORECAST_TARGET, f'{FORECAST_TARGET:.0%}')} |"
        )
    loop_s, command_s = sum(one.loop_s for one in taken), sum(one.command_s for one in taken)
    ratio = _judged(f"{loop_s / command_s:.1f}x", loop_s >= RATIO_TARGET * command_s, f"{RATIO_TARGET}x")
    whole = _judged(duration(command_s), command_s <= WHOLE_TARGET_S, duration(WHOLE_TARGET_S))
    trained_s, floor_s = sum(one.trained_s for one in taken), sum(one.operations for one in taken) / peak_rate
    lines.append(
        f"| **all** | {sum(one.model_epochs for one in taken):,} | {duration(loop_s)} | {whole} | {ratio} "
        f"| {duration(trained_s)} | {duration(floor_s)} | {floor_s / trained_s:.0%} | | |"
    )
    epochs = ", ".join(f"{name} {ms:.0f}" for name, ms in loops.ms.items())
    report = _judged(f"{report_s:.1f} s", report_s < REPORT_TARGET_S, "20 s")
    helped = _judged(f"{help_s:.2f} s", help_s < HELP_TARGET_S, "0.3 s")
    here = machine.environment()
    rate = f"{peak_rate / 1e9:.0f} GFLOP/s"
    return f"""\
# The reference study as a whole

The four built-in studies, three replicates of every arm at the published settings, and the time that they took: with
validation and, in noisy-labels, test monitoring after every epoch, selection, snapshots and the measurements at a run's
end. "The reference's loops" is what a `DataLoader` loop would take for the training alone: as many epochs of each
network, at the rate measured before, between and after the studies (milliseconds for an epoch: {epochs}). The floor is
what the matrix products alone would take, training and measuring, were each whole and as fast as the fastest square
product that this machine shows ({rate}, the median of measurements as often); paribus leaves multiplications with zero
pixels out, which may bring it below. The share is the floor over the training. The forecast is what `paribus plan`
tells, made from a rehearsal of a few steps just before. What a new checkout compiles, once, is in `paribus run` of the
first study. A target that is missed is marked ✗.

{chr(10).join(lines)}

- The report of all four, rebuilt from the workspace: {report}.
- `paribus --help`: {helped}.

Measured by `make whole` on {datetime.now(UTC):%Y-%m-%d}, commit {machine.commit()}: {here["processor"]},
{machine.cores()} cores, {here["vector_instructions"]}, torch {version("torch")}. Other guests of the same machine took
{stolen:.0%} of the processors' time meanwhile.
"""


def _judged(text: str, met: bool, target: str) -> str:
    return text if met else f"{text} ✗ {target}"


if __name__ == "__main__":
    main()
