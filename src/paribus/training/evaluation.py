"""What is measured of a run at its selected snapshots, once it has ended or later.

Outputs come from the engine's own forward pass, so that a snapshot is evaluated by the arithmetic that selected it.
What can be derived from recorded numbers (dead units, collapse) is left to analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus import seeding
from paribus.data.corruption import Condition, conditions
from paribus.data.pool import Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.losses import BinaryCrossEntropy, LossBase
from paribus.spec.network import layer_names, parameter_count
from paribus.store.records import Measurement
from paribus.training.cohort import architecture, fresh_state, inputs_of
from paribus.training.engine import Engine, Floats, Inputs, Networks, State
from paribus.training.principal_components import principal_components

SHOWN_EXAMPLES = 16
"""Examples shown of a run, spread evenly over the training split."""
ROWS = 2048
"""Examples whose outputs are computed at a time."""
MAX_FLOAT16 = float(np.finfo(np.float16).max)

Arrays = Mapping[str, npt.NDArray[Any]]
OpenTest = Callable[[str, int], Split]
"""Opens the locked test set for (rule, epoch), having logged it."""


@dataclass
class Measurements:
    """Numbers, and named arrays as (rule, name, arrays), in the order in which they were measured."""

    numbers: list[Measurement] = field(default_factory=list[Measurement])
    artifacts: list[tuple[str, str, Arrays]] = field(default_factory=list[tuple[str, str, Arrays]])

    def number(self, rule: str, **values: float) -> None:
        self.numbers += [Measurement(rule, name, float(value)) for name, value in values.items()]

    def arrays(self, rule: str, name: str, **arrays: npt.NDArray[Any]) -> None:
        self.artifacts.append((rule, name, arrays))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Selected weights: the rule, its epoch, and the state."""

    rule: str
    epoch: int
    weights: State


def measure_run(spec: RunSpec, splits: Splits) -> Measurements:
    """What belongs to the run as a whole: parameters, examples, targets, and PCA of an autoencoder's images."""
    measured = Measurements()
    widths = spec.recipe.widths(spec.dataset)
    measured.number("", parameters=parameter_count(widths), weights=parameter_count(widths, biases=False))
    shown = splits.train.take(_spread_evenly(len(splits.train)))
    labels = {} if shown.labels is None else {"labels": shown.labels}
    measured.arrays("", "examples", images=shown.inputs, shape=np.array(splits.dataset.shape), **labels)
    if spec.recipe.snapshots.outputs:
        for name, split in (("train", splits.train), ("validation", splits.validation)):
            if split is not None:
                measured.arrays("", f"targets/{name}", **_targets(split))
    if spec.recipe.task == "reconstruction":
        pca = principal_components(splits.train)
        measured.arrays("", "pca", mean=pca.mean, components=pca.components, variance=pca.variance,
                        mse_by_rank=pca.mse_by_rank)  # fmt: skip
    return measured


def measure_snapshot(
    spec: RunSpec, splits: Splits, snapshot: Snapshot, engine: Engine, open_test: OpenTest, known: Collection[str] = ()
) -> Measurements:
    """Everything recorded of a selected snapshot but the names that are `known`: those are recorded already."""
    own = _SnapshotMeasuring(spec, splits, snapshot, engine, known)
    own.measure(open_test)
    return own.measured


def missing_of(spec: RunSpec, rule: str, known: Collection[str]) -> list[str]:
    """The names of numbers that the recipe asks for at `rule`, and that are not `known`."""
    wanted = ["epoch"]
    if rule in spec.recipe.test.read_at and spec.dataset.test:
        wanted.append("test_accuracy" if spec.recipe.loss.has_classes else "test_loss")
    wanted += [f"denoise_mse:{condition.name}" for condition in conditions(spec.recipe.denoising)]
    return [name for name in wanted if name not in known]


