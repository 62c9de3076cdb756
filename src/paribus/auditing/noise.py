"""How many labels are wrong, and in which way: counted where the networks are surest.

Of the examples that are put into a class when they are held out, the surest are very probably of that class whatever
their label says; so the labels among them that say otherwise are wrong labels, and their share estimates the rate of
wrong labels of the whole class, as far as errors do not depend on how hard an example is. (With the surest examples in
the place of anchor points: Liu and Tao, "Classification with noisy labels by importance reweighting", 2016; with
counts of labels in the place of probabilities: Northcutt et al., "Confident learning", 2021.)

Errors that are more frequent among hard examples are counted too low, and hard classes that networks confuse surely are
counted too high. Planted flips bound the rate once more (`planted_rate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import Interval
from paribus.analysis.proportions import wilson

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SUREST: Final = 0.1
"""Of the examples put into a class, the share that counts as sure."""
LEAST_SURE: Final = 20
"""And at least this many, if there are as many."""
CERTAIN: Final = 3.0
"""Standard errors from a share of errors between two classes to the lower end that counts."""
NATURAL: Final = 0.07
"""The lower end above which an error between two classes counts more than others. Classes that are alike by nature stay
below it: of Fashion-MNIST's surest coats, 14 of 100 are labelled pullover."""
MOST_COUNTED: Final = 100
"""Sure examples of a class that the lower end is made with at most: likeness does not vanish with more of them."""
CONCENTRATIONS: Final = 10.0 ** np.linspace(-2, 2, 41)
NOT_REJECTED: Final = 1.92
"""Half the 95 % point of chi-square with one degree of freedom: the ends of a likelihood interval."""


@dataclass(frozen=True, eq=False)
class Noise:
    """The estimated rate of wrong labels with its interval, and which classes become which.

    `counts` (true class, given class) are those of the sure examples, `matrix` their shares by row: of a class, the
    share of its examples that each label is given to; NaN for a class into which no example is put. `surely` is the
    number of sure examples. `examples_by_flips` is 0, or of how many examples planted flips gave the rate
    (`planted_rate`).
    """

    rate: float
    interval: Interval
    counts: Ints
    matrix: Doubles
    examples_by_flips: int = 0

    @property
    def surely(self) -> int:
        return int(self.counts.sum())

    def cell(self, true: int, given: int) -> Interval | None:
        """The interval of one share of `matrix`."""
        row = int(self.counts[true].sum())
        return wilson(self.counts[true, given] / row, row) if row else None


def estimated_noise(labels: Ints, probabilities: npt.NDArray[np.float32]) -> Noise:
    """The noise among `labels` (example,), from held-out probabilities (example, class); rows of NaN do not count."""
    known = np.flatnonzero(np.isfinite(probabilities[:, 0]))
    classes = probabilities.shape[1]
    predicted, surety = probabilities[known].argmax(axis=1), probabilities[known].max(axis=1)
    counts = np.zeros((classes, classes), np.int64)
    for true in range(classes):
        members = np.flatnonzero(predicted == true)
        wanted = min(len(members), max(LEAST_SURE, round(SUREST * len(members))))
        sure = members[np.argsort(-surety[members], kind="stable")[:wanted]]
        counts[true] = np.bincount(labels[known[sure]], minlength=classes)
    sizes = counts.sum(axis=1)
    shares = np.bincount(predicted, minlength=classes) / max(1, len(known))
    with np.errstate(invalid="ignore"):
        matrix = counts / sizes[:, None]
    wrong = np.where(sizes > 0, 1 - np.nan_to_num(np.diagonal(matrix), nan=1.0), 0.0)
    rate = float(shares @ wrong)
    return Noise(rate, _interval(rate, shares, wrong, sizes), counts, matrix)


def _interval(rate: float, shares: Doubles, wrong: Doubles, sizes: Ints) -> Interval:
    """Wilson's interval, with the number of examples of which a plain share would have the variance of this sum.

    The variance of a sum of shares w e of e = errors / n is the sum of w^2 e (1 - e) / n. Without a single error it is
    0, and the number is that of all sure examples.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = float(np.nansum(np.where(sizes > 0, shares**2 * wrong * (1 - wrong) / sizes, 0.0)))
    number = rate * (1 - rate) / variance if variance > 0 else float(sizes.sum())
    return wilson(rate, number) or Interval(0.0, 1.0)


def transitions(noise: Noise) -> Doubles:
    """T (true class, label) with caution: the share of a class that has each label.

    Classes that are alike by nature are confused by networks, too. So an error between two classes counts by the lower
    end of its Wilson interval, of `CERTAIN` standard errors and at most `MOST_COUNTED` examples, and only where this
    end is above `NATURAL`. What that leaves of the rate of all errors is spread over all pairs alike.
    """
    classes = len(noise.counts)
    off = 1.0 - np.eye(classes)
    sizes = np.maximum(noise.counts.sum(axis=1, keepdims=True), 1)
    share, z, n = noise.counts / sizes, CERTAIN, np.minimum(sizes, MOST_COUNTED)
    low = share + z * z / (2 * n) - z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = low / (1 + z * z / n) * off
    low = np.where(low > NATURAL, low, 0.0)
    total = float((noise.counts * off).sum() / max(1, noise.surely))
    rest = max(total - float(low.sum()) / classes, 0.5 / max(1, noise.surely))
    found = low + off * rest / max(1, classes - 1)
    return found + np.diag(np.maximum(1 - found.sum(axis=1), 0.01))


def pair_weights(noise: Noise, true: Ints, given: Ints) -> Doubles:
    """How much a planted flip from class `true` to class `given` (flip,) counts, so that flips are like real errors.

    Planted flips go to every other class alike; errors do not. A flip's weight is the number of errors that the noise
    has from the one class to the other, plus `concentration`, over the number of planted flips from the one to the
    other; so pairs that are never confused keep a small weight. Weights have the mean 1.
    """
    classes = len(noise.matrix)
    errors = (noise.counts + concentration(noise.counts)) * (1 - np.eye(classes))
    planted = np.zeros((classes, classes))
    np.add.at(planted, (true, given), 1)
    weights = errors[true, given] / planted[true, given]
    return weights / weights.mean() if len(weights) else weights


def concentration(counts: Ints) -> float:
    """How evenly errors are spread over other classes: large where evenly, small where each class has few others.

    It is the parameter of a symmetric Dirichlet distribution of each class's shares of errors, of 41 values from 0.01
    to 100 the largest one that `counts` (true class, given class), their diagonal aside, do not contradict: its
    logarithmic likelihood is at most `NOT_REJECTED` below the greatest (the Dirichlet-multinomial distribution; Minka,
    "Estimating a Dirichlet distribution", 2000). So few errors never make planted flips of one pair count for all.
    """
    from scipy.special import gammaln  # slow to import, and needed here only

    off = counts * (1 - np.eye(len(counts), dtype=np.int64))
    totals, several, others = off.sum(axis=1), off[off > 0], len(counts) - 1
    found = [
        (gammaln(others * value) - gammaln(totals + others * value)).sum()
        + (gammaln(several + value) - gammaln(value)).sum()
        for value in CONCENTRATIONS
    ]
    return float(CONCENTRATIONS[np.flatnonzero(found >= max(found) - NOT_REJECTED)[-1]])
