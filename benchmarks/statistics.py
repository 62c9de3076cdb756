"""How often intervals cover and verdicts err, by simulation: docs/statistics.json, and the table of docs/statistics.md.

    python -m benchmarks.statistics [--draws N] [--replicates N]

Differences of replicates are drawn from known populations, and judged as paribus judges them. What is printed are
shares of draws: of intervals that hold the true mean, and of verdicts that are false. The last lines are no simulation:
they are about networks that were trained alike (`benchmarks.equal_arms`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks import equal_arms, machine
from paribus.analysis.estimates import Interval
from paribus.analysis.judgement import binary_interval, clopper_pearson, judge
from paribus.analysis.looks import ALPHA, look_levels

DRAWS: Final = 4_000
MARGIN: Final = 0.5
MARK: Final = "<!-- from here on written by make statistics -->"
LOOKS: Final = (8, 12, 20)
OTHER_LOOKS: Final = (3, 5, 10, 20)
Samples = npt.NDArray[np.float64]
"""(draw, replicate)."""


@dataclass(frozen=True)
class Line:
    """One share of `draws`: of simulated samples, or of studies that were trained.

    `limit` is what it must not exceed, or, for coverage, fall below; None where theory promises nothing.
    """

    question: str
    population: str
    n: str
    share: float
    limit: float | None
    draws: int

    @property
    def is_coverage(self) -> bool:
        return self.question.startswith("coverage")

    @property
    def interval(self) -> Interval:
        """The exact 95 % interval of the share."""
        return clopper_pearson(round(self.share * self.draws), self.draws)

    @property
    def kept(self) -> bool | None:
        """Whether the share keeps its limit, within three standard errors of the simulation."""
        if self.limit is None:
            return None
        error = 3 * (self.limit * (1 - self.limit) / self.draws) ** 0.5
        return self.share >= self.limit - error if self.is_coverage else self.share <= self.limit + error


def _standardised_accuracies(rng: np.random.Generator, shape: tuple[int, int]) -> Samples:
    return (rng.binomial(2000, 0.85, shape) - 1700) / np.sqrt(2000 * 0.85 * 0.15)


POPULATIONS: Final[Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Samples]]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "accuracies of 2,000 images": _standardised_accuracies,
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "lognormal": lambda rng, shape: (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e),
}
"""Differences with mean 0 and standard deviation 1, drawn as (draw, replicate)."""


def lines(draws: int = DRAWS) -> list[Line]:
    """Every simulation, from the same seed each time."""
    rng = np.random.default_rng(2021)
    return [*_coverage(rng, draws), *_binary(draws, rng), *_margins(rng, draws), *_sequential(rng, draws)]


def _coverage(rng: np.random.Generator, draws: int) -> list[Line]:
    found: list[Line] = []
    for name, population in POPULATIONS.items():
        for n in (3, 5, 8, 10):
            intervals = [judge(list(row), MARGIN).interval for row in population(rng, (draws, n))]
            share = np.mean([between is not None and 0 in between for between in intervals])
            exact = name in ("normal", "accuracies of 2,000 images")
            found.append(
                Line("coverage of the 95 % interval", name, str(n), float(share), 0.95 if exact else None, draws)
            )
    return found


def _binary(draws: int, rng: np.random.Generator) -> list[Line]:
    """A claim that collapses become rarer: the first arm collapses never, the second in a share of 0.8; by = 0.9."""
    found: list[Line] = []
    for n in (2, 3, 5, 8, 10):
        samples = (rng.random((draws, n)) < 0.8).astype(float)
        intervals = [binary_interval(list(row), ALPHA) for row in samples]
        found.append(
            Line("coverage of the exact interval of shares", "0/1, true difference 0.8", str(n),
                 float(np.mean([0.8 in between for between in intervals])), 0.95, draws)
        )  # fmt: skip
        supported = [judge(list(row), 0.9, "binary").verdict == "SUPPORTED" for row in samples]
        found.append(
            Line("false SUPPORTED", "0/1, true difference 0.8, by 0.9", str(n), float(np.mean(supported)), 0.025, draws)
        )
    return found


def _margins(rng: np.random.Generator, draws: int) -> list[Line]:
    found: list[Line] = []
    for sd in (0.2, 0.5):
        for n in (3, 8):
            noise = sd * rng.standard_normal((draws, n))
            for truth, verdict, level, name in (
                (MARGIN, "SUPPORTED", 0.025, "at the margin"),
                (MARGIN, "EQUIVALENT", 0.05, "at the margin"),
                (0.0, "EQUIVALENT", None, "no difference"),
                (0.0, "REFUTED", None, "no difference"),
            ):
                share = np.mean([judge(list(row), MARGIN).verdict == verdict for row in truth + noise])
                what = f"false {verdict}" if level is not None else verdict
                found.append(Line(what, f"normal, sd {sd}, {name}", str(n), float(share), level, draws))
    return found


def _sequential(rng: np.random.Generator, draws: int) -> list[Line]:
    """At the margin, with looks until the claim is decided: by declared levels, and by 2.5 % at every look."""
    found: list[Line] = []
    for looks in (LOOKS, OTHER_LOOKS):
        samples = MARGIN + rng.standard_normal((draws, looks[-1]))
        shown = ", ".join(map(str, looks))
        for name, levels, limit in (
            ("declared looks", look_levels(looks), 0.025),
            ("undeclared looks at 2.5 % each", (ALPHA,) * len(looks), None),
        ):
            supported = [_first_verdict(row, looks, levels) == "SUPPORTED" for row in samples]
            found.append(
                Line(
                    "false SUPPORTED", f"normal, at the margin, {name}", shown, float(np.mean(supported)), limit, draws
                )
            )
    return found


def _first_verdict(row: npt.NDArray[np.float64], looks: Sequence[int], levels: Sequence[float]) -> str:
    for look, level in zip(looks, levels, strict=True):
        verdict = judge(list(row[:look]), MARGIN, alpha=level).verdict
        if verdict != "INCONCLUSIVE":
            return verdict
    return "INCONCLUSIVE"


def trained_alike(differences: Sequence[float]) -> list[Line]:
    """What is said of two arms of one recipe, from their differences in each replicate."""
    found: list[Line] = []
    for n in equal_arms.STUDY_SIZES:
        told = equal_arms.judged(differences, n)
        for question, count, limit in (
            ("an interval without 0", told.separated, 0.05),
            ("false SUPPORTED, by 0", told.supported, 0.025),
        ):
            where = "test accuracies of two equal arms, trained"
            found.append(Line(question, where, str(n), count / told.studies, limit, told.studies))
    return found


def table(found: Sequence[Line]) -> str:
    """Markdown: one row for each share, with its 95 % interval."""
    rows = ["| what | population of differences | n | share | 95 % interval | promised |", "|---|---|---|---|---|---|"]
    for line in found:
        promised = "" if line.limit is None else f"{'≥' if line.is_coverage else '≤'} {100 * line.limit:g} %"
        mark = " ✗" if line.kept is False else ""
        between = f"{100 * line.interval.low:.1f} to {100 * line.interval.high:.1f}"
        cells = (line.question, line.population, line.n, f"{100 * line.share:.1f} %{mark}", between, promised)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Simulate, train, write docs/statistics.json and the end of docs/statistics.md, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--replicates", type=int, default=equal_arms.REPLICATES, help="of two arms that are equal")
    options = parser.parse_args()
    found = [*lines(options.draws), *trained_alike(equal_arms.trained(options.replicates))]
    content: dict[str, Any] = {
        "draws": options.draws,
        "commit": machine.commit(),
        "replicates": options.replicates,
        "lines": [{**asdict(line), "interval": asdict(line.interval), "kept": line.kept} for line in found],
    }
    (machine.ROOT / "docs/statistics.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = machine.ROOT / "docs/statistics.md"
    prose = page.read_text(encoding="utf-8").partition(MARK)[0]
    note = (
        f"{options.draws:,} draws for each line except the A/A lines at the end, which are not simulated: two arms of "
        f"one recipe, with seeds of their own, were trained {options.replicates:,} times and tested on the same "
        "examples (an A/A test), and every n replicates are judged as one study. Whatever is found between the two is "
        "false.\n\n"
        f"By `make statistics`, commit {machine.commit()}."
    )
    page.write_text(f"{prose}{MARK}\n\n{table(found)}\n\n{note}\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
