"""The engine of another checkout and of this one, measured in turn: `make compare OLD=FOLDER`.

    python -m benchmarks.ab FOLDER [--networks ...] [--runs N] [--pairs N] [--json FILE]

Each side is a child process that imports its own checkout, keeps one cohort in memory and trains it for an epoch when
it is asked to. Both are pinned to one core. They take turns, and which is first alternates, so that whatever slows the
machine down slows both sides. A pair is the fastest of some epochs of the one and of the other, measured in turn, in
processor time. It prints a table of the median ratio of all pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from scipy.stats import quantile_test

from benchmarks import machine, tasks

PAIRS: Final = 10
RUNS: Final = 4
MIN_MEASURED_S: Final = 0.5
"""Each side of a pair trains as many epochs as take this long, and at least `MIN_EPOCHS`."""
MIN_EPOCHS: Final = 3
MAX_RATIO: Final = 1.03
"""The highest ratio, new to old, that counts as no slower."""

_COMMON: Final = """
import json, os, sys, time

network, runs, core = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {core})

import paribus
from benchmarks.tasks import replicated, task

work = task(network)
"""
_ENGINE_CONTRACT: Final = """
from benchmarks.peers.paribus_training import CohortInTraining
from paribus.execution.runner import prepare
from paribus.spec.network import parameter_count

prepared = prepare(replicated(work, runs))
cohort = CohortInTraining(prepared.runs, prepared.device.engine())
examples, parameters = work.examples, parameter_count(work.widths)

def train():
    cohort.train(1)
"""
"""For checkouts with an engine contract: a cohort is made of runs and an engine."""
_STACKED_TENSORS: Final = """
import torch
from paribus.data.protocols import load_splits
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.devices import settle_thread
from paribus.training.networks import parameter_count

settle_thread()
torch.set_grad_enabled(False)
recipe, seed = work.recipe, work.study.seed
cohort = Cohort([
    Member(str(r), recipe, seed, r, load_splits(recipe.data, seed=seed, replicate=r), fresh_state(recipe, seed, r))
    for r in range(runs)
])
examples, parameters = cohort.images, parameter_count(work.layers)

def train():
    cohort.train_epoch([recipe.optimizer.lr] * runs)
"""
"""For checkouts before the engine contract: a cohort is made of members, whose states are PyTorch tensors."""
_ANSWERING: Final = """
train()  # compiles
facts = {"examples": examples, "batch_size": work.batch_size, "parameters": parameters}
print(json.dumps({"package": paribus.__file__, "facts": facts}), flush=True)
for _ in sys.stdin:
    start = time.process_time()
    train()
    print(time.process_time() - start, flush=True)
