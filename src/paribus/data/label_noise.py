"""Wrong labels for training, made on purpose: `spec.label_noise` says how, and a run's stream gives the random numbers.

No label depends on a function of the C library or on the order of a sum, so labels are the same on every processor.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels, Split
from paribus.seeding import Draws, Stream
from paribus.seeding import draws as stream_draws
from paribus.spec.label_noise import InstanceNoise, LabelNoiseBase, MatrixNoise, PairNoise, SymmetricNoise

Doubles = npt.NDArray[np.float64]
_SHARE_SD: Final = 0.1
"""The standard deviation of the probabilities with which the labels of single examples are wrong."""
_GRID: Final = 2.0**12
"""Features and random weights are rounded to multiples of 1 over this. Their products, and sums of up to 2**26 of them,
are then exact in float64, in whatever order they are added."""
_BLOCK_VALUES: Final = 2**22
_NOT_TRAINED_ON, _WEIGHTS = 1, 2
"""Counters of draws besides those for training labels: for other examples, and for the weights of instance noise."""


def noisy_labels(split: Split, noise: LabelNoiseBase, *, classes: int, stream: Stream, train: Split) -> Labels:
    """The labels (example,) of a split with true labels, after `noise`: those of `train` itself, or of examples that
    are not trained on, whose wrong labels are drawn in the same way.

    From one stream, symmetric and pair noise of a larger share replace the same labels in the same way, and further
    ones: arms that differ in the share alone stay comparable.
    """
    labels = split.true_labels
    if labels is None:
        raise ValueError("label noise needs labels")
    draws = stream_draws(stream, "label_noise", *(() if split is train else (_NOT_TRAINED_ON,)))
    match noise:
        case SymmetricNoise():
            order, drawn = draws.permutation(len(labels)), draws.integers(classes, len(labels))
            return _replaced(labels, order[: round(noise.share * len(labels))], drawn)
        case PairNoise():
            order = draws.permutation(len(labels))
            return _replaced(labels, order[: round(noise.share * len(labels))], (labels + 1) % classes)
        case MatrixNoise():
            return _by_matrix(labels, np.array(noise.transitions(classes)), draws.uniform(len(labels)))
        case InstanceNoise():
            weights = stream_draws(stream, "label_noise", _WEIGHTS)
            return _by_instance(split, labels, noise.share, classes, draws, weights, _ranges(train))
    raise ValueError(f"no label noise {noise.kind}")


def _replaced(labels: Labels, chosen: npt.NDArray[np.int64], by: Labels) -> Labels:
    noisy = labels.copy()
    noisy[chosen] = by[chosen]
    return noisy


def _by_matrix(labels: Labels, matrix: Doubles, drawn: Doubles) -> Labels:
    """The first class whose cumulative probability is above the number `drawn` for an example."""
    above = np.cumsum(matrix, axis=1)[:, :-1]  # the last class has what is left
    noisy = np.empty_like(labels)
    for label, edges in enumerate(above):
        own = labels == label
        noisy[own] = np.searchsorted(edges, drawn[own], side="right")
    return noisy


def _by_instance(
    split: Split,
    labels: Labels,
    share: float,
    classes: int,
    draws: Draws,
    weights_from: Draws,
    ranges: tuple[Doubles, Doubles],
) -> Labels:
    """`InstanceNoise`: which labels are wrong is drawn first, then what each becomes, by weights for its true class.

    A class j is drawn from a softmax of scores s as the one with the largest s[j] + g[j], with independent standard
    Gumbel numbers g: no exponential is needed.
    """
    wrong = draws.uniform(len(labels)) < _within_0_and_1(share, len(labels), draws)
    low, width = ranges
    noisy = labels.copy()
    for label in range(classes):
        weights = _on_grid(weights_from.normal(len(low), classes))
        chosen = np.flatnonzero(wrong & (labels == label))
        for part in _blocks(chosen, len(low)):
            values = (split.take(part).inputs - low) * width
            scores = _on_grid(np.nan_to_num(values)) @ weights
            scores[:, label] = -np.inf
            noisy[part] = np.argmax(scores + draws.gumbel(*scores.shape), axis=1)
    return noisy


def _within_0_and_1(share: float, count: int, draws: Draws) -> Doubles:
    """Normal numbers around `share`, drawn again until all are within 0 and 1."""
    found = np.full(count, -1.0)
    while len(outside := np.flatnonzero((found < 0) | (found > 1))):
        found[outside] = share + _SHARE_SD * draws.normal(len(outside))
    return found


def _ranges(split: Split) -> tuple[Doubles, Doubles]:
    """The least value (feature,) of each feature, and 1 over the width of its range; 0 for features that are equal."""
    features = split.pool.values.shape[1]
    low, high = np.full(features, np.inf), np.full(features, -np.inf)
    for part in _blocks(np.arange(len(split)), features):
        values = split.take(part).inputs
        low, high = np.fmin(low, values.min(axis=0)), np.fmax(high, values.max(axis=0))
    width = high - low
    return low, np.divide(1.0, width, out=np.zeros(features), where=(width > 0) & np.isfinite(width))


def _blocks(places: npt.NDArray[np.int64], features: int) -> list[npt.NDArray[np.int64]]:
    """`places` (example,), some at a time."""
    size = max(1, _BLOCK_VALUES // features)
    return [places[start : start + size] for start in range(0, len(places), size)]


def _on_grid(values: Doubles) -> Doubles:
    return np.rint(values * _GRID) / _GRID
