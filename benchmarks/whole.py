"""The studies of `make study` as a whole: their time, compared with the reference's loops and with the forecast.

    python -m benchmarks.whole [--output FOLDER] [--workspace FOLDER]

Trains every study in a new workspace, which is deleted unless it is named, measures epochs of the `DataLoader` loop in
between, and writes `docs/whole-study.md`.
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
from paribus.execution.forecasts import FIRST, PLAN
from paribus.execution.runner import prepare
from paribus.spec import builtin
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from paribus.training.plan import PlannedRun
from paribus.units import duration

STUDIES = ("recipe", "faces", "selection", "capacity", "noisy-labels")
"""As in the Makefile, and in its order: capacity uses runs of selection."""
RATIO_TARGET, TOTAL_TARGET_S = 8, 45 * 60.0
FIRST_ANSWER_TARGET_S = 180.0
REPORT_TARGET_S, HELP_TARGET_S = 20.0, 0.3
FORECAST_TARGET, FIRST_TARGET = 0.25, 0.05
REPEATS = 5


@dataclass(frozen=True)
class StudyTime:
    """One study: the model-epochs that were trained, their floating-point operations (training and evaluation), and
    seconds: of the reference's loops, of the command, of its training, and as forecast by the plan and, once 2 % of the
    work was done, from the first epochs."""

    name: str
    model_epochs: int
    operations: float
    loop_s: float
    command_s: float
    training_s: float
    forecast_s: float
    first_forecast_s: float | None


@dataclass(frozen=True)
class CommandTimes:
    """Seconds until the first study has its page, of the report of all studies, and of `paribus --help`."""

    first_answer_s: float
    report_s: float
    help_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every study as it ends, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__)
    parser.add_argument("--output", type=Path, default=machine.ROOT, metavar="FOLDER", help="where docs/ is")
    parser.add_argument("--workspace", type=Path, metavar="FOLDER", help="keep the workspace there; it must be new")
    options = parser.parse_args(arguments)
    before = machine.ticks()
    times: list[StudyTime] = []
    loops = Loops()
    with tempfile.TemporaryDirectory(prefix="paribus-whole-") as folder:
        workspace: Path = options.workspace or Path(folder) / "workspace"
        if workspace.exists():
            parser.error(f"--workspace: {workspace} exists already, and recorded runs would not be trained")
        loops.measure()
        peaks = [peak()]
        for name in STUDIES:
            times.append(_trained(name, workspace, loops))
            print(times[-1], flush=True)
            loops.measure()
            peaks.append(peak())
        first_s = times[0].command_s + command_s("report", STUDIES[0], "--workspace", str(workspace))
        report_s = [command_s("report", *STUDIES, "--workspace", str(workspace)) for _ in range(2)][-1]
    help_s = statistics.median(command_s("--help") for _ in range(REPEATS))
    commands = CommandTimes(first_s, report_s, help_s)
    text = page(times, loops.ms, statistics.median(peaks), commands, machine.stolen_since(before))
    (options.output / "docs").mkdir(parents=True, exist_ok=True)
    (options.output / "docs/whole-study.md").write_text(text, encoding="utf-8")
    print(text)


class Loops:
    """Milliseconds for an epoch of the reference's loop, by network: medians of all measurements."""

    def __init__(self) -> None:
        self._children = {name: Child("dataloader", name) for name in NAMES}
        self._ms: dict[str, list[float]] = {name: [] for name in NAMES}
        self._networks = {task(name).widths: name for name in NAMES}
        for child in self._children.values():
            child.ready()
            child.ask({"do": "warm up", "runs": 1})

    def measure(self) -> None:
        """One more measurement of each network."""
        for name, child in self._children.items():
            answer = child.ask({"do": "train", "runs": 1, "epochs": 1})
            self._ms[name].append(1e3 * answer["seconds"])

    @property
    def ms(self) -> Mapping[str, float]:
        return {name: statistics.median(times) for name, times in self._ms.items()}

    def epoch_s(self, run: PlannedRun) -> float:
        """What the loop would take for an epoch of a run, from the time of the network of its widths."""
        name = self._networks[run.widths]
        return self.ms[name] / 1e3 * len(run.splits.train) / task(name).examples


def _trained(name: str, workspace: Path, loops: Loops) -> StudyTime:
    """Run one study, and read from the workspace what it took: nothing for runs that an earlier study has trained."""
    study = prepare(parse(builtin.text(name), place=name))
    since = datetime.now(UTC).isoformat(timespec="seconds")
    seconds = command_s("run", name, "--workspace", str(workspace))
    with Workspace.open(workspace) as known:
        epochs = {run.id: run.epochs_done for _, _, run in known.runs_of(study.id)}
        usage = [record for record in known.usage(epochs) if record.started_at >= since]
        forecasts = known.forecasts(study.id)
    planned, first = (
        next((made.wall_s for made in reversed(forecasts) if made.basis.startswith(basis)), None)
        for basis in (PLAN, FIRST)
    )
    assert planned is not None
    trained_ids = {run_id for record in usage for run_id in record.shares}
    trained = [run for run in study.runs if run.id in trained_ids]
    return StudyTime(
        name=name,
        model_epochs=sum(epochs[run.id] for run in trained),
        operations=sum(run.operations / run.epochs_left * epochs[run.id] for run in trained),
        loop_s=sum(loops.epoch_s(run) * epochs[run.id] for run in trained),
        command_s=seconds,
        training_s=sum(record.wall_s for record in usage),
        forecast_s=planned,
        first_forecast_s=first,
    )


