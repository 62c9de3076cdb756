"""Images at hand (pools), what a run may see of them (splits), and the locked drawer with the test split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
"""Float32 (image, pixel), each picture flattened row by row, values within [0, 1]."""
Labels = npt.NDArray[np.int64]
"""Int64 (image,), classes counted from 0."""
Purpose = Literal["selected snapshot", "monitoring"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Images of one source, read once and shared by every split: its arrays refuse to be written to.

    `shape` is (height, width) and `labels` None where the source has none. `fingerprint` is the SHA-256 that names the
    source's bytes.
    """

    name: str
    inputs: Images
    labels: Labels | None
    shape: tuple[int, int]
    fingerprint: str

    def __post_init__(self) -> None:
        self.inputs.setflags(write=False)
        if self.labels is not None:
            self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Split:
    """Some images of a pool, in an order of its own.

    `indices` (image,) point into the pool. `labels` are those that training sees, after label noise; `true_labels`
    those that the source gives. Both are None where the source has none.
    """

    pool: Pool
    indices: npt.NDArray[np.int64]
    labels: Labels | None
    true_labels: Labels | None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def inputs(self) -> Images:
        """Float32 (image, pixel): a read-only view where the indices are a stretch of the pool, else a copy."""
        if len(self):
            first = int(self.indices[0])
            stretch = np.arange(first, first + len(self), dtype=np.int64)
            if np.array_equal(self.indices, stretch):
                return self.pool.inputs[first : first + len(self)]
        return self.pool.inputs[self.indices]

    def take(self, chosen: slice | npt.NDArray[Any]) -> Split:
        """The part of the split at positions `chosen`."""
        labels = None if self.labels is None else self.labels[chosen]
        true_labels = None if self.true_labels is None else self.true_labels[chosen]
        return replace(self, indices=self.indices[chosen], labels=labels, true_labels=true_labels)


def whole(pool: Pool) -> Split:
    """Every image of `pool` in its own order, with the labels that the source gives."""
    return Split(pool, np.arange(len(pool), dtype=np.int64), pool.labels, pool.labels)


class TestDrawer:
    """The test split, locked: known by its number of `images`, and read through `open` only.

    Nothing is read from disk before it is opened. Whoever opens it has recorded the reading first
    (`Workspace.log_test_reads`).
    """

    __test__ = False  # pytest takes classes of this name for tests

    def __init__(self, images: int, load: Callable[[], Split]) -> None:
        self.images = images
        self.__load = load

    def open(self, purpose: Purpose, limit: int | None = None) -> Split:
        """The test split, or its first `limit` images. `purpose` is what the reading was recorded as."""
        if purpose not in get_args(Purpose):
            raise ValueError(f"the drawer opens for one of {get_args(Purpose)}, not for {purpose!r}")
        return self.__load().take(slice(self.images if limit is None else min(limit, self.images)))


@dataclass(frozen=True, eq=False)
class Splits:
    """What one replicate of an arm trains on, validates on, and may be tested on.

    `center` (pixel,) is to be subtracted from every input, where the arm asks for it. `classes` is 0 without labels.
    """

    train: Split
    validation: Split | None
    test: TestDrawer | None
    center: Images | None
    classes: int
    shape: tuple[int, int]
