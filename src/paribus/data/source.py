"""What every source of examples offers: its splits, a fingerprint, and the pools of each split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from paribus.data.pool import Pool
from paribus.spec.data import Data


@dataclass(frozen=True, eq=False)
class TestPool:
    """A source's test examples: how many there are, and how to read them.

    `on_disk` where reading them opens a file, which happens for a logged read of the test set only.
    """

    __test__ = False  # pytest collects classes of this name

    examples: int
    read: Callable[[], Pool]
    on_disk: bool = False


SplitValues = npt.NDArray[Any]
"""(example,) int64, float64, datetime64 or text: the group, the time or the split of each example. None is missing."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What a source gives for one of its splits, the same for all replicates.

    A split has validation examples of its own in one of two ways: `validation` is a pool of them, or
    `drawn_validation` is the number that each replicate draws from `train`. `classes` are the names of the classes,
    empty without labels; `targets` are those of the numbers in `Pool.numbers`, empty without any.

    An `undivided` source has all its examples in `train`, to be split: `split_values` are those of the column
    `data.split.column`, in the order of the pool, None where that is not set.

    `feature_names` has one name for each feature, or is empty. `categorical` are the features that stand for one
    categorical column each, of which exactly one is 1 and the others are 0: `slice(3, 6)` for three categories. Missing
    values of features are NaN in `Pool.values`, in all of a categorical column's features at once. Targets are never
    missing.
    """

    train: Pool
    classes: tuple[str, ...] = ()
    validation: Pool | None = None
    drawn_validation: int = 0
    test: TestPool | None = None
    undivided: bool = False
    feature_names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    split_values: SplitValues | None = None
    categorical: tuple[slice, ...] = ()

    def pools_in_memory(self) -> Iterator[Pool]:
        """The pools of all splits; not that of a test split on disk, whose reads are logged."""
        yield self.train
        if self.validation is not None:
            yield self.validation
        if self.test is not None and not self.test.on_disk:
            yield self.test.read()


class Source(ABC):
    """A built-in data set, a file or a folder.

    `splits` are the names that `data.split.by` may have here for splits that the source has itself: `("all",)` where it
    is undivided. `read` keeps what it has read for as long as the source does not change: runs of one process share
    their pools.
    """

    name: str
    splits: tuple[str, ...]

    @abstractmethod
    def fingerprint(self) -> str:
        """The SHA-256 that names the content; a built-in source knows it without reading anything."""

    @abstractmethod
    def read(self, data: Data) -> Parts:
        """The pools of the split `data.split.by`, which is one of `splits`, checked throughout.

        An undivided source gives its one pool whatever `data.split.by` is. A `data.task` of None is classification.
        Raises UserError where the content cannot be read or is not what the source needs.
        """
