"""What every source of examples offers: its splits, a fingerprint, and the pools of each split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from paribus.data.pool import Pool
from paribus.spec.data import Data


@dataclass(frozen=True, eq=False)
class TestPool:
    """A source's test examples: how many there are, and how to read them."""

    __test__ = False  # pytest collects classes of this name

    examples: int
    read: Callable[[], Pool]


@dataclass(frozen=True, eq=False)
class Parts:
    """What a source gives for one of its splits, the same for all replicates.

    A split has validation examples of its own in one of two ways: `validation` is a pool of them, or
    `drawn_validation` is the number that each replicate draws from `train`. `classes` are the names of the classes,
    empty without labels.
    """

    train: Pool
    classes: tuple[str, ...] = ()
    validation: Pool | None = None
    drawn_validation: int = 0
    test: TestPool | None = None


class Source(ABC):
    """A built-in data set or a file.

    `splits` are the names that `data.split.by` may have here. `read` keeps what it has read for as long as the source
    does not change: runs of one process share their pools.
    """

    name: str
    splits: tuple[str, ...]

    @abstractmethod
    def fingerprint(self) -> str:
        """The SHA-256 that names the content; a built-in source knows it without reading anything."""

    @abstractmethod
    def read(self, data: Data) -> Parts:
        """The pools of the split `data.split.by`, which is one of `splits`, checked throughout.

        Raises UserError where the content cannot be read or is not what the source needs.
        """