def command_s(*words: str) -> float:
    """Wall seconds of a `paribus` command. Exit code 3 reports runs that diverged, which is a result."""
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


def page(
    times: Sequence[StudyTime],
    loop_ms: Mapping[str, float],
    peak_rate: float,
    commands: CommandTimes,
    stolen: float,
) -> str:
    """`docs/whole-study.md`. `loop_ms` is by network, `peak_rate` in operations a second, `stolen` a share."""
    heads = ("study", "model-epochs", "the loops", "`paribus run`", "ratio", "training", "lower bound", "share",
             "forecast", "its error", "forecast after 2 %", "its error")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in times:
        error, bound_s = one.forecast_s / one.training_s - 1, one.operations / peak_rate
        cells = (
            one.name,
            f"{one.model_epochs:,}",
            duration(one.loop_s),
            duration(one.command_s),
            f"{one.loop_s / one.command_s:.1f}x",
            duration(one.training_s),
            duration(bound_s),
            f"{bound_s / one.training_s:.0%}",
            duration(one.forecast_s),
            _marked(f"{error:+.0%}", abs(error) <= FORECAST_TARGET, f"{FORECAST_TARGET:.0%}"),
            *_first_forecast(one),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(_total(times, peak_rate))
    epochs = ", ".join(f"{name} {ms:.0f}" for name, ms in loop_ms.items())
    first_s, report_s, help_s = commands.first_answer_s, commands.report_s, commands.help_s
    first = _marked(duration(first_s), first_s <= FIRST_ANSWER_TARGET_S, duration(FIRST_ANSWER_TARGET_S))
    report = _marked(f"{report_s:.1f} s", report_s < REPORT_TARGET_S, f"{REPORT_TARGET_S:g} s")
    help_time = _marked(f"{help_s:.2f} s", help_s < HELP_TARGET_S, f"{HELP_TARGET_S:g} s")
    here = machine.environment()
    return f"""\
# The reference study as a whole

The time of the studies that `make study` trains, in its order: training, validation and, in noisy-labels, test
monitoring after every epoch, selection, snapshots, and the measurements at a run's end. Runs that two studies share,
those of selection's multi-step arm, are trained once.

"The loops" is what the reference's `DataLoader` loop would take for the training alone: as many epochs of each network,
at the rate measured before, between and after the studies (milliseconds for an epoch:
{epochs}).
The lower bound is the time of the matmuls of training and evaluation, if all ran at the rate of the fastest matmul of
square matrices on this machine ({peak_rate / 1e9:.0f} GFLOP/s, the median of as many measurements); the share is the
lower bound divided by the training. It can be above 100 %, because paribus skips multiplications by zero. The forecast
is what `paribus plan` prints, from timing runs of a few steps; it is made again from the first epochs, once 2 % of the
work is done. The first `paribus run` of a new checkout also compiles,
once. A missed target is marked ✗.

{chr(10).join(lines)}

- Until the page of the first study, {times[0].name}, can be read: {first}.
- The report of all studies, made from the workspace: {report}.
- `paribus --help`: {help_time}.

Measured by `make whole` on {datetime.now(UTC):%Y-%m-%d}, commit {machine.commit()}: {here["processor"]},
{machine.cores()} cores, {here["vector_instructions"]}, torch {version("torch")} for the loops. Other guests of the same
host took {stolen:.0%} of the processors' time.
"""


def _first_forecast(one: StudyTime) -> tuple[str, str]:
    """The forecast from the first epochs and its error; a study of few epochs has none."""
    if one.first_forecast_s is None:
        return "", ""
    error = one.first_forecast_s / one.training_s - 1
    return duration(one.first_forecast_s), _marked(f"{error:+.1%}", abs(error) <= FIRST_TARGET, f"{FIRST_TARGET:.0%}")


def _total(times: Sequence[StudyTime], peak_rate: float) -> str:
    """The last line of the table."""
    loop_s, run_s = sum(one.loop_s for one in times), sum(one.command_s for one in times)
    training_s, bound_s = sum(one.training_s for one in times), sum(one.operations for one in times) / peak_rate
    cells = (
        "**all**",
        f"{sum(one.model_epochs for one in times):,}",
        duration(loop_s),
        _marked(duration(run_s), run_s <= TOTAL_TARGET_S, duration(TOTAL_TARGET_S)),
        _marked(f"{loop_s / run_s:.1f}x", loop_s >= RATIO_TARGET * run_s, f"{RATIO_TARGET}x"),
        duration(training_s),
        duration(bound_s),
        f"{bound_s / training_s:.0%}",
    )
    return f"| {' | '.join(cells)} | | | | |"


def _marked(text: str, met: bool, target: str) -> str:
    return text if met else f"{text} ✗ {target}"


if __name__ == "__main__":
    main()
