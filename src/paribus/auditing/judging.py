"""How suspicious each label is over all arms, how probably it is wrong, and how many are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.auditing.calibration import LikelihoodRatio, likelihood_ratio, probability_wrong
from paribus.auditing.noise import Noise, pair_weights, transitions
from paribus.auditing.planted_rate import PlantedFlips, bounded, right_again
from paribus.auditing.scores import Scores, suspicion_of, true_probabilities

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Judged:
    """The suspicion and the probability of being wrong of each label (example,), and what planted flips got: their
    probabilities and weights (flip,), and the share `right_again` of them. `noise` has the rate that was used."""

    noise: Noise
    suspicion: Doubles
    probabilities: Doubles
    of_planted: Doubles
    weights: Doubles
    right_again: float


def judge(scores: Scores, noise: Noise) -> Judged:
    """Calibrate the arms' suspicions by their planted flips, and average over the arms.

    `noise` is that among sure examples. A label counts in every arm that trained on it as it is given: not in the arm
    that has flipped it. Its probability is the mean over the arms with planted flips alone, where there is one:
    suspicions are scores of ranks within an arm, and an arm without flips has other labels at these ranks.
    """
    matrix = transitions(noise)
    true = true_probabilities(scores.probabilities, matrix)
    suspicions = [suspicion_of(arm.labels, arm.margins, true, matrix) for arm in scores.arms]
    flips = _flips(scores, suspicions, noise)
    noise = bounded(noise, flips)
    ratio, rate = _ratio(flips), noise_rate(noise)
    probabilities = [probability_wrong(ratio(found), rate, flips.right_again) for found in suspicions]
    known = [np.isfinite(found) for found in suspicions]
    counted = [own & ~arm.planted for own, arm in zip(known, scores.arms, strict=True)]
    planted = [own & arm.planted for own, arm in zip(known, scores.arms, strict=True)]
    calibrated = [own & bool(arm.planted.any()) for own, arm in zip(counted, scores.arms, strict=True)]
    probable = _mean(probabilities, calibrated)
    return Judged(
        noise=noise,
        suspicion=_mean(suspicions, counted),
        probabilities=np.where(np.isnan(probable), _mean(probabilities, counted), probable),
        of_planted=np.concatenate([found[own] for found, own in zip(probabilities, planted, strict=True)]),
        weights=flips.weights,
        right_again=flips.right_again,
    )


def noise_rate(noise: Noise) -> float:
    """The rate that probabilities are computed with: (errors + 1/2) / (examples + 1) where no counted label is wrong.

    An error that no counted example shows is still possible. (The mean of Jeffreys' posterior.)
    """
    return max(noise.rate, 0.5 / ((noise.examples_by_flips or noise.surely) + 1))


def _flips(scores: Scores, suspicions: list[Doubles], noise: Noise) -> PlantedFlips:
    """The labels of all arms with planted flips together, as far as they have a suspicion."""
    used = [(arm, found) for arm, found in zip(scores.arms, suspicions, strict=True) if arm.planted.any()]
    kept = [(arm, found, np.isfinite(found)) for arm, found in used]
    planted = [arm.planted & known for arm, _, known in kept]
    before = np.concatenate([scores.labels[own] for own in planted] or [np.zeros(0, np.int64)])
    after = np.concatenate([arm.labels[own] for (arm, _, _), own in zip(kept, planted, strict=True)] or [before])
    weights = pair_weights(noise, before, after)
    return PlantedFlips(
        suspicion=np.concatenate([found[known] for _, found, known in kept] or [np.zeros(0)]),
        planted=np.concatenate([arm.planted[known] for arm, _, known in kept] or [np.zeros(0, bool)]),
        weights=weights,
        right_again=right_again(noise, before, after, weights),
        arms=len(kept),
    )


def _ratio(flips: PlantedFlips) -> LikelihoodRatio:
    if not flips.planted.any() or flips.planted.all():
        return LikelihoodRatio(np.array([-np.inf]), np.array([np.nan]))
    of_label = np.ones(len(flips.planted))
    of_label[flips.planted] = flips.weights
    return likelihood_ratio(flips.suspicion, flips.planted, of_label)


def _mean(values: list[Doubles], counted: list[npt.NDArray[np.bool_]]) -> Doubles:
    """The mean (example,) over the arms in which an example counts; NaN where it counts in none."""
    total = sum(np.where(own, found, 0.0) for found, own in zip(values, counted, strict=True))
    with np.errstate(invalid="ignore"):
        return np.asarray(total) / np.sum(counted, axis=0)


def proposals(scores: Scores) -> Ints:
    """The most probable class (example,) of each example that is not its label."""
    found = np.nan_to_num(scores.probabilities, nan=0.0).copy()
    found[np.arange(len(found)), scores.labels] = -1
    return found.argmax(axis=1).astype(np.int64)
