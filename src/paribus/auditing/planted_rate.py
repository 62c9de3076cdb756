"""How many labels are wrong, by how many are as suspicious as the labels that the audit has flipped itself.

Let t be the suspicion that the share `CAUGHT` of wrong labels reaches, as planted flips show it. If a share H of all
other labels reaches t, and none of them is right, then

    H = rate * CAUGHT,

so the rate is H / CAUGHT. Right labels that are as suspicious make it too high: it is an upper bound, as is the count
among sure examples (`noise`), which takes classes that are alike by nature for errors. The lower one of the two counts.
(The greatest share of one distribution that another may hold: Blanchard, Lee and Scott, "Semi-supervised novelty
detection", 2010.)

A planted flip may make a wrong label right again. If the share c of them has, the share (1 - c) * `CAUGHT` of all
planted flips reaches t.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import Interval
from paribus.analysis.proportions import wilson
from paribus.auditing.noise import Noise

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CAUGHT: Final = 0.7


@dataclass(frozen=True, eq=False)
class PlantedFlips:
    """The labels of all arms with planted flips together: their `suspicion` and whether they are `planted` (label,).

    `weights` are those of the planted ones (flip,), and `right_again` is the share c of them, by weight, that are
    right. There are `arms` such arms, so that the other labels count as many times.
    """

    suspicion: Doubles
    planted: Bools
    weights: Doubles
    right_again: float
    arms: int


def right_again(noise: Noise, before: Ints, after: Ints, weights: Doubles) -> float:
    """The share of flips from label `before` to label `after` (flip,), by weight, whose example is of class `after`.

    Of the sure examples that are labelled `before`, it is the share of class `after`. At most (1 - rate) / 2, so that
    wrong labels are more frequent among flips than among others.
    """
    labelled = np.maximum(noise.counts.sum(axis=0), 1)
    share = float(weights @ (noise.counts[after, before] / labelled[before]) / weights.sum()) if len(weights) else 0.0
    return min(share, (1 - noise.rate) / 2)


def bounded(noise: Noise, flips: PlantedFlips) -> Noise:
    """`noise` with the rate by planted flips, and its interval, where this rate is the lower one.

    Of two equal ones, such as 0, the one that is counted among more examples says more. The flips tell of the share
    `CAUGHT` of all errors, and so of as many examples.
    """
    if not len(flips.weights) or flips.planted.all():
        return noise
    of_flips, others = flips.suspicion[flips.planted], flips.suspicion[~flips.planted]
    wanted = (1 - flips.right_again) * CAUGHT
    order = np.argsort(-of_flips, kind="stable")
    reached = np.cumsum(flips.weights[order]) / flips.weights.sum()
    limit = of_flips[order][min(int(np.searchsorted(reached, wanted)), len(order) - 1)]
    found = float((others >= limit).sum()) / flips.arms
    examples = len(others) / flips.arms
    rate = found / examples / CAUGHT
    if rate > noise.rate or (rate == noise.rate and CAUGHT * examples < noise.surely):
        return noise
    interval = _interval(rate, found, examples, wanted, flips.weights)
    return replace(noise, rate=rate, interval=interval, examples_by_flips=round(CAUGHT * examples))


def _interval(rate: float, found: float, examples: float, wanted: float, weights: Doubles) -> Interval:
    """Wilson's interval, with the number of examples of which a plain share would have the variance of the rate.

    The relative variance of the rate is that of the number found, 1 / found, and that of the share of flips that reach
    t, (1 - w) / (w n), with n flips of equal weight (Kish 1965). Without a label found, it is the number of examples.
    """
    flips = float(weights.sum() ** 2 / (weights**2).sum())
    relative = (1 / found if found else 0.0) + (1 - wanted) / (wanted * flips)
    number = (1 - rate) / (rate * relative) if rate else CAUGHT * examples
    return wilson(rate, number) or Interval(0.0, 1.0)
