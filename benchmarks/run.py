"""Measure every tool on every network in turn, and write the tables.

    python -m benchmarks.run [--quick] [--networks ...] [--tools ...] [--cohorts ...] [--repeats N]
        [--details] [--again] [--output FOLDER]

A complete run renews `benchmarks/results.json`, `benchmarks/machine.json` and `docs/benchmarks.md`. Any other prints
the page, and writes it only with `--output`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks import chart, details, machine, table, tasks
from benchmarks.children import Child, FailedError
from benchmarks.peers import NAMES
from benchmarks.peers._base import MAX_CHECKED
from benchmarks.rows import Expected, Row, nearly_equal, read, to_json

ROOT = Path(__file__).parent.parent
COHORTS = (1, 8, 32, 64)
REPEATS = 3
LONG_S = 4.0
"""A measurement that takes longer is repeated once less."""
REFERENCE = "sequential"
"""The tool whose quality the others must reach."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.again:
        _again(options)
        return
    peaks: list[float] = []
    versions: dict[str, str] = {}
    left_out: list[dict[str, str]] = []
    rows: list[Row] = []
    found: dict[str, Any] = {}
    started, before = datetime.now(UTC), machine.ticks()
    for network in options.networks:
        bench = _Network(network, options)
        rows += bench.rows()
        peaks += bench.peaks
        versions |= bench.versions
        left_out += bench.left_out
    if options.whole or options.details:
        found = details.measure(options.networks)
    about = machine.about(
        versions,
        peak=statistics.median(peaks),
        started=started,
        stolen=machine.stolen_since(before),
        options=vars(options),
    )
    about |= {"left_out": left_out, **found}
    page = table.page(rows, about)
    print(page)
    folder = options.output or (ROOT if options.whole else None)
    if folder is not None:
        _write(folder, rows, about, page)


