"""What a classifier's outputs come to at a selected snapshot: figures of scikit-learn, and the calibration error.

They need the probabilities of a whole split, so they are computed at selected snapshots and not after each epoch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels
from paribus.spec.losses import BinaryCrossEntropy, LossBase
from paribus.spec.metrics import CALIBRATION_BINS
from paribus.training.engine import Doubles, Floats, Integers


def probabilities(outputs: Floats, loss: LossBase) -> Doubles:
    """The probability (example, class) of each class: the softmax of the outputs (example, output), or for a single
    output z the probabilities 1 - s and s with s = 1 / (1 + exp(-z))."""
    exact = outputs.astype(np.float64)
    if isinstance(loss, BinaryCrossEntropy):
        exact = np.concatenate([np.zeros_like(exact), exact], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # a network's outputs may be infinite
        shares = np.exp(exact - exact.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> Integers:
    """How many examples of each class (row) are put into each class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def classification_scores(shares: Doubles, labels: Labels, predicted: Labels) -> dict[str, float]:
    """Figures of probabilities `shares` (example, class) and classes `predicted` (example,) against `labels`.

    `balanced_accuracy` is the mean recall over the classes that the examples have. `macro_f1` is the mean F1 over the
    classes that are there or predicted. `auroc` is the area under the ROC curve of class 1 of two, or the mean over
    classes of that of each against the rest; it is undefined (NaN) unless every class is there. `log_loss` is the mean
    of -log(probability of the label), probabilities limited to at least 2.2e-16. For `ece` see `calibration_error`.
    All of them are NaN where an output is not finite.
    """
    names = ("balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece")
    if not np.isfinite(shares).all():
        return dict.fromkeys(names, np.nan)
    from sklearn import metrics

    classes = shares.shape[1]
    # each cell of the confusion matrix as one weighted example: the same figures, without passing over all examples
    counts = confusion_matrix(labels, predicted, classes)
    true, guessed = np.nonzero(counts)
    weighted: dict[str, Any] = {"sample_weight": counts[true, guessed], "zero_division": 0}
    recalls = np.diag(counts)[counts.sum(axis=1) > 0] / counts.sum(axis=1)[counts.sum(axis=1) > 0]
    values = (
        recalls.mean(),
        metrics.f1_score(true, guessed, average="macro", **weighted),
        _auroc(shares, labels),
        metrics.log_loss(labels, shares, labels=np.arange(classes)) if classes > 1 else 0.0,
        calibration_error(shares, labels, predicted),
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _auroc(shares: Doubles, labels: Labels) -> float:
    from sklearn.metrics import roc_auc_score

    classes = shares.shape[1]
    if classes < 2 or len(np.unique(labels)) < classes:
        return np.nan
    if classes == 2:
        return float(roc_auc_score(labels, shares[:, 1]))
    return float(roc_auc_score(labels, shares, multi_class="ovr", average="macro"))


def calibration_error(shares: Doubles, labels: Labels, predicted: Labels) -> float:
    """The expected calibration error with `CALIBRATION_BINS` bins of equal width.

    The confidence c of an example is the probability of its predicted class, and bin b has those with
    (b - 1) / 15 < c <= b / 15, b from 1 to 15:

        ECE = sum over bins of (examples of the bin / all examples) |share of them that are right - mean confidence|

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).
    """
    confidence: npt.NDArray[np.float64] = shares[np.arange(len(shares)), predicted]
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64), 1, CALIBRATION_BINS)
    excess = (predicted == labels) - confidence
    # in each bin, the number of examples times |right - confidence| is |sum of (right - confidence)|
    return float(np.abs(np.bincount(bins, weights=excess, minlength=CALIBRATION_BINS + 1)).sum() / len(labels))
