"""Recall, precision and F1 of each class, with the spread over replicates and the sampling error told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.analysis.confusion import Confusion
from paribus.analysis.estimates import Estimate, Interval, estimate
from paribus.analysis.outputs import Ints
from paribus.analysis.proportions import f1_interval, wilson

Score = Literal["recall", "precision", "F1"]


@dataclass(frozen=True)
class ClassScore:
    """One score of one class of an arm.

    Two errors, of two populations. `estimate` has the spread over replicates: other networks on the same examples.
    `sampling` is Wilson's interval at the mean score: the same networks on other examples of the same kind, as many of
    them as the score is counted over (`examples`, the mean over replicates): those of the class for recall, those
    predicted to be of it for precision, those of either for F1. None where there is no such example.
    """

    arm: str
    name: str
    score: Score
    estimate: Estimate
    sampling: Interval | None
    examples: float


@dataclass(frozen=True, eq=False)
class _Counts:
    """Right, missed and falsely predicted examples of one class, each (replicate,)."""

    right: Ints
    missed: Ints
    false: Ints


def class_scores(matrix: Confusion) -> tuple[ClassScore, ...]:
    """Three scores for every class, in the order of the classes."""
    return tuple(score for place in range(len(matrix.classes)) for score in _of_class(matrix, place))


def _of_class(matrix: Confusion, place: int) -> Iterator[ClassScore]:
    right = matrix.counts[:, place, place]
    counts = _Counts(right, matrix.counts[:, place].sum(axis=1) - right, matrix.counts[:, :, place].sum(axis=1) - right)
    arm, name = matrix.arm, matrix.classes[place]
    of_class, of_prediction = counts.right + counts.missed, counts.right + counts.false
    below_by_score: dict[Score, Ints] = {"recall": of_class, "precision": of_prediction}
    for score, below in below_by_score.items():
        got = _shares(counts.right, below)
        examples = float(np.mean(below))
        sampling = None if got.mean is None else wilson(got.mean, examples)
        yield ClassScore(arm, name, score, got, sampling, examples)
    union = counts.right + counts.missed + counts.false
    got = _shares(2 * counts.right, counts.right + union)
    examples = float(np.mean(union))
    sampling = None if got.mean is None else f1_interval(got.mean, examples)
    yield ClassScore(arm, name, "F1", got, sampling, examples)


def _shares(above: Ints, below: Ints) -> Estimate:
    """One share a replicate; None where nothing is counted."""
    return estimate(float(a / b) if b else None for a, b in zip(above, below, strict=True))