"""


class Side:
    """One checkout's cohort of one network, in a child process."""

    def __init__(self, checkout: Path, network: str, runs: int) -> None:
        source = checkout / "src"
        driver = _ENGINE_CONTRACT if (source / "paribus/training/cpu/engine.py").exists() else _STACKED_TENSORS
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMON + driver + _ANSWERING, network, str(runs), str(_core())],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(checkout)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = json.loads(self._line())
        if not Path(ready["package"]).is_relative_to(source):
            raise SystemExit(f"{checkout} was not imported: is it a checkout of paribus?")
        self.facts: Mapping[str, int] = ready["facts"]

    def epoch_s(self) -> float:
        """Processor seconds for one epoch of the whole cohort."""
        assert self._process.stdin is not None
        self._process.stdin.write("train\n")
        self._process.stdin.flush()
        return float(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input, at which it ends

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended with code {self._process.wait()}")
        return line


@dataclass(frozen=True)
class Comparison:
    """Processor milliseconds for a model-epoch of both sides, pair by pair."""

    network: str
    runs: int
    old_ms: Sequence[float]
    new_ms: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """New to old, pair by pair: below 1 the new one is faster."""
        return [new / old for new, old in zip(self.new_ms, self.old_ms, strict=True)]

    @property
    def interval(self) -> Interval:
        return median_interval(self.ratios)


@dataclass(frozen=True)
class Interval:
    """The median, and its 95 % confidence interval by order statistics: NaN with fewer than six values."""

    median: float
    low: float
    high: float


def median_interval(values: Sequence[float]) -> Interval:
    """Of ten values, the interval is that from the second lowest to the second highest, whatever their distribution."""
    found = quantile_test(values, p=0.5).confidence_interval(confidence_level=0.95)
    return Interval(statistics.median(values), float(found.low), float(found.high))


def compared(old: Path, network: str, runs: int, pairs: int) -> Comparison:
    """Measure both sides in turn. Raises SystemExit where they do not do the same work."""
    with Side(old, network, runs) as old_side, Side(machine.ROOT, network, runs) as new_side:
        if old_side.facts != new_side.facts:
            raise SystemExit(f"{network}: the sides do other work: {old_side.facts}, {new_side.facts}")
        epochs = max(MIN_EPOCHS, round(MIN_MEASURED_S / max(old_side.epoch_s(), 1e-3)))
        new_side.epoch_s()
        old_ms: list[float] = []
        new_ms: list[float] = []
        for _ in range(pairs):
            pair = _pair(old_side, new_side, epochs)
            old_ms.append(1e3 * pair.old_s / runs)
            new_ms.append(1e3 * pair.new_s / runs)
    return Comparison(network, runs, old_ms, new_ms)


@dataclass(frozen=True)
class _Pair:
    """Processor seconds of the fastest epoch of each side."""

    old_s: float
    new_s: float


def _pair(old: Side, new: Side, epochs: int) -> _Pair:
    """So many epochs of each side, in turn: old, new, new, old, old, new, ..."""
    old_s: list[float] = []
    new_s: list[float] = []
    for epoch in range(epochs):
        if epoch % 2:
            new_s.append(new.epoch_s())
        old_s.append(old.epoch_s())
        if epoch % 2 == 0:
            new_s.append(new.epoch_s())
    return _Pair(min(old_s), min(new_s))


def table(comparisons: Sequence[Comparison]) -> str:
    """As Markdown."""
    lines = [
        "| network | runs | old, ms a model-epoch | new, ms a model-epoch | new / old | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for one in comparisons:
        found = one.interval
        missed = f" ✗ {MAX_RATIO}" if found.median > MAX_RATIO else ""
        lines.append(
            f"| {one.network} | {one.runs} | {statistics.median(one.old_ms):.2f} | {statistics.median(one.new_ms):.2f} "
            f"| {found.median:.3f}{missed} | {found.low:.3f} to {found.high:.3f} |"
        )
    return "\n".join(lines)


def as_json(comparisons: Sequence[Comparison], commits: Mapping[str, str]) -> str:
    """Everything measured, with the commits of both sides."""
    content: dict[str, Any] = {
        "commits": commits,
        "processor": machine.environment()["processor"],
        "networks": [
            {
                "network": one.network,
                "runs": one.runs,
                **asdict(one.interval),
                "old_ms": one.old_ms,
                "new_ms": one.new_ms,
            }
            for one in comparisons
        ],
    }
    return json.dumps(content, indent=1)


def _core() -> int:
    """The last core that this process may use: interrupts are most frequent on the first."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each network as it is measured, and the table; write everything measured as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ab", description=__doc__)
    parser.add_argument("old", type=Path, metavar="FOLDER", help="the other checkout")
    parser.add_argument("--networks", nargs="+", choices=tasks.NAMES, default=tasks.NAMES, metavar="NETWORK")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="runs of a cohort (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=PAIRS, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all measurements")
    options = parser.parse_args(arguments)
    old = options.old.resolve()
    comparisons: list[Comparison] = []
    for network in options.networks:
        comparisons.append(compared(old, network, options.runs, options.pairs))
        print(f"{network}: {comparisons[-1].interval}", file=sys.stderr, flush=True)
    commits = {"old": machine.commit(old), "new": machine.commit()}
    print(f"\nOld: {commits['old']}. New: {commits['new']}.\n\n{table(comparisons)}")
    if options.json is not None:
        options.json.write_text(as_json(comparisons, commits) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