def evaluate_weights(spec: RunSpec, splits: Splits, weights: State, engine: Engine) -> dict[str, float]:
    """What weights of any origin come to on a run's training and validation splits, metric by metric."""
    own = _SnapshotMeasuring(spec, splits, Snapshot("", 0, weights), engine, ("epoch",))
    own.measure_training()
    for name, split in (("train", splits.train), ("val", splits.validation)):
        if split is not None:
            mean, accuracy = own.evaluate(split)
            own.measured.number("", **{"train_loss_end" if name == "train" else "val_loss": mean})
            if accuracy is not None and name == "val":
                own.measured.number("", val_accuracy=accuracy)
    counts = measure_run(spec, splits).numbers
    return {measurement.name: measurement.value for measurement in (*counts, *own.measured.numbers)}


class _SnapshotMeasuring:
    """Measures one snapshot. Every method adds to `measured`."""

    def __init__(
        self, spec: RunSpec, splits: Splits, snapshot: Snapshot, engine: Engine, known: Collection[str]
    ) -> None:
        self.measured = Measurements()
        self._spec, self._splits, self._snapshot, self._known = spec, splits, snapshot, known
        self._networks: Networks = engine.networks(architecture(spec), [snapshot.weights])
        self._rule = snapshot.rule

    def measure(self, open_test: OpenTest) -> None:
        recipe = self._spec.recipe
        if "epoch" not in self._known:
            self.measured.number(self._rule, epoch=self._snapshot.epoch)
            self.measure_training()
            if recipe.snapshots.outputs:
                self._keep_outputs("train", self._splits.train)
                if self._splits.validation is not None:
                    self._keep_outputs("validation", self._splits.validation)
        if self._rule in recipe.test.read_at and "test_loss" not in self._known:
            self._measure_test(open_test(self._rule, self._snapshot.epoch))
        if recipe.task == "reconstruction":
            self._measure_denoising()

    def measure_training(self) -> None:
        """Units and predictions on the training split."""
        self._measure_units()
        if self._spec.recipe.loss.has_classes:
            self._measure_training_labels()
        elif self._spec.recipe.task == "reconstruction":
            self._measure_reconstruction()

    def evaluate(self, split: Split) -> tuple[float, float | None]:
        """Mean loss and accuracy on a split."""
        loss = self._spec.recipe.loss
        targets = [split.labels] if split.labels is not None and loss.has_classes else None
        found = self._networks.evaluator(inputs_of(split, [self._splits]), [split.rows], targets, loss)()
        correct = None if found.correct is None else float(found.correct[0] / len(split))
        return float(found.loss[0]), correct

    def _outputs(self, split: Split) -> Floats:
        """The network's outputs (example, output) for a split."""
        return self._outputs_of(inputs_of(split, [self._splits]), split.rows)

    def _outputs_of(self, inputs: Inputs, rows: npt.NDArray[np.int64]) -> Floats:
        parts = [self._networks.forward(inputs, rows[at : at + ROWS]).outputs[0] for at in range(0, len(rows), ROWS)]
        return np.concatenate(parts)

    def _measure_units(self) -> None:
        """Mean, variance and active share of each hidden unit's activation on the training split, and the cosine of
        its incoming weights with its initial ones."""
        train = self._splits.train
        names = layer_names(self._spec.recipe.widths(self._spec.dataset))[:-1]
        statistics = [_UnitStatistics() for _ in names]
        inputs = inputs_of(train, [self._splits])
        for at in range(0, len(train), ROWS):
            found = self._networks.forward(inputs, train.rows[at : at + ROWS], activations=True)
            for own, values in zip(statistics, found.activations, strict=True):
                own.add(values[0])
        initial = fresh_state(self._spec).tensors
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, own in zip(names, statistics, strict=True):
            cosine = _cosines(self._snapshot.weights[f"{name}.weight"], initial[f"{name}.weight"])
            arrays |= {f"{name}.mean": own.mean, f"{name}.variance": own.variance, f"{name}.active": own.active,
                       f"{name}.cosine": cosine}  # fmt: skip
        if arrays:
            self.measured.arrays(self._rule, "units", **arrays)

    def _measure_training_labels(self) -> None:
        """Accuracy on the training labels, and the share of the wrong ones that the network predicts."""
        train = self._splits.train
        assert train.labels is not None
        assert train.true_labels is not None
        predicted = predicted_classes(self._outputs(train), self._spec.recipe.loss)
        self.measured.number(self._rule, train_accuracy=np.mean(predicted == train.labels))
        wrong = train.labels != train.true_labels
        if wrong.any():
            memorised = np.mean(predicted[wrong] == train.labels[wrong])
            self.measured.number(self._rule, mislabelled=wrong.mean(), memorised=memorised)

    def _measure_test(self, test: Split) -> None:
        loss = self._spec.recipe.loss
        mean, accuracy = self.evaluate(test)
        self.measured.number(self._rule, test_loss=mean)
        if accuracy is not None and test.labels is not None:
            self.measured.number(self._rule, test_accuracy=accuracy)
            predicted, classes = predicted_classes(self._outputs(test), loss), len(self._spec.dataset.classes)
            counts = np.zeros((classes, classes), dtype=np.int64)
            np.add.at(counts, (test.labels, predicted), 1)
            self.measured.arrays(self._rule, "confusion", counts=counts)
        if self._spec.recipe.snapshots.outputs:
            self._keep_outputs("test", test)
            self.measured.arrays("", "targets/test", **_targets(test))

    def _keep_outputs(self, name: str, split: Split) -> None:
        """The outputs for each example: logits in half precision, predictions in full, or the error of each image."""
        outputs = self._outputs(split)
        if self._spec.recipe.loss.has_classes:
            logits = np.clip(outputs, -MAX_FLOAT16, MAX_FLOAT16).astype(np.float16)
            self.measured.arrays(self._rule, f"outputs/{name}", outputs=logits)
        elif self._spec.recipe.task == "reconstruction":
            squares = np.square(self._unscaled(outputs) - split.inputs)
            error = (squares.sum(axis=1, dtype=np.float64) / squares.shape[1]).astype(np.float32)
            self.measured.arrays(self._rule, f"outputs/{name}", error=error)
        else:
            self.measured.arrays(self._rule, f"outputs/{name}", outputs=outputs)

    def _unscaled(self, outputs: Floats) -> Floats:
        """Outputs of an autoencoder on the scale of its images."""
        scaling = self._splits.scaling
        found = outputs if scaling.factor is None else outputs / scaling.factor
        return np.asarray(found if scaling.centre is None else found + scaling.centre)

    def _reconstructed(self, images: Floats) -> Floats:
        """An autoencoder's output for images (example, feature), on their own scale."""
        scaling = self._splits.scaling
        centre = None if scaling.centre is None else scaling.centre[None]
        factor = None if scaling.factor is None else scaling.factor[None]
        inputs = Inputs(np.ascontiguousarray(images), 1.0, centre, factor)
        return self._unscaled(self._outputs_of(inputs, np.arange(len(images))))

    def _measure_reconstruction(self) -> None:
        """The error per pixel on the training images, beside that of PCA of the same rank and of the mean image."""
        images = self._splits.train.inputs
        outputs, pca = self._reconstructed(images), principal_components(self._splits.train)
        varying = images.var(axis=0, dtype=np.float64).sum()
        self.measured.number(
            self._rule,
            mse=_mse(outputs, images),
            pca_mse=pca.mse_by_rank[self._rank],
            mean_mse=pca.mse_by_rank[0],
        )
        if varying > 0:
            self.measured.number(self._rule, output_variation=outputs.var(axis=0, dtype=np.float64).sum() / varying)
        shown = _spread_evenly(len(images))
        self.measured.arrays(self._rule, "reconstructions", inputs=images[shown], outputs=outputs[shown])

    @property
    def _rank(self) -> int:
        """The rank of a linear code as wide as the narrowest layer."""
        components = len(principal_components(self._splits.train).components)
        return min(*self._spec.recipe.widths(self._spec.dataset), components)

    def _measure_denoising(self) -> None:
        """Corrupted images through the network, and through PCA of the same rank, against the clean ones."""
        asked = conditions(self._spec.recipe.denoising)
        if not asked or all(f"denoise_mse:{condition.name}" in self._known for condition in asked):
            return
        clean, pca = self._splits.train.inputs, principal_components(self._splits.train)
        shown = _spread_evenly(len(clean))
        kept: dict[str, list[Floats]] = {"inputs": [], "outputs": [], "pca": []}
        for index, condition in enumerate(asked):
            corrupted = self._corrupted(condition, index)
            outputs, projected = self._reconstructed(corrupted), pca.projected(corrupted, self._rank)
            self.measured.number(
                self._rule,
                **{
                    f"noise_mse:{condition.name}": _mse(corrupted, clean),
                    f"denoise_mse:{condition.name}": _mse(outputs, clean),
                    f"pca_denoise_mse:{condition.name}": _mse(projected, clean),
                },
            )
            for name, images in (("inputs", corrupted), ("outputs", outputs), ("pca", projected)):
                kept[name].append(images[shown])
        stacked = {name: np.stack(images) for name, images in kept.items()}
        self.measured.arrays(self._rule, "denoising", clean=clean[shown], **stacked)

    def _corrupted(self, condition: Condition, index: int) -> Floats:
        numbers = seeding.draws(self._spec.streams.pixel_noise, "pixel_noise", index)
        return condition.applied(self._splits.train.inputs, numbers)


