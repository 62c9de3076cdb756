"""What is measured of a run at its selected snapshots, once it has ended or later.

Outputs come from the engine's own forward pass, so that a snapshot is evaluated by the arithmetic that selected it, and
each split passes through a snapshot's network once. What can be derived from recorded numbers (dead units, collapse) is
left to analysis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from paribus.data.corruption import conditions
from paribus.data.pool import Labels, Numbers, Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.network import layer_names, tied_layers
from paribus.training.augmented_examples import record_augmented_examples
from paribus.training.classification import (
    CLASSIFICATION_SCORES,
    classification_scores,
    confusion_matrix,
    probabilities,
)
from paribus.training.cohort import fresh_state
from paribus.training.engine import Engine, Floats, State
from paribus.training.hard_examples import record_hard_examples
from paribus.training.inference import Inference, half_precision, predicted_classes
from paribus.training.margins import MarginSums
from paribus.training.measurements import Measurements, shown_positions
from paribus.training.network_size import measure_size, measure_source
from paribus.training.occlusion import measure_occlusion
from paribus.training.principal_components import principal_components
from paribus.training.reconstruction import (
    Prefix,
    ReconstructionErrors,
    measure_denoising,
    reconstruction_names,
)
from paribus.training.regions import record_regions
from paribus.training.regression import predictions, regression_names, regression_scores
from paribus.training.units import UnitStatistics

OpenTest = Callable[[str, int], Split]
"""Opens the locked test set for (rule, epoch), having logged it."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Selected weights: the rule, its epoch, and the state."""

    rule: str
    epoch: int
    weights: State


def measure_run(spec: RunSpec, splits: Splits, margins: MarginSums | None = None) -> Measurements:
    """What belongs to the run as a whole: parameters, examples, preprocessing, augmented examples, targets, `margins`,
    PCA of images to be reconstructed, and the source of a user's module."""
    measured = Measurements()
    measure_size(spec, measured)
    shown = splits.train.take(shown_positions(len(splits.train)))
    labels = {} if shown.labels is None else {"labels": shown.labels}
    measured.arrays("", "examples", images=shown.inputs, shape=np.array(splits.dataset.shape), **labels)
    measured.arrays("", "preprocessing", **splits.preprocessing())
    record_augmented_examples(spec, splits, measured)
    if spec.recipe.snapshots.outputs:
        for name, split in (("train", splits.train), ("validation", splits.validation)):
            if split is not None:
                measured.arrays("", f"targets/{name}", **_targets(split))
    if margins is not None:
        measured.arrays("", "margins/train", margins=margins.means, epochs=np.array([margins.epochs], np.int32))
    if spec.module is not None:
        measure_source(spec.module, measured)
    if spec.recipe.task == "reconstruction":
        pca = principal_components(splits.train)
        measured.arrays("", "pca", mean=pca.mean, components=pca.components, variance=pca.variance,
                        mse_by_rank=pca.mse_by_rank)  # fmt: skip
    return measured


def missing_of(spec: RunSpec, rule: str, known: Collection[str]) -> tuple[str, ...]:
    """What the recipe asks for at `rule`, and is not among the `known` names of numbers and arrays.

    Every metric that such a run always has is asked for, so that one that is added to the code later is measured on
    recorded runs. What only some data have comes with the others of its split, and one error of a denoising condition
    stands for all that is measured under it.
    """
    recipe, dataset = spec.recipe, spec.dataset
    reads_test = rule in recipe.test.read_at and dataset.test > 0
    wanted = ["epoch", *_training_metrics(spec)]
    if reads_test:
        wanted += ["test_loss", "test_accuracy"] if recipe.has_classes else ["test_loss"]
    held_out = (("val", dataset.validation > 0), ("test", reads_test))
    wanted += [f"{split}_{name}" for split, is_read in held_out if is_read for name in _split_metrics(spec)]
    if recipe.snapshots.outputs:
        splits = {"train": True, "validation": dataset.validation > 0, "test": reads_test}
        wanted += [f"outputs/{name}" for name, is_read in splits.items() if is_read]
    if recipe.task == "reconstruction":
        prefixes = ("", "val_") if dataset.validation > 0 else ("",)
        wanted += [f"{prefix}denoise_mse:{one.name}" for prefix in prefixes for one in conditions(recipe.denoising)]
    if recipe.occlusion.patch:
        wanted.append(recipe.occlusion.name)
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
    if not {"epoch", "outputs/train", *_training_metrics(spec)}.isdisjoint(missing):
        own.measure_training()
    if splits.validation is not None and any(name.startswith(("val_", "outputs/validation")) for name in missing):
        own.measure_validation(splits.validation)
    if any(name.startswith(("test_", "outputs/test")) for name in missing):
        own.measure_test(open_test(snapshot.rule, snapshot.epoch))
    own.measure_denoising(missing)
    if spec.recipe.occlusion.name in missing:
        own.measure_occlusion()
    return own.measured