def _again(options: argparse.Namespace) -> None:
    """Measure the named networks again, or else the details, and write the page again with the rest as it was.

    The page says which networks were measured again, and when.
    """
    known = read(ROOT / "benchmarks/results.json")
    about = json.loads((ROOT / "benchmarks/machine.json").read_text(encoding="utf-8"))
    rows = [replace(row, agrees=row.agrees or nearly_equal(row.quality, row.expected)) for row in known]
    if options.renewed:
        for network in options.renewed:
            now = f"{datetime.now(UTC).isoformat(timespec='minutes')}, commit {machine.commit()}"
            place = next(i for i, row in enumerate(rows) if row.network == network)
            others = [row for row in rows if row.network != network]
            rows = [*others[:place], *_Network(network, options).rows(), *others[place:]]
            about["again"] = about.get("again", {}) | {network: now}
    else:
        about |= details.measure(list(dict.fromkeys(row.network for row in rows)))
    _write(ROOT, rows, about, table.page(rows, about))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Compare paribus with its peers.")
    parser.add_argument("--networks", nargs="+", choices=tasks.NAMES, metavar="NETWORK", help=", ".join(tasks.NAMES))
    parser.add_argument("--tools", nargs="+", choices=NAMES, metavar="TOOL", help=", ".join(NAMES))
    parser.add_argument("--cohorts", nargs="+", type=int, metavar="RUNS", help="runs that train together")
    parser.add_argument("--repeats", type=int, metavar="N", help="measurements of each number")
    parser.add_argument("--quick", action="store_true", help="two networks, two cohort sizes, once: about two minutes")
    parser.add_argument("--details", action="store_true", help="also the parts of a step, and the cost of many runs")
    parser.add_argument(
        "--again", action="store_true", help="only the details, or the named networks; the rest stays as it was"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write, in place of the checkout")
    options = parser.parse_args(arguments)
    chosen = (options.networks, options.tools, options.cohorts, options.repeats)
    options.renewed = options.networks if options.again else None
    options.whole = not options.quick and not any(chosen)
    options.networks = options.networks or (("ShallowMLP", "AE_n16") if options.quick else tasks.NAMES)
    options.tools = options.tools or NAMES
    options.cohorts = sorted(options.cohorts or ((1, 8) if options.quick else COHORTS))
    options.repeats = options.repeats or (1 if options.quick else REPEATS)
    return options


_Answer = TypeVar("_Answer")


class _Cell(NamedTuple):
    """What is measured at a time: a tool with so many runs."""

    tool: str
    runs: int


class _Network:
    """All measurements of one network. Each tool has a child process; all are alive, and one works at a time."""

    def __init__(self, network: str, options: argparse.Namespace) -> None:
        self.task = tasks.task(network)
        self.peaks: list[float] = []
        self.versions: dict[str, str] = {}
        self.left_out: list[dict[str, str]] = []
        self._options = options
        self._children: dict[str, Child] = {}
        self._seconds: dict[_Cell, list[float]] = {}
        self._quality: dict[_Cell, dict[int, float]] = {}
        self._expected: Expected | None = None
        self._batched: dict[str, bool] = {}

    def rows(self) -> list[Row]:
        """Measure."""
        names = dict.fromkeys([*self._options.tools, REFERENCE])
        self._children = {tool: Child(tool, self.task.network) for tool in names}
        try:
            for tool in names:
                self._attempt(tool, lambda child: self.versions.update(child.ready()))
            self._batched = {tool: child.batched for tool, child in self._children.items()}
            self._measure_expected_quality()
            for tool in set(names) - set(self._options.tools):
                self._children.pop(tool).close()
            self._warm_up()
            for repeat in range(self._options.repeats):
                self._repeat(repeat)
        finally:
            for child in self._children.values():
                child.close()
        return [row for cell in self._seconds for row in self._rows_of(cell)]

    def _measure_expected_quality(self) -> None:
        """The quality of the reference tool after as much training."""
        child = self._children[REFERENCE]
        child.ask({"do": "warm up", "runs": 1})
        twice = [child.ask({"do": "train", "runs": MAX_CHECKED, "once": True})["quality"] for _ in range(2)]
        self._expected = Expected(*map(_by_run, twice))

    def _cells(self) -> list[_Cell]:
        """Cohort by cohort. A tool that trains one run after another has one cell only."""
        cells: dict[_Cell, None] = {}
        for cohort in self._options.cohorts:
            for tool, child in self._children.items():
                if not child.batched:
                    cells[_Cell(tool, child.min_runs)] = None
                elif cohort >= child.min_runs:
                    cells[_Cell(tool, cohort)] = None
        return list(cells)

    def _warm_up(self) -> None:
        for cell in self._cells():
            self._log(f"warming up {cell.tool} with {cell.runs} runs")
            self._attempt(cell.tool, lambda child, runs=cell.runs: child.ask({"do": "warm up", "runs": runs}))

    def _repeat(self, repeat: int) -> None:
        self.peaks.append(next(iter(self._children.values())).ask({"do": "peak"})["peak"])
        for cell in self._cells():
            earlier = self._seconds.get(cell, [])
            if earlier and repeat == self._options.repeats - 1 and min(earlier) > LONG_S:
                continue
            answer = self._attempt(cell.tool, lambda child, runs=cell.runs: child.ask({"do": "train", "runs": runs}))
            if answer is not None:
                self._seconds.setdefault(cell, []).append(answer["seconds"])
                self._quality[cell] = _by_run(answer["quality"])
                each_ms = 1e3 * answer["seconds"] / cell.runs / self.task.epochs
                count = f"{repeat + 1}/{self._options.repeats}"
                self._log(f"{count} {cell.tool} with {cell.runs} runs: {each_ms:.1f} ms a model-epoch")

    def _attempt(self, tool: str, act: Callable[[Child], _Answer]) -> _Answer | None:
        """What `act` returns of a tool's child. A tool that fails is left out from then on, and gives None."""
        if tool not in self._children:
            return None
        try:
            return act(self._children[tool])
        except FailedError as failure:
            self._log(f"{tool} is left out: {failure}")
            self.left_out.append({"network": self.task.network, "tool": tool, "reason": str(failure)})
            self._children.pop(tool).close()
            return None

    def _rows_of(self, cell: _Cell) -> list[Row]:
        """The row of one measured cell, at every cohort size that it holds for."""
        assert self._expected is not None
        each = sorted(1e3 * s / cell.runs / self.task.epochs for s in self._seconds[cell])
        quality = self._quality[cell]
        ms = statistics.median(each)
        row = Row(
            network=self.task.network,
            tool=cell.tool,
            cohort=cell.runs,
            measured_at=cell.runs,
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
        if self._batched[cell.tool]:
            return [row]
        larger = [cohort for cohort in self._options.cohorts if cohort >= cell.runs]
        return [replace(row, cohort=cohort) for cohort in larger or [cell.runs]]

    def _log(self, line: str) -> None:
        print(f"{self.task.network}: {line}", file=sys.stderr, flush=True)


def _by_run(quality: dict[str, float]) -> dict[int, float]:
    """Keys as numbers again: JSON makes text of them."""
    return {int(run): value for run, value in quality.items()}


def _write(folder: Path, rows: Sequence[Row], about: dict[str, Any], page: str) -> None:
    for name in ("benchmarks", "docs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks/results.json").write_text(to_json(rows), encoding="utf-8")
    (folder / "benchmarks/machine.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    (folder / "docs/benchmarks.md").write_text(page, encoding="utf-8")
    if about.get("curves"):
        chart.by_runs(about["curves"]).save(folder / "docs/runs.svg")


if __name__ == "__main__":
    main()
