"""How many labels are wrong, by how many are as suspicious as the labels that the audit has flipped itself.

Let t be the suspicion that a share w of wrong labels reaches, as planted flips show it. If a share H of all other
labels reaches t, and none of them is right, then

    H = rate * w,

so the rate is H / w. Right labels that are as suspicious make it too high: it is an upper bound. (The greatest share of
one distribution that another may hold: Blanchard, Lee and Scott, "Semi-supervised novelty detection", 2010.)

The larger w, the more labels are counted, and the more of them may be right. So w begins with the least of `CAUGHT`,
and goes on to the next one as long as the labels that come in are no more than the rate so far explains, within
`UNUSUAL` standard errors. Where no right label is nearly as suspicious as a wrong one, w becomes the largest.

The count among sure examples (`noise`) is an upper bound, too, as it takes classes that are alike by nature for errors.
Where both agree within its interval, the flips tell more, by more labels; where not, the lower one of the two counts.

A planted flip may make a wrong label right again. If the share c of them has, the share (1 - c) w of all planted flips
reaches t.
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

CAUGHT: Final = (0.7, 0.8, 0.9, 0.95)
UNUSUAL: Final = 2.5


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
    """`noise` with the rate by planted flips, and its interval, unless this rate is above the interval of `noise`.

    Of two rates of 0, the one that is counted among more examples says more. The flips tell of the share w of all
    errors, and so of as many examples.
    """
    if not len(flips.weights) or flips.planted.all():
        return noise
    counted = _counted(flips)
    rate, examples = counted.rate, round(counted.caught * counted.examples)
    if rate > noise.interval.high or (rate == noise.rate == 0 and examples < noise.surely):
        return noise
    return replace(noise, rate=rate, interval=_interval(counted), examples_by_flips=examples)


@dataclass(frozen=True)
class _Count:
    """Of `examples` other labels, `found` are at least as suspicious as a share `caught` of wrong labels.

    `flips` is the number of planted flips of equal weight that say as much about this share (Kish 1965), and `wanted`
    is the share of them that reaches as far.
    """

    caught: float
    found: float
    examples: float
    wanted: float
    flips: float

    @property
    def rate(self) -> float:
        return self.found / self.examples / self.caught


def _counted(flips: PlantedFlips) -> _Count:
    """The count at the largest w that no right labels disturb."""
    order = np.argsort(-flips.suspicion[flips.planted], kind="stable")
    of_flips, others = flips.suspicion[flips.planted][order], flips.suspicion[~flips.planted]
    reached = np.cumsum(flips.weights[order]) / flips.weights.sum()
    effective = float(flips.weights.sum() ** 2 / (flips.weights**2).sum())
    last: _Count | None = None
    for caught in CAUGHT:
        wanted = (1 - flips.right_again) * caught
        limit = of_flips[min(int(np.searchsorted(reached, wanted)), len(order) - 1)]
        found = float((others >= limit).sum()) / flips.arms
        count = _Count(caught, found, len(others) / flips.arms, wanted, effective)
        if last is not None and _disturbed(last, count):
            break
        last = count
    assert last is not None
    return last


def _disturbed(last: _Count, count: _Count) -> bool:
    """Whether more labels come in from one count to the next one than wrong labels explain.

    Expected is the rate so far times the share of wrong labels that comes in. Its variance is that of a Poisson number,
    at least 1, and that of the number of flips that come in, which says where the limit is.
    """
    share = count.caught - last.caught
    expected = last.rate * share * count.examples
    variance = max(expected, 1.0) + expected**2 / (share * count.flips)
    return count.found - last.found - expected > UNUSUAL * variance**0.5


def _interval(count: _Count) -> Interval:
    """Wilson's interval, with the number of examples of which a plain share would have the variance of the rate.

    The relative variance of the rate is that of the number found, 1 / found, and that of the share of flips that reach
    t, (1 - w) / (w n), with n flips. Without a label found, it is the number of examples.
    """
    rate = count.rate
    relative = (1 / count.found if count.found else 0.0) + (1 - count.wanted) / (count.wanted * count.flips)
    number = (1 - rate) / (rate * relative) if rate else count.caught * count.examples
    return wilson(rate, number) or Interval(0.0, 1.0)
