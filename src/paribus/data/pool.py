"""The examples of a source (pools), what a run may use of them (splits), and the locked test set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from paribus.spec.dataset import Dataset

Features = npt.NDArray[np.float32]
"""Float32 (example, feature). An image is flattened row by row."""
Labels = npt.NDArray[np.int64]
"""Int64 (example,), classes counted from 0."""
Numbers = npt.NDArray[np.float32]
"""Float32 (example, output): numbers to be predicted, in their original units."""
Rows = npt.NDArray[np.int64]
"""Int64 (example,), rows of a pool."""
Purpose = Literal["selected snapshot", "monitoring", "later measurement", "reference line"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Examples of one source, read once and shared by every split: its arrays refuse to be written to.

    `values` (example, feature) is uint8 or float32, as the source has it: bytes stay bytes. The features of an example
    are `values / divisor`, with a divisor of 255 for the bytes of images and of 1 for everything else. `labels` is None
    where the source has none, and `shape` is that of one example: (height, width) for grey images, (channel, height,
    width) for colour images, (feature,) for rows of a table. `fingerprint` is the SHA-256 that names the source's
    content. `numbers` are the targets of a regression, None for any other task. `source_rows` (example,) are the rows
    of another pool that this one is a part of, None where it is none.
    """

    name: str
    values: npt.NDArray[Any]
    divisor: float
    labels: Labels | None
    shape: tuple[int, ...]
    fingerprint: str
    numbers: Numbers | None = None
    source_rows: Rows | None = None

    def __post_init__(self) -> None:
        for array in (self.values, self.labels, self.numbers, self.source_rows):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: Rows) -> Pool:
        """A pool of the examples `rows` alone, in a copy, with a fingerprint of its own."""
        chosen = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
        return replace(
            self,
            values=self.values[rows],
            labels=None if self.labels is None else self.labels[rows],
            numbers=None if self.numbers is None else self.numbers[rows],
            source_rows=rows if self.source_rows is None else self.source_rows[rows],
            fingerprint=hashlib.sha256(f"{self.fingerprint} rows {chosen}".encode()).hexdigest(),
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Some examples of a pool, in an order of their own.

    `rows` (example,) point into the pool. `labels` are those that training sees, after label noise; `true_labels` are
    those of the source. Both are None where the source has none.
    """

    pool: Pool
    rows: Rows
    labels: Labels | None
    true_labels: Labels | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> Features:
        """`values / divisor` as a new float32 array (example, feature): neither centred nor standardised.

        It has four bytes for each value. Take a part of the split first where memory matters.
        """
        values = self.pool.values[self.rows]
        if self.pool.divisor == 1:
            return values.astype(np.float32, copy=False)
        return np.divide(values, np.float32(self.pool.divisor), dtype=np.float32)

    @property
    def numbers(self) -> Numbers | None:
        """The targets of a regression (example, output) in their original units, None for any other task."""
        return None if self.pool.numbers is None else self.pool.numbers[self.rows]

    @property
    def source_rows(self) -> Rows:
        """The rows (example,) of the split's examples in the source, as people count them there, from 0."""
        return self.rows if self.pool.source_rows is None else self.pool.source_rows[self.rows]

    def take(self, chosen: slice | npt.NDArray[Any]) -> Split:
        """The part of the split at positions `chosen`: a slice, or an array of positions (example,)."""
        labels = None if self.labels is None else self.labels[chosen]
        true_labels = None if self.true_labels is None else self.true_labels[chosen]
        return replace(self, rows=self.rows[chosen], labels=labels, true_labels=true_labels)


def whole(pool: Pool) -> Split:
    """Every example of `pool` in its own order, with the labels of the source."""
    return Split(pool, np.arange(len(pool), dtype=np.int64), pool.labels, pool.labels)


class TestSet:
    """The locked test set: its number of `examples` is known, and its content is read through `open` only.

    A built-in source's test file is not read from disk before that. Whoever opens the test set has logged the read
    first (`Workspace.log_test_reads`).
    """

    __test__ = False  # pytest collects classes of this name

    def __init__(self, examples: int, read: Callable[[int], Split]) -> None:
        """`read` gives a sample of this many examples, the same one whenever it is asked for as many."""
        self.examples = examples
        self.__read = read

    def open(self, purpose: Purpose, limit: int | None = None) -> Split:
        """The test split, or a random sample of `limit` of its examples, the same one at each call and in each run.

        `purpose` is what the read was logged as. Raises ValueError for any other purpose.
        """
        if purpose not in get_args(Purpose):
            raise ValueError(f"the test set is read for one of {get_args(Purpose)}, not for {purpose!r}")
        return self.__read(self.examples if limit is None else min(limit, self.examples))


@dataclass(frozen=True, eq=False)
class Scaling:
    """A network sees `(values / divisor - centre) * factor`; both are float32 (feature,), fitted on training examples.

    None stands for a centre of 0, and for a factor of 1. The targets of a regression are scaled in the same way, with
    a centre and a factor (output,) of their own.
    """

    centre: Features | None
    factor: Features | None


@dataclass(frozen=True, eq=False)
class Splits:
    """What one replicate of an arm trains on, validates on and may be tested on, and the facts of these data.

    `scaling` is that of the features, `target_scaling` that of the numbers to be predicted. `fill` (feature,) are the
    values that stand for missing ones, None where no value is missing; they are in the pools already.
    """

    train: Split
    validation: Split | None
    test: TestSet | None
    scaling: Scaling
    dataset: Dataset
    target_scaling: Scaling = Scaling(None, None)
    fill: Features | None = None

    def preprocessing(self) -> dict[str, npt.NDArray[np.float32]]:
        """What is done to features and targets, as arrays: to be recorded with a run, and exported with a network.

        `divisor` (1,), and where there are any: `fill`, `centre` and `factor` (feature,), used in this order after the
        division, and `target_centre` and `target_factor` (output,): a prediction in original units is
        `output / target_factor + target_centre`. The names of features and targets are in `Dataset`.
        """
        found = {
            "divisor": np.array([self.train.pool.divisor], np.float32),
            "fill": self.fill,
            "centre": self.scaling.centre,
            "factor": self.scaling.factor,
            "target_centre": self.target_scaling.centre,
            "target_factor": self.target_scaling.factor,
        }
        return {name: array for name, array in found.items() if array is not None}