def measure_training(spec: RunSpec, splits: Splits, snapshot: Snapshot, engine: Engine) -> Measurements:
    """What is measured of a snapshot on the training split alone: hidden units, and predictions or reconstructions."""
    own = _SnapshotMeasuring(spec, splits, snapshot, engine)
    own.measure_training()
    return own.measured


def evaluate_weights(spec: RunSpec, splits: Splits, weights: State, engine: Engine) -> Measurements:
    """What is measured of weights of any origin on a run's training and validation splits, at the empty rule.

    Numbers have the names of a run's curves and measurements; `units` are its arrays at a selected snapshot. A figure
    that these data leave undefined is left out.
    """
    own = _SnapshotMeasuring(spec, splits, Snapshot("", 0, weights), engine)
    measure_size(spec, own.measured)
    own.measure_training()
    own.evaluate("train_loss_end", "", splits.train)
    if splits.validation is not None:
        own.evaluate("val_loss", "val_accuracy", splits.validation)
        own.measure_validation(splits.validation)
    own.measure_denoising(missing_of(spec, "", ()))
    known = [one for one in own.measured.numbers if not (math.isnan(one.value) and one.name.endswith(_MAYBE_UNDEFINED))]
    return Measurements(known, own.measured.artifacts)


def _training_metrics(spec: RunSpec) -> tuple[str, ...]:
    """The metrics of the training split that every run like this one has at a selected snapshot."""
    match spec.recipe.task:
        case "classification":
            return ("train_accuracy",)
        case "regression":
            return ("train_rmse", "train_r2")
        case "reconstruction":
            return reconstruction_names(spec)


