"""What is measured of a run at its selected snapshots, once it has ended or later.

Outputs come from the engine's own forward pass, so that a snapshot is evaluated by the arithmetic that selected it, and
each split passes through a snapshot's network once. What can be derived from recorded numbers (dead units, collapse) is
left to analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from paribus.data.corruption import conditions
from paribus.data.pool import Labels, Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.network import layer_names, parameter_count
from paribus.training.cohort import fresh_state
from paribus.training.engine import Engine, Floats, State
from paribus.training.hard_examples import record_hard_examples
from paribus.training.inference import Inference, half_precision, predicted_classes
from paribus.training.measurements import Measurements, shown_positions
from paribus.training.principal_components import principal_components
from paribus.training.reconstruction import ReconstructionErrors, example_errors, measure_denoising
from paribus.training.regions import record_regions
from paribus.training.units import UnitStatistics

OpenTest = Callable[[str, int], Split]
"""Opens the locked test set for (rule, epoch), having logged it."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Selected weights: the rule, its epoch, and the state."""

    rule: str
    epoch: int
    weights: State


def measure_run(spec: RunSpec, splits: Splits) -> Measurements:
    """What belongs to the run as a whole: parameters, examples, preprocessing, targets, and PCA of images."""
    measured = Measurements()
    widths = spec.recipe.widths(spec.dataset)
    measured.number("", parameters=parameter_count(widths), weights=parameter_count(widths, biases=False))
    shown = splits.train.take(shown_positions(len(splits.train)))
    labels = {} if shown.labels is None else {"labels": shown.labels}
    measured.arrays("", "examples", images=shown.inputs, shape=np.array(splits.dataset.shape), **labels)
    measured.arrays("", "preprocessing", **splits.preprocessing())
    if spec.recipe.snapshots.outputs:
        for name, split in (("train", splits.train), ("validation", splits.validation)):
            if split is not None:
                measured.arrays("", f"targets/{name}", **_targets(split))
    if spec.recipe.task == "reconstruction":
        pca = principal_components(splits.train)
        measured.arrays("", "pca", mean=pca.mean, components=pca.components, variance=pca.variance,
                        mse_by_rank=pca.mse_by_rank)  # fmt: skip
    return measured


def missing_of(spec: RunSpec, rule: str, known: Collection[str]) -> tuple[str, ...]:
    """What the recipe asks for at `rule`, and is not among the `known` names of numbers and arrays.

    Of what is always measured together, one name stands for all: `epoch` for what the training split gives, and
    `test_loss` for what the test split gives.
    """
    recipe, dataset = spec.recipe, spec.dataset
    reads_test = rule in recipe.test.read_at and dataset.test > 0
    wanted = ["epoch", "test_loss"] if reads_test else ["epoch"]
    if recipe.snapshots.outputs:
        splits = {"train": True, "validation": dataset.validation > 0, "test": reads_test}
        wanted += [f"outputs/{name}" for name, is_read in splits.items() if is_read]
    if recipe.task == "reconstruction":
        wanted += [f"denoise_mse:{condition.name}" for condition in conditions(recipe.denoising)]
    return tuple(name for name in wanted if name not in known)


def measure_snapshot(
    spec: RunSpec, splits: Splits, snapshot: Snapshot, engine: Engine, open_test: OpenTest, known: Collection[str] = ()
) -> Measurements:
    """Everything recorded of a selected snapshot that is not `known`, perhaps with known names beside the others.

    The test set is opened once where something of it is missing, and not otherwise.
    """
    missing = missing_of(spec, snapshot.rule, known)
    own = _SnapshotMeasuring(spec, splits, snapshot, engine)
    if "epoch" in missing:
        own.measured.number(snapshot.rule, epoch=snapshot.epoch)
    if "epoch" in missing or "outputs/train" in missing:
        own.measure_training()
    if "outputs/validation" in missing and splits.validation is not None:
        own.keep_outputs("validation", splits.validation)
    if "test_loss" in missing or "outputs/test" in missing:
        own.measure_test(open_test(snapshot.rule, snapshot.epoch))
    own.measure_denoising(missing)
    return own.measured


def evaluate_weights(spec: RunSpec, splits: Splits, weights: State, engine: Engine) -> Measurements:
    """What weights of any origin come to on a run's training and validation splits, at the empty rule.

    Numbers have the names of a run's curves and measurements; `units` are its arrays at a selected snapshot.
    """
    own = _SnapshotMeasuring(spec, splits, Snapshot("", 0, weights), engine)
    widths = spec.recipe.widths(spec.dataset)
    own.measured.number("", parameters=parameter_count(widths), weights=parameter_count(widths, biases=False))
    own.measure_training()
    own.evaluate("train_loss_end", "", splits.train)
    if splits.validation is not None:
        own.evaluate("val_loss", "val_accuracy", splits.validation)
    own.measure_denoising(missing_of(spec, "", ()))
    return own.measured


