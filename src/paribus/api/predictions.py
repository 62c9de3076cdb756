"""What a network gives for each example of a split, as named columns: for data frames and for CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]


def class_columns(logits: npt.NDArray[Any], labels: npt.NDArray[Any] | None, classes: Sequence[str]) -> Columns:
    """`label` and `predicted` as names of classes, and `p(CLASS)` (example,) for each class.

    `logits` (example, output) are those of the network: one output for each class, or one for two classes. Of equal
    outputs the first class is predicted.
    """
    names = np.array(classes)
    wide = np.asarray(logits, np.float64)
    if wide.shape[1] == 1:  # the sigmoid of z is the softmax of (0, z)
        wide = np.concatenate([np.zeros_like(wide), wide], axis=1)
    found: Columns = {} if labels is None else {"label": names[labels]}
    found["predicted"] = names[wide.argmax(axis=1)]
    shifted = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return {**found, **{f"p({name})": probabilities[:, i] for i, name in enumerate(classes)}}


def number_columns(predicted: npt.NDArray[Any], true: npt.NDArray[Any] | None, targets: Sequence[str]) -> Columns:
    """The true number and `predicted NAME` for each target, in original units; of one target `predicted` alone."""
    found: Columns = {}
    for i, name in enumerate(targets):
        if true is not None:
            found[name] = true[:, i]
        found["predicted" if len(targets) == 1 else f"predicted {name}"] = predicted[:, i]
    return found


def recorded_columns(
    outputs: Mapping[str, npt.NDArray[Any]],
    targets: Mapping[str, npt.NDArray[Any]],
    classes: Sequence[str],
    numbers: Sequence[str],
) -> Columns:
    """The columns of recorded outputs and targets: `row` (of the source), then those of the task."""
    rows: Columns = {"row": np.asarray(targets["rows"])}
    if "error" in outputs:
        return {**rows, "error": np.asarray(outputs["error"])}
    if classes:
        return {**rows, **class_columns(outputs["outputs"], targets.get("labels"), classes)}
    return {**rows, **number_columns(outputs["outputs"], targets.get("numbers"), numbers)}
