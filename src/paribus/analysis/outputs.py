"""Recorded outputs per example beside their targets, read once: what every figure about single examples is made of.

A run records, for each selected snapshot and each split that was read, `outputs/<split>`: logits in half precision
(classification), or predictions in original units (regression); and `targets/<split>`, the rows of the examples with
their labels or numbers. Replicates may hold out different examples, so examples are known by their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.inspection import SplitName

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HELD_OUT: Final[tuple[SplitName, ...]] = ("test", "validation")
"""The splits that figures are about, the first choice first: training examples would show memory, not skill."""


@dataclass(frozen=True, eq=False)
class ClassOutputs:
    """What one run's network gives for the examples of a split of a classification task.

    `rows`, `labels` and `predicted` are (example,), `probabilities` is (example, class) and each row of it sums to 1,
    `loss` (example,) is the log loss -ln p(label) in nats. `labels` are those that training would see.
    """

    replicate: int
    rows: Ints
    labels: Ints
    predicted: Ints
    probabilities: Doubles
    loss: Doubles

    @property
    def wrong(self) -> Bools:
        """Whether each example is put into another class than its label, (example,)."""
        return self.predicted != self.labels

    @property
    def confidence(self) -> Doubles:
        """The probability that the network gives to the class it predicts, (example,)."""
        return self.probabilities[np.arange(len(self.rows)), self.predicted]


@dataclass(frozen=True, eq=False)
class NumberOutputs:
    """What one run's network predicts for the examples of a split of a regression task, in original units.

    `rows` is (example,); `predicted` and `true` are (example, target).
    """

    replicate: int
    rows: Ints
    predicted: Doubles
    true: Doubles


@dataclass(frozen=True, eq=False)
class Classified:
    """An arm's outputs on one split at one rule, over the replicates that have them (at least one)."""

    arm: str
    rule: str
    split: SplitName
    classes: tuple[str, ...]
    replicates: tuple[ClassOutputs, ...]


@dataclass(frozen=True, eq=False)
class Predicted:
    """An arm's predictions on one split at one rule, over the replicates that have them (at least one)."""

    arm: str
    rule: str
    split: SplitName
    targets: tuple[str, ...]
    replicates: tuple[NumberOutputs, ...]


def held_out_split(results: Results) -> SplitName | None:
    """The split that the figures of a study are about: the test split where some arm's outputs on it are recorded at
    its deploy rule, else the validation split, else None."""
    for split in HELD_OUT:
        for arm in results.arms:
            if any((results.deploy(arm), f"outputs/{split}") in run.artifacts for run in results.finished(arm)):
                return split
    return None


def classified(results: Results, arm: str, split: SplitName) -> Classified | None:
    """An arm's outputs at its deploy rule; None where it is not a classifier, or no finished run has any."""
    dataset, rule = results.dataset(arm), results.deploy(arm)
    if dataset is None or not results.recipe(arm).has_classes:
        return None
    found = [class_outputs(run, rule, split) for run in results.finished(arm)]
    kept = tuple(one for one in found if one is not None and len(one.rows))
    return Classified(arm, rule, split, dataset.classes, kept) if kept else None


def predicted(results: Results, arm: str, split: SplitName) -> Predicted | None:
    """An arm's predictions at its deploy rule; None where its task is not a regression, or no finished run has any."""
    dataset, rule = results.dataset(arm), results.deploy(arm)
    if dataset is None or results.recipe(arm).task != "regression":
        return None
    found = [number_outputs(run, rule, split) for run in results.finished(arm)]
    kept = tuple(one for one in found if one is not None and len(one.rows))
    if not kept:
        return None
    width = kept[0].true.shape[1]
    names = dataset.targets if len(dataset.targets) == width else tuple(f"target {i + 1}" for i in range(width))
    return Predicted(arm, rule, split, names, kept)


def class_outputs(run: Run, rule: str, split: SplitName) -> ClassOutputs | None:
    """One run's outputs on a split at a rule, None where they or the labels are missing, or not finite."""
    found = _pair(run, rule, split)
    if found is None or "outputs" not in found[0] or "labels" not in found[1]:
        return None
    outputs, targets = found
    if not np.isfinite(outputs["outputs"]).all():
        return None
    labels = np.asarray(targets["labels"], np.int64)
    logs = log_probabilities(np.asarray(outputs["outputs"]))
    return ClassOutputs(
        replicate=run.replicate,
        rows=np.asarray(targets["rows"], np.int64),
        labels=labels,
        predicted=classes_of(np.asarray(outputs["outputs"])),
        probabilities=np.exp(logs),
        loss=-logs[np.arange(len(labels)), labels],
    )


def number_outputs(run: Run, rule: str, split: SplitName) -> NumberOutputs | None:
    """One run's predictions on a split at a rule, None where they or the true numbers were not recorded."""
    found = _pair(run, rule, split)
    if found is None or "outputs" not in found[0] or "numbers" not in found[1]:
        return None
    outputs, targets = found
    true = np.asarray(targets["numbers"], np.float64)
    return NumberOutputs(
        replicate=run.replicate,
        rows=np.asarray(targets["rows"], np.int64),
        predicted=np.asarray(outputs["outputs"], np.float64).reshape(len(true), -1),
        true=true.reshape(len(true), -1),
    )


def classes_of(logits: npt.NDArray[Any]) -> Ints:
    """The class (example,) of logits (example, output): the largest one, of equal ones the first; of a single logit,
    class 1 where it is above 0."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).astype(np.int64)
    return logits.argmax(axis=1).astype(np.int64)


def log_probabilities(logits: npt.NDArray[Any]) -> Doubles:
    """The logarithm of the softmax of logits (example, class); of a single logit z, that of 1 - s and s = sigmoid(z).

    In float64, and without overflow: the sigmoid of z is the softmax of (0, z), and the largest logit is subtracted
    before the exponential.
    """
    wide = np.asarray(logits, np.float64)
    if wide.shape[1] == 1:
        wide = np.concatenate([np.zeros_like(wide), wide], axis=1)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _pair(run: Run, rule: str, split: SplitName) -> tuple[Any, Any] | None:
    """The arrays of outputs and of targets, where both were recorded and have as many examples."""
    outputs, targets = run.artifact(rule, f"outputs/{split}"), run.artifact("", f"targets/{split}")
    if outputs is None or targets is None:
        return None
    sizes = {len(array) for array in (*outputs.values(), *targets.values())}
    return (outputs, targets) if len(sizes) == 1 else None
