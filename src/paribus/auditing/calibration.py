"""From a suspicion to the probability that a label is wrong, by labels that the audit has flipped itself.

Let f1 be the density of the suspicion of wrong labels, and f that of all labels as they stand, wrong ones among them.
Of labels with suspicion s, the share

    p(s) = rate * f1(s) / f(s)

is wrong, with the rate of wrong labels among all (the two-groups model; Efron, "Microarrays, empirical Bayes and the
two-groups model", 2008). Planted flips have the density f1 as far as real errors look like them, and all others have f.
Both are in one arm, trained by the same networks. The ratio f1 / f is the isotonic regression of "is planted" on the
suspicion, since a label that fits worse is no less probably wrong.

A planted flip of a wrong label may make it right again. If the share c of the flips has, they have the density
(1 - c) f1 + c f0, with that of right labels, f0, and with its ratio r to f

    p(s) = rate * (r(s) (1 - rate) - c) / (1 - rate - c).

The rate is estimated elsewhere (`noise`, `planted_rate`). Where there is no error, it is nearly 0, and no suspicion
makes a label probably wrong: an ambiguous example of a clean data set is not called wrong for being ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import Interval
from paribus.analysis.proportions import wilson

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CUTS: Final = (0.95, 0.9, 0.75, 0.5, 0.25, 0.1)
"""Probabilities at which a list of suspects may be cut."""


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """f1 / f as a step function: `values` (step,) from the suspicion `starts` (step,) on, ascending."""

    starts: Doubles
    values: Doubles

    def __call__(self, suspicion: Doubles) -> Doubles:
        """The ratio at each suspicion (example,); below the first step, the first one's."""
        return self.values[np.maximum(np.searchsorted(self.starts, suspicion, side="right") - 1, 0)]


def likelihood_ratio(suspicion: Doubles, planted: Bools, weights: Doubles) -> LikelihoodRatio:
    """The ratio from examples with their suspicion, whether they were `planted`, and the `weights` of those (example,).

    In each step of the isotonic regression it is the share of the planted labels there, over that of all others, with
    half an example added to the latter: a step without any other label does not prove that none belongs there.
    """
    from scipy.optimize import isotonic_regression  # slow to import, and needed here only

    order = np.argsort(suspicion, kind="stable")
    is_planted, of_example = planted[order], np.where(planted, weights, 1.0)[order]
    blocks = np.asarray(isotonic_regression(is_planted.astype(np.float64), weights=of_example).blocks)[:-1]
    of_planted = np.add.reduceat(np.where(is_planted, of_example, 0.0), blocks)
    of_others = np.add.reduceat(np.where(is_planted, 0.0, 1.0), blocks)
    shares = of_planted / of_planted.sum(), (of_others + 0.5) / of_others.sum()
    return LikelihoodRatio(suspicion[order][blocks], np.maximum.accumulate(shares[0] / shares[1]))


def probability_wrong(ratio: Doubles, rate: float, right_again: float) -> Doubles:
    """p (example,) from r (example,), the rate of wrong labels and c, `right_again`, which is below 1 - rate."""
    return np.clip(rate * (ratio * (1 - rate) - right_again) / (1 - rate - right_again), 0.0, 1.0)


@dataclass(frozen=True)
class Cut:
    """What a list has that is cut at a probability of `at_least`.

    `suspects` labels are on it, of which the share `precision` is expected to be wrong. `found` of `planted` planted
    flips would be on it, so that share `recall` of the wrong labels is expected to be found, with its interval, and a
    share `false_alarms` of the right labels is expected to be on the list.
    """

    at_least: float
    suspects: int
    precision: float | None
    found: float
    planted: int
    recall: float
    recall_interval: Interval | None
    false_alarms: float


def cuts_of(
    probabilities: Doubles, of_planted: Doubles, weights: Doubles, rate: float, right_again: float = 0.0
) -> tuple[Cut, ...]:
    """The cuts of a list with the `probabilities` (example,) that labels are wrong.

    `of_planted` (flip,) are those that planted flips got, with their `weights`; `rate` is that of wrong labels. The
    share `right_again` of the flips is not wrong, and is listed as often as right labels are.
    """
    found: list[Cut] = []
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0  # Kish 1965
    for at_least in CUTS:
        listed = probabilities[probabilities >= at_least]
        right = (1 - rate) * len(probabilities)
        false_alarms = float((1 - listed).sum() / right) if right else 0.0
        caught = of_planted >= at_least
        of_flips = float((weights * caught).sum() / weights.sum()) if len(weights) else 0.0
        of_wrong = min(1.0, (of_flips - right_again * false_alarms) / (1 - right_again))
        recall = max(found[-1].recall if found else 0.0, of_wrong)  # a longer list has no fewer of them
        found.append(
            Cut(
                at_least=at_least,
                suspects=len(listed),
                precision=float(listed.mean()) if len(listed) else None,
                found=float(caught.sum()),
                planted=len(of_planted),
                recall=recall,
                recall_interval=wilson(recall, effective),
                false_alarms=false_alarms,
            )
        )
    return tuple(found)