class _UnitStatistics:
    """Mean, variance and active share (unit,) of activations that come some examples at a time.

    The variance is merged from those of the parts (Chan, Golub, LeVeque 1979), so that a constant has variance 0.
    """

    def __init__(self) -> None:
        self._count = 0
        self.mean: npt.NDArray[np.float64] = np.zeros(0)
        self._squares: npt.NDArray[np.float64] = np.zeros(0)
        self._active: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def add(self, values: Floats) -> None:
        """Take in activations (example, unit)."""
        exact = values.astype(np.float64)
        mean = exact.mean(axis=0)
        squares, active = np.square(exact - mean).sum(axis=0), (values > 0).sum(axis=0)
        if not self._count:
            self.mean, self._squares, self._active, self._count = mean, squares, active, len(values)
            return
        total = self._count + len(values)
        apart = mean - self.mean
        self._squares += squares + apart**2 * (self._count * len(values) / total)
        self.mean = self.mean + apart * (len(values) / total)
        self._active += active
        self._count = total

    @property
    def variance(self) -> npt.NDArray[np.float64]:
        return self._squares / self._count

    @property
    def active(self) -> npt.NDArray[np.float64]:
        """The share of examples for which the activation is above 0."""
        return self._active / self._count


def predicted_classes(outputs: Floats, loss: LossBase) -> npt.NDArray[np.int64]:
    """The class (example,) that outputs (example, output) put each example into; of equal outputs, the first."""
    if isinstance(loss, BinaryCrossEntropy):
        return (outputs[:, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=1).astype(np.int64)


def _targets(split: Split) -> dict[str, npt.NDArray[Any]]:
    """Which examples of the source a split has, and their labels as training sees them."""
    labels = {} if split.labels is None else {"labels": split.labels.astype(np.int32)}
    return {"rows": split.rows.astype(np.int32), **labels}


def _cosines(weights: Floats, initial: Floats) -> npt.NDArray[np.float64]:
    """The cosine (unit,) between the rows of two weights (unit, input); 0 where a row is zero."""
    a, b = weights.astype(np.float64), initial.astype(np.float64)
    lengths = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)


def _mse(a: Floats, b: Floats) -> float:
    return float(np.mean(np.square(a - b), dtype=np.float64))


def _spread_evenly(examples: int) -> npt.NDArray[np.int64]:
    count = min(SHOWN_EXAMPLES, examples)
    return (np.arange(count) * examples // count).astype(np.int64)


def all_of(parts: Iterator[Measurements]) -> Measurements:
    """Several measurements as one, in their order; arrays of equal rule and name once."""
    found = Measurements()
    seen: set[tuple[str, str]] = set()
    for part in parts:
        found.numbers += part.numbers
        for rule, name, arrays in part.artifacts:
            if (rule, name) not in seen:
                seen.add((rule, name))
                found.artifacts.append((rule, name, arrays))
    return found
