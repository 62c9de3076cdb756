"""The margins of a run's training examples, added up over its epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.training.engine import Doubles, Floats, Integers


@dataclass(frozen=True, eq=False)
class MarginSums:
    """The margins of a run's training examples, added over `epochs` epochs: (example,) in the order of its split.

    They are sums of float32 numbers in float64, epoch by epoch.
    """

    sums: Doubles
    epochs: int

    @property
    def means(self) -> Floats:
        """The mean margin (example,) over the epochs."""
        return (self.sums / self.epochs).astype(np.float32)

    def plus(self, margins: Floats, places: Integers) -> MarginSums:
        """The sums with one more epoch's margins (example,), whose places in the split are given; changed in place."""
        self.sums[places] += margins
        return MarginSums(self.sums, self.epochs + 1)


def begun(kept: MarginSums | None, examples: int) -> MarginSums:
    """A copy of the sums so far; zeros where there are none."""
    return MarginSums(np.zeros(examples), 0) if kept is None else MarginSums(kept.sums.copy(), kept.epochs)
