"""How suspicious each label is over all arms, and how probably it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.auditing.calibration import LikelihoodRatio, likelihood_ratio
from paribus.auditing.noise import Noise, pair_weights, transitions
from paribus.auditing.scores import Scores, suspicion_of, true_probabilities

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Judged:
    """The suspicion and the probability of being wrong of each label (example,), and what planted flips got: their
    probabilities and weights (flip,)."""

    suspicion: Doubles
    probabilities: Doubles
    of_planted: Doubles
    weights: Doubles


def judge(scores: Scores, noise: Noise) -> Judged:
    """Calibrate the arms' suspicions by their planted flips, and average over the arms.

    A label counts in every arm that trained on it as it is given: not in the arm that has flipped it.
    """
    matrix = transitions(noise)
    true = true_probabilities(scores.probabilities, matrix)
    suspicions = [suspicion_of(arm.labels, arm.margins, true, matrix) for arm in scores.arms]
    ratio, weights = _ratio(scores, suspicions, noise)
    probabilities = [np.minimum(1.0, noise_rate(noise) * ratio(found)) for found in suspicions]
    known = [np.isfinite(found) for found in suspicions]
    counted = [own & ~arm.planted for own, arm in zip(known, scores.arms, strict=True)]
    flips = [own & arm.planted for own, arm in zip(known, scores.arms, strict=True)]
    return Judged(
        suspicion=_mean(suspicions, counted),
        probabilities=_mean(probabilities, counted),
        of_planted=np.concatenate([found[flip] for found, flip in zip(probabilities, flips, strict=True)]),
        weights=weights,
    )


def noise_rate(noise: Noise) -> float:
    """The rate that probabilities are computed with: (errors + 1/2) / (examples + 1) where no sure label is wrong.

    An error that no sure example shows is still possible. (The mean of Jeffreys' posterior.)
    """
    return max(noise.rate, 0.5 / (noise.surely + 1))


def _ratio(scores: Scores, suspicions: list[Doubles], noise: Noise) -> tuple[LikelihoodRatio, Doubles]:
    """The likelihood ratio from all arms with planted flips together, and the weights of these flips."""
    used = [(arm, found) for arm, found in zip(scores.arms, suspicions, strict=True) if arm.planted.any()]
    kept = [(arm, found, np.isfinite(found)) for arm, found in used]
    planted = np.concatenate([arm.planted[known] for arm, _, known in kept] or [np.zeros(0, bool)])
    if not planted.any() or planted.all():
        return LikelihoodRatio(np.array([-np.inf]), np.array([np.nan])), np.zeros(0)
    flips = [arm.planted & known for arm, _, known in kept]
    true = np.concatenate([scores.labels[flip] for flip in flips])
    given = np.concatenate([arm.labels[flip] for (arm, _, _), flip in zip(kept, flips, strict=True)])
    weights = pair_weights(noise, true, given)
    of_example = np.ones(len(planted))
    of_example[planted] = weights
    suspicion = np.concatenate([found[known] for _, found, known in kept])
    return likelihood_ratio(suspicion, planted, of_example), weights


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
