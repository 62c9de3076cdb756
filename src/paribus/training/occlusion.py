"""How a prediction for an image changes when a patch of it is hidden (`spec.occlusion` says which patches)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Features, Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.occlusion import Occlusion
from paribus.training.classification import probabilities
from paribus.training.inference import ROWS, Inference, predicted_classes
from paribus.training.measurements import Measurements
from paribus.training.regression import predictions

Indices = npt.NDArray[np.int64]


def measure_occlusion(network: Inference, spec: RunSpec, rule: str, splits: Splits, into: Measurements) -> None:
    """Add the map of each chosen image: of the validation split, or of the training split where there is no other.

    `y` (row,) and `x` (column,) are where the square begins. `change` (example, row, column) is what the network gives
    for the whole image minus what it gives with the square hidden: of a classifier the probability of the class that it
    predicts for the whole image, of a regression the first number in its own unit. `given` (example,) is that of the
    whole image. With them are kept `rows` of the source, the `values` (example, feature) as the source has them with
    their `divisor` (1,), and of a classifier the `labels` and the `predicted` classes (example,).
    """
    own = spec.recipe.occlusion
    split = splits.train if splits.validation is None else splits.validation
    shown = split.take(chosen_examples(split, own.examples))
    height, width = splits.dataset.shape[-2:]
    y, x = own.positions(height), own.positions(width)
    hidden, images = _mean_image(splits.train), shown.inputs
    whole = network.outputs_for(images)
    classes = predicted_classes(whole, spec.recipe.loss) if spec.recipe.has_classes else None

    def told(outputs: Features, predicted: Indices | None) -> npt.NDArray[np.float64]:
        """What is followed of the outputs (position, output) for one image."""
        if predicted is None:
            return predictions(outputs, splits.target_scaling)[:, 0].astype(np.float64)
        return probabilities(outputs, spec.recipe.loss)[np.arange(len(outputs)), predicted]

    given = told(whole, classes)
    change = np.empty((len(images), len(y), len(x)))
    for i, image in enumerate(images):
        covered = _covered(image, hidden, splits.dataset.shape, own, y, x)
        outputs = np.concatenate([network.outputs_for(covered[at : at + ROWS]) for at in range(0, len(covered), ROWS)])
        predicted = None if classes is None else np.full(len(outputs), classes[i])
        change[i] = (given[i] - told(outputs, predicted)).reshape(len(y), len(x))
    more = {} if classes is None or shown.labels is None else {"labels": shown.labels, "predicted": classes}
    into.arrays(
        rule,
        own.name,
        y=np.array(y, np.int32),
        x=np.array(x, np.int32),
        change=change.astype(np.float32),
        given=given.astype(np.float32),
        rows=shown.source_rows.astype(np.int32),
        values=shown.pool.values[shown.rows],
        divisor=np.array([shown.pool.divisor], np.float32),
        **{name: array.astype(np.int32) for name, array in more.items()},
    )


def chosen_examples(split: Split, count: int) -> Indices:
    """Positions in a split: the first example of each class, then the second of each, and so on; without classes the
    first examples."""
    if split.labels is None:
        return np.arange(min(count, len(split)), dtype=np.int64)
    turn = np.empty(len(split), np.int64)
    for label in np.unique(split.labels):
        own = np.flatnonzero(split.labels == label)
        turn[own] = np.arange(len(own))
    return np.lexsort((split.labels, turn))[:count].astype(np.int64)


def _covered(
    image: Features, hidden: Features, shape: tuple[int, ...], own: Occlusion, y: tuple[int, ...], x: tuple[int, ...]
) -> Features:
    """The image (feature,) once for each position, row by row, with the square there as in the image `hidden`."""
    size, count = shape if len(shape) == 3 else (1, *shape), len(y) * len(x)
    covered = np.repeat(image[None], count, axis=0).reshape(count, *size)
    under = hidden.reshape(size)
    for place, (top, left) in enumerate((top, left) for top in y for left in x):
        part = np.s_[:, top : top + own.patch, left : left + own.patch]
        covered[place][part] = under[part]
    return covered.reshape(count, -1)


def _mean_image(train: Split) -> Features:
    """The mean of each feature (feature,) over the training examples."""
    total = np.zeros(train.pool.values.shape[1])
    for at in range(0, len(train), ROWS):
        total += train.take(slice(at, at + ROWS)).inputs.sum(axis=0, dtype=np.float64)
    return (total / len(train)).astype(np.float32)
