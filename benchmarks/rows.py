"""One number of the benchmark with what belongs to it, and the file that holds them all."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A tool on a network, `cohort` runs at a time: medians over `repeats` measurements.

    A tool that trains one run after another is measured once, at `measured_at` runs, and has this number at every
    cohort size from there on. `peak_share` counts the operations of the matrix products alone. `quality` is the mean
    `metric` over the first runs after the measured epochs, `expected` that of the sequential loop for the same runs,
    `agrees` whether they differ by noise only (`Expected.agrees`).
    """

    network: str
    tool: str
    cohort: int
    measured_at: int
    ms_per_model_epoch: float
    lowest_ms: float
    highest_ms: float
    repeats: int
    peak_share: float
    metric: str
    quality: float
    expected: float
    agrees: bool


@dataclass(frozen=True)
class Expected:
    """What quality each run reaches by the sequential loop: twice, in two orders of the images."""

    first: Mapping[int, float]
    second: Mapping[int, float]

    def of(self, runs: Iterable[int]) -> float:
        """The mean over these runs."""
        return statistics.mean((self.first[run] + self.second[run]) / 2 for run in runs)

    def agrees(self, quality: Mapping[int, float]) -> bool:
        """Whether the same runs, from the same starts, differ on average by no more than another order would make.

        The bound is four standard errors of the mean difference between a run and the mean of its two orders, or one
        per cent, where two orders happened to end alike.
        """
        noise = math.sqrt(statistics.mean((self.first[run] - self.second[run]) ** 2 for run in self.first))
        # one order has a variance of noise²/2, the mean of two orders half of that
        bound = 4 * noise * math.sqrt(0.75 / len(quality))
        expected = self.of(quality)
        mean = statistics.mean(quality.values())
        return abs(mean - expected) <= bound or alike(mean, expected)


def alike(quality: float, expected: float) -> bool:
    """Whether the two differ by one per cent at most."""
    return abs(quality - expected) <= 0.01 * expected


def written(rows: Sequence[Row]) -> str:
    """`results.json`."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def read(path: Path) -> list[Row]:
    """What `written` wrote."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
