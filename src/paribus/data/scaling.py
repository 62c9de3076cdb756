"""How features and targets are scaled, with figures of the training examples only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paribus.data.pool import Features, Scaling, Split
from paribus.spec.data import Scale, TargetScale

_BLOCK_ROWS = 1024


def fitted(scale: Scale, train: Split) -> Scaling:
    """The scaling of `train`.

    The centre is the mean of each feature. The factor is 1 over its standard deviation, the square root of the mean
    squared difference from that mean (divided by the number of examples, not by one less); 1 for a feature that is the
    same in all examples. Both are computed in float64 and rounded to float32 at the end.
    """
    if scale in ("none", "unit"):
        return Scaling(None, None)
    first = train.take(slice(1)).inputs
    total, constant = np.zeros(first.shape[1]), np.ones(first.shape[1], bool)
    for block in _blocks(train):
        total += block.sum(axis=0, dtype=np.float64)
        constant &= (block == first).all(axis=0)
    mean = total / len(train)
    centre = np.asarray(mean, np.float32)
    if scale == "centre":
        return Scaling(centre, None)
    squares, buffer = np.zeros(first.shape[1]), np.empty((_BLOCK_ROWS, first.shape[1]))
    for block in _blocks(train):
        differences = np.subtract(block, mean, out=buffer[: len(block)])
        squares += np.square(differences, out=differences).sum(axis=0)
    # A constant feature's mean may be rounded, so its deviation is tested for here and not against 0. A deviation too
    # small for a float32 has no factor in float32 either.
    deviation = np.sqrt(squares / len(train))
    deviation[constant | (deviation < np.finfo(np.float32).tiny)] = 1
    return Scaling(centre, np.asarray(1 / deviation, np.float32))


def fitted_targets(scale: TargetScale, train: Split) -> Scaling:
    """The scaling of the numbers of `train`: centre and factor (output,) as of features; none without numbers.

    Targets that are all equal have a factor of 1.
    """
    numbers = train.numbers
    if scale == "none" or numbers is None:
        return Scaling(None, None)
    mean = numbers.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(numbers - mean).mean(axis=0))
    deviation[(numbers == numbers[0]).all(axis=0) | (deviation < np.finfo(np.float32).tiny)] = 1
    return Scaling(mean.astype(np.float32), (1 / deviation).astype(np.float32))


def _blocks(split: Split) -> Iterator[Features]:
    """The inputs in blocks of rows: a pool of bytes never lies in memory as floats."""
    for start in range(0, len(split), _BLOCK_ROWS):
        yield split.take(slice(start, start + _BLOCK_ROWS)).inputs