@final
class _SnapshotMeasuring:
    """Measures one snapshot. Every method adds to `measured`."""

    def __init__(self, spec: RunSpec, splits: Splits, snapshot: Snapshot, engine: Engine) -> None:
        self.measured = Measurements()
        self._spec, self._splits, self._rule, self._weights = spec, splits, snapshot.rule, snapshot.weights
        self._network = Inference(spec, splits, snapshot.weights, engine)

    def measure_training(self) -> None:
        """Hidden units, and predictions or reconstructions, on the training split: one pass through the network."""
        spec, train = self._spec, self._splits.train
        reconstructs = spec.recipe.task == "reconstruction"
        errors = ReconstructionErrors(self._network, spec, train) if reconstructs else None
        names = layer_names(spec.recipe.widths(spec.dataset))[:-1]
        units, parts = UnitStatistics(names), list[Floats]()
        for part, found in self._network.parts(train, activations=True):
            units.add([values[0] for values in found.activations])
            if errors is None:
                parts.append(found.outputs[0])
            else:
                errors.add(part, found.outputs[0])
        if names:
            self.measured.arrays(self._rule, "units", **units.arrays(self._weights, fresh_state(spec).tensors))
        if errors is not None:
            errors.record(self._rule, self.measured)
            self._keep_errors("train", train, errors.by_example())
            return
        outputs = np.concatenate(parts)
        if spec.recipe.loss.has_classes:
            self._measure_training_labels(outputs)
        self._keep_outputs("train", train, outputs)
        record_regions(self._rule, self._network, self._splits, spec.recipe.loss, self.measured)

    def evaluate(self, loss_name: str, accuracy_name: str, split: Split) -> None:
        """Mean loss on a split, and accuracy where there are classes and it has a name."""
        found = self._network.evaluate(split)
        self.measured.number(self._rule, **{loss_name: found.loss[0]})
        if found.correct is not None and accuracy_name:
            self.measured.number(self._rule, **{accuracy_name: found.correct[0] / len(split)})

    def keep_outputs(self, name: str, split: Split) -> None:
        """The outputs, or the error, for each example of a split."""
        if self._spec.recipe.task == "reconstruction":
            self._keep_errors(name, split, example_errors(self._network, split))
        else:
            self._keep_outputs(name, split, self._network.outputs(split))

    def measure_test(self, test: Split) -> None:
        """Loss, accuracy and confusion matrix on the test split."""
        if not self._spec.recipe.loss.has_classes or test.labels is None:
            self.evaluate("test_loss", "", test)
            if self._spec.recipe.snapshots.outputs:
                self.keep_outputs("test", test)
            return
        outputs, classes = self._network.outputs(test), len(self._spec.dataset.classes)
        predicted = predicted_classes(outputs, self._spec.recipe.loss)
        self.measured.number(
            self._rule,
            test_loss=self._network.loss_of(outputs, test),
            test_accuracy=np.mean(predicted == test.labels),
        )
        counts = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(counts, (test.labels, predicted), 1)
        self.measured.arrays(self._rule, "confusion", counts=counts)
        self._keep_outputs("test", test, outputs)

    def measure_denoising(self, missing: Collection[str]) -> None:
        """What the network makes of corrupted training images, for each condition whose error is `missing`."""
        asked = conditions(self._spec.recipe.denoising)
        wanted = [condition for condition in asked if f"denoise_mse:{condition.name}" in missing]
        if wanted:
            measure_denoising(self._network, self._spec, self._rule, self._splits.train, wanted, self.measured)

    def _measure_training_labels(self, outputs: Floats) -> None:
        """Accuracy on the training labels, and the share of the wrong ones that the network predicts."""
        train = self._splits.train
        labels, true_labels = _given(train.labels), _given(train.true_labels)
        predicted = predicted_classes(outputs, self._spec.recipe.loss)
        self.measured.number(self._rule, train_accuracy=np.mean(predicted == labels))
        wrong = labels != true_labels
        if wrong.any():
            memorised = np.mean(predicted[wrong] == labels[wrong])
            self.measured.number(self._rule, mislabelled=wrong.mean(), memorised=memorised)

    def _keep_outputs(self, name: str, split: Split, outputs: Floats) -> None:
        """Logits in half precision, or predictions in full, with the targets of the split."""
        if self._spec.recipe.snapshots.outputs:
            kept = half_precision(outputs) if self._spec.recipe.loss.has_classes else outputs
            self.measured.arrays(self._rule, f"outputs/{name}", outputs=kept)
            self.measured.arrays("", f"targets/{name}", **_targets(split))
            record_hard_examples(self._rule, name, split, outputs, self.measured)

    def _keep_errors(self, name: str, split: Split, errors: npt.NDArray[np.float64]) -> None:
        """The error of each reconstruction, with the targets of the split."""
        if self._spec.recipe.snapshots.outputs:
            self.measured.arrays(self._rule, f"outputs/{name}", error=errors.astype(np.float32))
            self.measured.arrays("", f"targets/{name}", **_targets(split))


def _given(labels: Labels | None) -> Labels:
    """Labels of a split of a classification task, whose data have been checked to have them."""
    if labels is None:
        raise ValueError("a loss of classes needs labels")
    return labels


def _targets(split: Split) -> dict[str, npt.NDArray[Any]]:
    """Which examples of the source a split has, and their labels as training sees them."""
    labels = {} if split.labels is None else {"labels": split.labels.astype(np.int32)}
    return {"rows": split.source_rows.astype(np.int32), **labels}
