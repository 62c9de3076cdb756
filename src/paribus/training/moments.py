"""Mean and variance of numbers that come some examples at a time."""

from __future__ import annotations

from typing import final

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@final
class Moments:
    """Mean and variance (column,) over examples, in float64.

    The variance is merged from those of the parts (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances", 1979): with m examples of mean a and sum of squares p so far, and n more of mean b
    and sum of squares q, the sum of squares is p + q + (b - a)**2 * m * n / (m + n). So a constant column has variance
    0, which the difference of two large sums would not give.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Doubles = np.zeros(0)
        self._squares: Doubles = np.zeros(0)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Take in values (example, column)."""
        exact = values.astype(np.float64)
        mean = exact.mean(axis=0)
        squares = np.square(exact - mean).sum(axis=0)
        if not self.count:
            self.mean, self._squares, self.count = mean, squares, len(values)
            return
        total, difference = self.count + len(values), mean - self.mean
        self._squares += squares + difference**2 * (self.count * len(values) / total)
        self.mean = self.mean + difference * (len(values) / total)
        self.count = total

    @property
    def variance(self) -> Doubles:
        """The mean squared difference from the mean (divided by the number of examples, not by one less)."""
        return self._squares / self.count
