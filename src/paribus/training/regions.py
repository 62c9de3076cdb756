"""What a classifier of two features makes of the plane around its training examples."""

from __future__ import annotations

from typing import Final

import numpy as np

from paribus.data.pool import Features, Splits
from paribus.spec.losses import LossBase
from paribus.training.engine import Floats
from paribus.training.hard_examples import log_losses
from paribus.training.inference import ROWS, Inference, predicted_classes
from paribus.training.measurements import Measurements

SIDE: Final = 120
"""Grid points along each feature."""
MARGIN: Final = 0.1
"""How far the grid goes beyond the training examples, as a share of their range."""
POINTS: Final = 400
"""Examples that are kept to be drawn on the plane."""


def record_regions(rule: str, network: Inference, splits: Splits, loss: LossBase, into: Measurements) -> None:
    """Add `regions`: the class and its probability on a grid of `SIDE` x `SIDE` points, and examples to be drawn on it.

    `x` and `y` (point,) are the values of the first and the second feature, `predicted` and `confidence` are (y, x).
    `points/<split>` of the run has `rows`, `labels` and `values` of validation examples, or of training examples where
    there is no validation split; `predicted/<split>` has their class by this snapshot. Nothing is added for any other
    number of features, nor where outputs are not classes.
    """
    if splits.dataset.features != 2 or splits.train.labels is None:
        return
    x, y = (_axis(values) for values in splits.train.inputs.T)
    across, up = np.meshgrid(x, y)
    grid = np.stack([across.ravel(), up.ravel()], axis=1)
    outputs = np.concatenate([network.outputs_for(grid[at : at + ROWS]) for at in range(0, len(grid), ROWS)])
    predicted = predicted_classes(outputs, loss)
    into.arrays(
        rule,
        "regions",
        x=x,
        y=y,
        predicted=predicted.reshape(SIDE, SIDE).astype(np.int16),
        confidence=_confidence(outputs, predicted).reshape(SIDE, SIDE),
    )
    name, split = ("validation", splits.validation) if splits.validation is not None else ("train", splits.train)
    count = min(POINTS, len(split))
    shown = split.take(np.arange(count) * len(split) // count)
    if shown.labels is not None:
        into.arrays(
            "", f"points/{name}", rows=shown.source_rows.astype(np.int32), labels=shown.labels.astype(np.int32),
            values=shown.inputs,
        )  # fmt: skip
        given = predicted_classes(network.outputs(shown), loss)
        into.arrays(rule, f"predicted/{name}", predicted=given.astype(np.int32))


def _axis(values: Features) -> Features:
    """`SIDE` even steps over the range of a feature (example,) and a margin; a constant feature gets a range of 1."""
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, SIDE, dtype=np.float32)


def _confidence(outputs: Floats, predicted: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """The probability of the predicted class (example,)."""
    return np.exp(-log_losses(outputs, predicted)).astype(np.float32)