def _split_metrics(spec: RunSpec) -> tuple[str, ...]:
    """The metrics of the outputs for a whole split that is not trained on, without the split's prefix."""
    match spec.recipe.task:
        case "classification":
            return CLASSIFICATION_SCORES
        case "regression":
            return regression_names(spec.dataset.targets)
        case "reconstruction":
            return reconstruction_names(spec)


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
        errors = ReconstructionErrors(self._network, spec, train, train) if reconstructs else None
        widths = spec.recipe.widths(spec.dataset)
        names, tied = layer_names(widths)[:-1], tied_layers(widths) if spec.recipe.network.ties_weights else {}
        units, parts = UnitStatistics(names, tied), list[Floats]()
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
        if spec.recipe.has_classes:
            self._measure_training_labels(outputs)
        else:
            found = self._regression_scores(outputs, train)
            self.measured.number(self._rule, train_rmse=found["rmse"], train_r2=found["r2"])
        self._keep_outputs("train", train, outputs)
        record_regions(self._rule, self._network, self._splits, spec.recipe.loss, self.measured)

    def evaluate(self, loss_name: str, accuracy_name: str, split: Split) -> None:
        """Mean loss on a split, and accuracy where there are classes and it has a name."""
        found = self._network.evaluate(split)
        self.measured.number(self._rule, **{loss_name: found.loss[0]})
        if found.correct is not None and accuracy_name:
            self.measured.number(self._rule, **{accuracy_name: found.correct[0] / len(split)})

    def measure_validation(self, split: Split) -> None:
        """Metrics of the outputs for the validation split, and the outputs, or the error, for each example."""
        if self._spec.recipe.task == "reconstruction":
            self._measure_reconstructions("val_", "validation", split)
            return
        outputs = self._network.outputs(split)
        self._measure_split_metrics("val", outputs, split)
        self._keep_outputs("validation", split, outputs)

    def measure_test(self, test: Split) -> None:
        """The same of the test split, and loss, accuracy and confusion matrix."""
        if self._spec.recipe.task == "reconstruction":
            self.evaluate("test_loss", "", test)
            self._measure_reconstructions("test_", "test", test)
            return
        outputs, loss = self._network.outputs(test), self._spec.recipe.loss
        self.measured.number(self._rule, test_loss=self._network.loss_of(outputs, test))
        if self._spec.recipe.has_classes:
            labels, predicted = _given(test.labels), predicted_classes(outputs, loss)
            self.measured.number(self._rule, test_accuracy=np.mean(predicted == labels))
            counts = confusion_matrix(labels, predicted, len(self._spec.dataset.classes))
            self.measured.arrays(self._rule, "confusion", counts=counts)
        self._measure_split_metrics("test", outputs, test)
        self._keep_outputs("test", test, outputs)

    def measure_denoising(self, missing: Collection[str]) -> None:
        """What the network makes of corrupted images of the training and validation split, for each condition whose
        error is `missing`."""
        splits: dict[Prefix, Split | None] = {"": self._splits.train, "val_": self._splits.validation}
        for prefix, split in splits.items():
            asked = conditions(self._spec.recipe.denoising)
            wanted = [condition for condition in asked if f"{prefix}denoise_mse:{condition.name}" in missing]
            if split is not None and wanted:
                measure_denoising(
                    self._network, self._spec, self._rule, self._splits.train, split, prefix, wanted, self.measured
                )

    def measure_occlusion(self) -> None:
        """How the predictions for a few held-out images change when patches of them are hidden."""
        measure_occlusion(self._network, self._spec, self._rule, self._splits, self.measured)

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

    def _measure_split_metrics(self, prefix: str, outputs: Floats, split: Split) -> None:
        """Metrics that need the outputs for a whole split. Their names begin with `prefix`."""
        loss = self._spec.recipe.loss
        if self._spec.recipe.has_classes:
            shares, predicted = probabilities(outputs, loss), predicted_classes(outputs, loss)
            found = classification_scores(shares, _given(split.labels), predicted)
        else:
            found = self._regression_scores(outputs, split)
        self.measured.number(self._rule, **{f"{prefix}_{name}": value for name, value in found.items()})

    def _regression_scores(self, outputs: Floats, split: Split) -> dict[str, float]:
        predicted = predictions(outputs, self._splits.target_scaling)
        return regression_scores(predicted, _given_numbers(split), self._spec.dataset.targets)

    def _keep_outputs(self, name: str, split: Split, outputs: Floats) -> None:
        """Logits in half precision, or predictions of numbers in original units, with the targets of the split."""
        if self._spec.recipe.snapshots.outputs:
            has_classes, scaling = self._spec.recipe.has_classes, self._splits.target_scaling
            kept = half_precision(outputs) if has_classes else predictions(outputs, scaling)
            self.measured.arrays(self._rule, f"outputs/{name}", outputs=kept)
            self.measured.arrays("", f"targets/{name}", **_targets(split))
            record_hard_examples(self._rule, name, split, outputs, self.measured)

    def _measure_reconstructions(self, prefix: Prefix, name: str, split: Split) -> None:
        """The error on a split that is not trained on, and that of each example."""
        errors = ReconstructionErrors(self._network, self._spec, self._splits.train, split, prefix)
        for part, found in self._network.parts(split):
            errors.add(part, found.outputs[0])
        errors.record(self._rule, self.measured)
        self._keep_errors(name, split, errors.by_example())

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


def _given_numbers(split: Split) -> Numbers:
    """Targets of a regression, in original units."""
    if split.numbers is None:
        raise ValueError("a regression needs numbers to be predicted")
    return split.numbers


def _targets(split: Split) -> dict[str, npt.NDArray[Any]]:
    """Which examples of the source a split has, and their labels as training sees them, or their numbers in original
    units."""
    found: dict[str, npt.NDArray[Any]] = {"rows": split.source_rows.astype(np.int32)}
    if split.labels is not None:
        found["labels"] = split.labels.astype(np.int32)
    if split.numbers is not None:
        found["numbers"] = split.numbers
    return found


_MAYBE_UNDEFINED = ("_auroc", "_r2")
"""How figures end that some data leave undefined: without an example of a class, or with equal targets."""
