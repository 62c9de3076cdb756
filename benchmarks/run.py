"""Measure every tool on every network, side by side, and write the tables.

    python -m benchmarks.run [--quick] [--networks ...] [--tools ...] [--cohorts ...] [--repeats N]
        [--details] [--again] [--output FOLDER]

A whole run renews `benchmarks/results.json`, `benchmarks/machine.json` and `docs/benchmarks.md`. Any other is printed,
and written only where `--output` says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import chart, details, machine, table, tasks
from benchmarks.children import Child, FailedError
from benchmarks.peers import NAMES
from benchmarks.peers._base import CHECKED
from benchmarks.rows import Expected, Row, alike, written
from benchmarks.rows import read as rows_read

ROOT = Path(__file__).parent.parent
COHORTS = (1, 8, 32, 64)
REPEATS = 3
LONG_S = 4.0
"""A measurement that takes longer is repeated once less."""
REFERENCE = "sequential"
"""The tool whose quality is the measure for the others."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.again:
        _details_again()
        return
    peaks: list[float] = []
    versions: dict[str, str] = {}
    left_out: list[dict[str, str]] = []
    rows: list[Row] = []
    told: dict[str, Any] = {}
    started, before = datetime.now(UTC), machine.stolen()
    for network in options.networks:
        bench = _Network(network, options)
        rows += bench.rows()
        peaks += bench.peaks
        versions |= bench.versions
        left_out += bench.left_out
    if options.whole or options.details:
        told = details.measure(options.networks)
    about = machine.about(
        versions,
        peak=statistics.median(peaks),
        started=started,
        stolen=machine.stolen_since(before),
        options=vars(options),
    )
    about |= {"left_out": left_out, **told}
    page = table.page(rows, about)
    print(page)
    folder = options.output or (ROOT if options.whole else None)
    if folder is not None:
        _write(folder, rows, about, page)


def _details_again() -> None:
    """Measure the details anew and write the page anew, with the rows that are there."""
    known = rows_read(ROOT / "benchmarks/results.json")
    about = json.loads((ROOT / "benchmarks/machine.json").read_text(encoding="utf-8"))
    rows = [replace(row, agrees=row.agrees or alike(row.quality, row.expected)) for row in known]
    about |= details.measure(list(dict.fromkeys(row.network for row in rows)))
    _write(ROOT, rows, about, table.page(rows, about))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Compare paribus with its peers.")
    parser.add_argument("--networks", nargs="+", choices=tasks.NAMES, metavar="NETWORK", help=", ".join(tasks.NAMES))
    parser.add_argument("--tools", nargs="+", choices=NAMES, metavar="TOOL", help=", ".join(NAMES))
    parser.add_argument("--cohorts", nargs="+", type=int, metavar="RUNS", help="runs that train together")
    parser.add_argument("--repeats", type=int, metavar="N", help="measurements of each number")
    parser.add_argument("--quick", action="store_true", help="two networks, two cohort sizes, once: about two minutes")
    parser.add_argument("--details", action="store_true", help="also where a step's time goes, and what many runs cost")
    parser.add_argument("--again", action="store_true", help="only the details, beside the rows of the last whole run")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write what would stand in the clone")
    options = parser.parse_args(arguments)
    chosen = (options.networks, options.tools, options.cohorts, options.repeats)
    options.whole = not options.quick and not any(chosen)
    options.networks = options.networks or (("ShallowMLP", "AE_n16") if options.quick else tasks.NAMES)
    options.tools = options.tools or NAMES
    options.cohorts = sorted(options.cohorts or ((1, 8) if options.quick else COHORTS))
    options.repeats = options.repeats or (1 if options.quick else REPEATS)
    return options


