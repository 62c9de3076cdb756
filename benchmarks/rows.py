"""One result of the benchmark with all that belongs to it, and the file of all results."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A tool on a network with `cohort` runs: medians over `repeats` measurements.

    A tool that trains one run after another is measured once, at `measured_at` runs, and its time per model-epoch holds
    for every larger number of runs. `peak_share` counts the operations of matmuls only. `quality` is the mean `metric`
    over the first runs after the measured epochs, `expected` that of the sequential loop for the same runs, `agrees`
    whether they differ by noise only (`Expected.agrees`).
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
    """The quality of each run trained by the sequential loop, with the examples in one order and in another."""

    first: Mapping[int, float]
    second: Mapping[int, float]

    def of(self, runs: Iterable[int]) -> float:
        """The mean over these runs."""
        return statistics.mean((self.first[run] + self.second[run]) / 2 for run in runs)

    def agrees(self, quality: Mapping[int, float]) -> bool:
        """Whether these runs differ on average by no more than another order of the examples makes.

        The bound is four standard errors of the mean difference between a run and the mean of its two orders. One per
        cent is always accepted, because two orders may give nearly equal results by chance.
        """
        noise = math.sqrt(statistics.mean((self.first[run] - self.second[run]) ** 2 for run in self.first))
        # the variance is noise**2 / 2 for one order, and half of that for the mean of two
        bound = 4 * noise * math.sqrt(0.75 / len(quality))
        expected = self.of(quality)
        mean = statistics.mean(quality.values())
        return abs(mean - expected) <= bound or nearly_equal(mean, expected)


def nearly_equal(quality: float, expected: float) -> bool:
    """Whether the two differ by one per cent at most."""
    return abs(quality - expected) <= 0.01 * expected


def to_json(rows: Sequence[Row]) -> str:
    """The text of `results.json`."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def read(path: Path) -> list[Row]:
    """The rows of a file that `to_json` made."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
