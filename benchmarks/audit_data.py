"""The data of the label audits' benchmark, and the errors that are made in them.

The rules of `paribus.auditing` were chosen on Fashion-MNIST's test images with errors of other seeds. Here are 10,000
of its training images, so that nothing is measured on what a rule was chosen on. Of the digits there are no others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
EXAMPLES: Final = 10_000
_ERRORS_SEED: Final = 2026


def fashion() -> tuple[Array, Array]:
    from paribus.data.fashion_mnist import pool

    found = pool("train")
    rows = np.sort(np.random.default_rng(1126).permutation(len(found))[:EXAMPLES])
    return np.asarray(found.values[rows]).reshape(-1, 28, 28), np.asarray(found.labels)[rows]


def digits() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return found.data / 16, found.target.astype(np.int64)


def separate() -> tuple[Array, Array]:
    """Five classes of normal vectors that hardly overlap: embeddings without any error."""
    random = np.random.default_rng(11)
    labels = random.integers(0, 5, 4_000)
    return (random.normal(size=(4_000, 32)) + 4.8 * np.eye(5, 32)[labels]).astype(np.float32), labels


def overlapping() -> tuple[Array, Array]:
    """Three classes that overlap: many examples are ambiguous, and none is wrong, as each is drawn from its class."""
    random = np.random.default_rng(12)
    labels = random.integers(0, 3, 4_000)
    return (random.normal(size=(4_000, 8)) + 2.0 * np.eye(3, 8)[labels]).astype(np.float32), labels


DATA: Final[dict[str, Callable[[], tuple[Array, Array]]]] = {
    "fashion-mnist": fashion,
    "digits": digits,
    "separate": separate,
    "overlapping": overlapping,
}


def with_errors(inputs: Array, labels: Array, kind: str, rate: float) -> Array:
    """`labels` with errors of the share `rate`, on average.

    symmetric: another class, each as often. pair: the next class. instance: another class by a random linear function
    of the example, each example with a rate of its own (Xia et al., "Part-dependent label noise", 2020).
    """
    random, classes = np.random.default_rng(_ERRORS_SEED), int(labels.max()) + 1
    if kind == "none":
        return labels
    if kind == "instance":
        return _instance(inputs.reshape(len(inputs), -1).astype(np.float32), labels, rate, random)
    wrong = random.random(len(labels)) < rate
    step = random.integers(1, classes, len(labels)) if kind == "symmetric" else 1
    return np.where(wrong, (labels + step) % classes, labels)


def _instance(inputs: Array, labels: Array, rate: float, random: np.random.Generator) -> Array:
    classes = int(labels.max()) + 1
    inputs = inputs / max(1.0, float(np.abs(inputs).max()))
    rates = np.clip(random.normal(rate, 0.1, len(labels)), 0, 1)
    weights = random.normal(size=(classes, inputs.shape[1], classes)).astype(np.float32)
    found = labels.copy()
    for i, (example, label) in enumerate(zip(inputs, labels, strict=True)):
        logits = (example @ weights[label]).astype(np.float64)
        logits[label] = -np.inf
        powers = np.exp(logits - logits.max())
        shares = rates[i] * powers / powers.sum()
        shares[label] = 1 - rates[i]
        found[i] = random.choice(classes, p=shares / shares.sum())
    return found
