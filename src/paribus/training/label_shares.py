"""How a network does on training examples with correct and with wrong labels, apart."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Split


def label_shares(train: Split, predicted: npt.NDArray[np.int64]) -> dict[str, float]:
    """Shares of the training examples, from the classes `predicted` (example,) for them.

    `train_accuracy_clean`: of those with correct labels, the ones whose label is predicted. `train_accuracy_wrong`: of
    those with wrong labels, the ones whose wrong label is predicted. `train_accuracy_true`: of the same, the ones whose
    true class is predicted. NaN where there are no such examples.
    """
    if train.labels is None or train.true_labels is None:
        raise ValueError("these examples have no labels")
    wrong = train.labels != train.true_labels
    as_given, as_true = predicted == train.labels, predicted == train.true_labels
    return {
        "train_accuracy_clean": _share(as_given[~wrong]),
        "train_accuracy_wrong": _share(as_given[wrong]),
        "train_accuracy_true": _share(as_true[wrong]),
    }


def _share(predicted: npt.NDArray[np.bool_]) -> float:
    return float(predicted.mean()) if len(predicted) else math.nan
