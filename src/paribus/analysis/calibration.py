"""Does a network's confidence mean what it says? Accuracy by confidence, and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.analysis.estimates import Estimate, Interval, estimate
from paribus.analysis.outputs import Classified, ClassOutputs, Doubles
from paribus.analysis.proportions import wilson
from paribus.spec.metrics import CALIBRATION_BINS


@dataclass(frozen=True)
class Bin:
    """The examples whose confidence is above `low` and at most `high`, all replicates together.

    `right` and `wrong` count them as the mean over replicates. `confidence` is their mean confidence and `accuracy` the
    share that is right; both are None in an empty bin. `sampling` is Wilson's interval of the accuracy for as many
    examples as a replicate has in the bin.
    """

    low: float
    high: float
    right: float
    wrong: float
    confidence: float | None
    accuracy: float | None
    sampling: Interval | None

    @property
    def examples(self) -> float:
        return self.right + self.wrong


@dataclass(frozen=True)
class Calibration:
    """An arm's confidence on one split. `error` is the expected calibration error, one value a replicate."""

    arm: str
    rule: str
    bins: tuple[Bin, ...]
    error: Estimate
    confidence: Estimate
    accuracy: Estimate


@dataclass(frozen=True, eq=False)
class _Sums:
    """Over the examples of each bin (bin,): their number, the right ones among them, and their confidence."""

    examples: Doubles
    right: Doubles
    confidence: Doubles


def calibration(found: Classified) -> Calibration:
    """Confidence and accuracy in `CALIBRATION_BINS` bins. Confidence is the probability of the predicted class."""
    each = [_sums(one) for one in found.replicates]
    pooled = _Sums(
        np.sum([s.examples for s in each], axis=0),
        np.sum([s.right for s in each], axis=0),
        np.sum([s.confidence for s in each], axis=0),
    )
    return Calibration(
        arm=found.arm,
        rule=found.rule,
        bins=tuple(_bin(pooled, place, len(each)) for place in range(CALIBRATION_BINS)),
        error=estimate(_error(s) for s in each),
        confidence=estimate(float(one.confidence.mean()) for one in found.replicates),
        accuracy=estimate(float(1 - one.wrong.mean()) for one in found.replicates),
    )


def _sums(one: ClassOutputs) -> _Sums:
    confidence = one.confidence
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, CALIBRATION_BINS - 1)

    def total(values: Doubles) -> Doubles:
        return np.bincount(place, weights=values, minlength=CALIBRATION_BINS).astype(np.float64)

    right = (~one.wrong).astype(np.float64)
    return _Sums(total(np.ones_like(right)), total(right), total(confidence))


def _error(sums: _Sums) -> float:
    """The sum over bins of (examples / all examples) * |accuracy - mean confidence|.

    A bin's examples times its accuracy are its right ones, and times its mean confidence the sum of its confidences.
    """
    return float(np.abs(sums.right - sums.confidence).sum() / sums.examples.sum())


def _bin(pooled: _Sums, place: int, replicates: int) -> Bin:
    examples, right = float(pooled.examples[place]), float(pooled.right[place])
    accuracy = right / examples if examples else None
    return Bin(
        low=place / CALIBRATION_BINS,
        high=(place + 1) / CALIBRATION_BINS,
        right=right / replicates,
        wrong=(examples - right) / replicates,
        confidence=float(pooled.confidence[place]) / examples if examples else None,
        accuracy=accuracy,
        sampling=None if accuracy is None else wilson(accuracy, examples / replicates),
    )