class _Network:
    """All measurements of one network: one child process a tool, all alive, one at work."""

    def __init__(self, network: str, options: argparse.Namespace) -> None:
        self.task = tasks.task(network)
        self.peaks: list[float] = []
        self.versions: dict[str, str] = {}
        self.left_out: list[dict[str, str]] = []
        self._options = options
        self._children: dict[str, Child] = {}
        self._seconds: dict[tuple[str, int], list[float]] = {}
        self._quality: dict[tuple[str, int], dict[int, float]] = {}
        self._expected: Expected | None = None
        self._together: dict[str, bool] = {}

    def rows(self) -> list[Row]:
        """Measure."""
        names = dict.fromkeys([*self._options.tools, REFERENCE])
        self._children = {tool: Child(tool, self.task.network) for tool in names}
        try:
            for tool in names:
                self._within_reach(tool, lambda child: self.versions.update(child.ready()))
            self._together = {tool: child.together for tool, child in self._children.items()}
            self._expect()
            for tool in set(names) - set(self._options.tools):
                self._children.pop(tool).close()
            self._warm_up()
            for repeat in range(self._options.repeats):
                self._repeat(repeat)
        finally:
            for child in self._children.values():
                child.close()
        return [row for tool, measured_at in self._seconds for row in self._rows_of(tool, measured_at)]

    def _expect(self) -> None:
        """What quality this much training leads to, by the reference tool."""
        child = self._children[REFERENCE]
        child.ask({"do": "warm up", "runs": 1})
        told = [child.ask({"do": "train", "runs": CHECKED, "once": True})["quality"] for _ in range(2)]
        self._expected = Expected(*map(_by_run, told))

    def _cells(self) -> list[tuple[str, int]]:
        """(tool, cohort), cohort by cohort. A tool that trains one run after another has one cell only."""
        cells: dict[tuple[str, int], None] = {}
        for cohort in self._options.cohorts:
            for tool, child in self._children.items():
                together = child.together and cohort >= child.least_runs
                if together or not child.together:
                    cells[tool, cohort if together else child.least_runs] = None
        return list(cells)

    def _warm_up(self) -> None:
        for tool, cohort in self._cells():
            self._say(f"warming up {tool} at {cohort}")
            self._within_reach(tool, lambda child, runs=cohort: child.ask({"do": "warm up", "runs": runs}))

    def _repeat(self, repeat: int) -> None:
        self.peaks.append(next(iter(self._children.values())).ask({"do": "peak"})["peak"])
        for tool, cohort in self._cells():
            earlier = self._seconds.get((tool, cohort), [])
            if earlier and repeat == self._options.repeats - 1 and min(earlier) > LONG_S:
                continue
            told: dict[str, Any] = {}
            self._within_reach(
                tool, lambda child, t=told, runs=cohort: t.update(child.ask({"do": "train", "runs": runs}))
            )
            if told:
                self._seconds.setdefault((tool, cohort), []).append(told["seconds"])
                self._quality[tool, cohort] = _by_run(told["quality"])
                each_ms = 1e3 * told["seconds"] / cohort / self.task.epochs
                self._say(f"{repeat + 1}/{self._options.repeats} {tool} at {cohort}: {each_ms:.1f} ms a model-epoch")

    def _within_reach(self, tool: str, do: Any) -> None:
        """Do it with a tool's child; a tool that fails is left out from then on."""
        if tool not in self._children:
            return
        try:
            do(self._children[tool])
        except FailedError as failure:
            self._say(f"{tool} is left out: {failure}")
            self.left_out.append({"network": self.task.network, "tool": tool, "reason": str(failure)})
            self._children.pop(tool).close()

    def _rows_of(self, tool: str, measured_at: int) -> list[Row]:
        """The row of one measured cell, at every cohort size that it speaks for."""
        assert self._expected is not None
        each = sorted(1e3 * s / measured_at / self.task.epochs for s in self._seconds[tool, measured_at])
        quality = self._quality[tool, measured_at]
        ms = statistics.median(each)
        row = Row(
            network=self.task.network,
            tool=tool,
            cohort=measured_at,
            measured_at=measured_at,
            ms_per_model_epoch=ms,
            lowest_ms=each[0],
            highest_ms=each[-1],
            repeats=len(each),
            peak_share=self.task.operations / (ms / 1e3) / statistics.median(self.peaks),
            metric=self.task.metric,
            quality=statistics.mean(quality.values()),
            expected=self._expected.of(quality),
            agrees=self._expected.agrees(quality),
        )
        if self._together[tool]:
            return [row]
        larger = [cohort for cohort in self._options.cohorts if cohort >= measured_at]
        return [replace(row, cohort=cohort) for cohort in larger or [measured_at]]

    def _say(self, what: str) -> None:
        print(f"{self.task.network}: {what}", file=sys.stderr, flush=True)


def _by_run(told: dict[str, float]) -> dict[int, float]:
    """JSON turns numbers that are keys into text."""
    return {int(run): quality for run, quality in told.items()}


def _write(folder: Path, rows: Sequence[Row], about: dict[str, Any], page: str) -> None:
    for name in ("benchmarks", "docs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks/results.json").write_text(written(rows), encoding="utf-8")
    (folder / "benchmarks/machine.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    (folder / "docs/benchmarks.md").write_text(page, encoding="utf-8")
    if about.get("curves"):
        chart.by_runs(about["curves"]).save(folder / "docs/runs.svg")


if __name__ == "__main__":
    main()
