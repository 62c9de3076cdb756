"""Metrics of a classifier's outputs at a selected snapshot.

They need the probabilities of a whole split, so they are computed at selected snapshots and not after each epoch. They
are scikit-learn's (the tests compare them), computed here because importing scikit-learn takes longer than training a
small study, and its area under the ROC curve longer than all else that is measured of a run.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels
from paribus.spec.losses import BinaryCrossEntropy, LossBase
from paribus.spec.metrics import CALIBRATION_BINS
from paribus.training.engine import Doubles, Floats, Integers

CLASSIFICATION_SCORES: Final = ("balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece")
"""The metrics that `classification_scores` gives, in its order."""


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
    if not np.isfinite(shares).all():
        return dict.fromkeys(CLASSIFICATION_SCORES, np.nan)
    counts = confusion_matrix(labels, predicted, shares.shape[1])
    correct, true, guessed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    there, met = true > 0, true + guessed > 0
    values = (
        np.mean(correct[there] / true[there]),
        np.mean(2 * correct[met] / (true[met] + guessed[met])),
        _auroc(shares, labels),
        abs(np.mean(np.log(np.maximum(shares[np.arange(len(labels)), labels], np.finfo(np.float64).eps)))),
        calibration_error(shares, labels, predicted),
    )
    return {name: float(value) for name, value in zip(CLASSIFICATION_SCORES, values, strict=True)}


def _auroc(shares: Doubles, labels: Labels) -> float:
    classes = shares.shape[1]
    if classes < 2 or len(np.unique(labels)) < classes:
        return np.nan
    if classes == 2:
        return _area(shares[:, 1], labels == 1)
    return float(np.mean([_area(shares[:, one], labels == one) for one in range(classes)]))


def _area(scores: Doubles, positive: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve: the share of pairs of a positive and a negative example in which the positive one
    has the higher score, a tie counting half (Mann and Whitney 1947)."""
    ours, others = np.sort(scores[positive]), np.sort(scores[~positive])
    below, not_above = (np.searchsorted(others, ours, side).sum() for side in ("left", "right"))
    return float((below + not_above) / (2 * len(ours) * len(others)))


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
