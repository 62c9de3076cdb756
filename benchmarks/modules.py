"""The speed of a user's own modules: LeNet and a network of four convolutional blocks, by five tools.

    python -m benchmarks.modules [--repeats N] [--output FOLDER]

Run it on a machine that does nothing else: it takes less than five minutes, and writes `docs/modules.md` and
`benchmarks/modules.json`. The tools are measured in turn, each in a process of its own that stays until the end, so
that a slow minute of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import machine
from benchmarks.module_tools import BATCH, EPOCHS, TOOLS, TRAIN, VALIDATION
from benchmarks.peers._base import cores
from paribus.execution.environment import environment

NETWORKS = ("LeNet", "FourBlocks")
TARGET = 1.05
"""paribus takes at most so many times what the fastest tool takes."""
WORDS = {
    "loop": "plain loop, one run",
    "processes": "plain loops that validate, a process for each core",
    "lightning": "Lightning",
    "skorch": "skorch",
    "paribus": "paribus, everything recorded",
}
PACKAGES = ("torch", "lightning", "skorch", "numpy")


@dataclass(frozen=True)
class Row:
    """A tool's time for an epoch of one model, the median of its measurements; `runs` are trained at once."""

    network: str
    tool: str
    runs: int
    ms_per_model_epoch: float
    lowest_ms: float
    highest_ms: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.modules", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="measurements of each tool")
    parser.add_argument("--output", type=Path, default=machine.ROOT, metavar="FOLDER", help="where docs/ is")
    options = parser.parse_args(arguments)
    before = machine.ticks()
    rows = [row for network in NETWORKS for row in measured(network, options.repeats)]
    facts = about(machine.stolen_since(before), options.repeats)
    (options.output / "benchmarks").mkdir(parents=True, exist_ok=True)
    (options.output / "docs").mkdir(exist_ok=True)
    content = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    (options.output / "benchmarks" / "modules.json").write_text(content, encoding="utf-8")
    (options.output / "docs" / "modules.md").write_text(page(rows, facts), encoding="utf-8")


def measured(network: str, repeats: int) -> list[Row]:
    """Every tool that is installed here, in turn."""
    children = {tool: _Child(tool, network) for tool in TOOLS}
    times: dict[str, list[float]] = {tool: [] for tool in TOOLS}
    try:
        present = [tool for tool, child in children.items() if child.is_ready()]
        for _ in range(repeats):
            for tool in present:
                times[tool].append(children[tool].measure())
                print(f"{network:12} {tool:12} {times[tool][-1]:8.1f} ms", flush=True)
    finally:
        for child in children.values():
            child.close()
    at_once = {"processes": cores(), "paribus": cores()}
    return [
        Row(network, tool, at_once.get(tool, 1), statistics.median(found), min(found), max(found))
        for tool, found in times.items()
        if found
    ]


class _Child:
    """`python -m benchmarks.module_tools TOOL NETWORK`."""

    def __init__(self, tool: str, network: str) -> None:
        self._tool = tool
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.module_tools", tool, network],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def is_ready(self) -> bool:
        """Waits until everything is imported and warm; False where the tool is not installed."""
        answer = self._answer()
        if "missing" in answer:
            print(f"{self._tool} is left out: {answer['missing']}", flush=True)
        return "ready" in answer

    def measure(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("measure\n")
        self._process.stdin.flush()
        return float(self._answer()["ms"])

    def close(self) -> None:
        """End the child and whatever it has started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answer(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"missing": "it ended with an error"}


def about(stolen: float, repeats: int) -> dict[str, str]:
    """The machine, in words."""
    here = environment()
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return {
        "processor": f"{here['processor']}, {cores()} cores, {here['vector_instructions']}",
        "system": str(here["system"]),
        "versions": ", ".join(versions),
        "commit": machine.commit(),
        "measured": datetime.now(UTC).date().isoformat(),
        "repeats": f"{repeats}, in turn; the median, and the lowest and highest",
        "time taken by other guests of the host": f"{100 * stolen:.1f} %",
    }


def page(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """`docs/modules.md`."""
    lines = [
        "# The speed of a user's own modules",
        "",
        f"Milliseconds for an epoch of one model: {TRAIN:,} images of 28 x 28, batches of {BATCH}, SGD with momentum,",
        f"float32 on the processor. Tools that train several runs at once train one on each core; {EPOCHS} epochs are",
        f"measured at a time. paribus and the processes also evaluate {VALIDATION} images after each epoch; paribus",
        "selects, keeps checkpoints and records. Made by `make modules`.",
        "",
    ]
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        best = min(row.ms_per_model_epoch for row in own if row.tool != "paribus")
        lines += [
            f"## {network}",
            "",
            "| tool | runs at once | ms a model-epoch | lowest to highest | of the best other |",
        ]
        lines += ["|---|---:|---:|---:|---:|"]
        for row in sorted(own, key=lambda row: row.ms_per_model_epoch):
            spread = f"{row.lowest_ms:.0f} to {row.highest_ms:.0f}"
            share = f"{row.ms_per_model_epoch / best:.2f}"
            lines.append(f"| {WORDS[row.tool]} | {row.runs} | {row.ms_per_model_epoch:.0f} | {spread} | {share} |")
        ours = next((row for row in own if row.tool == "paribus"), None)
        if ours is not None:
            reached = ours.ms_per_model_epoch <= TARGET * best
            verdict = "is reached" if reached else "is missed"
            lines += ["", f"The target, at most {TARGET:.2f} times the best other tool, {verdict} here."]
        lines.append("")
    lines += ["## The machine", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
