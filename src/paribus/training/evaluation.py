"""What is measured of a run once it has ended, at each of its selected snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus import seeding
from paribus.data.corruption import Condition, conditions
from paribus.data.pool import Split, Splits
from paribus.spec.recipe import Recipe
from paribus.store.records import Measurement
from paribus.training.cohort import fresh_state
from paribus.training.eigenfaces import principal_components
from paribus.training.networks import parameter_count
from paribus.training.streams import shared
from paribus.training.tracker import Best

PICTURES = 16
"""Pictures shown of a run, spread evenly over the training split."""
UNMOVED_COSINE = 0.9
"""A unit whose weights still point this closely in the direction of their random start has not moved."""
ROWS = 1000

Arrays = Mapping[str, npt.NDArray[Any]]
OpenTest = Callable[[str, int], Split]
"""Opens the locked drawer for (rule, epoch), having logged it."""


@dataclass
class Measured:
    """Numbers and named arrays (rule, name, arrays), in the order of the rules."""

    measurements: list[Measurement] = field(default_factory=list[Measurement])
    artifacts: list[tuple[str, str, Arrays]] = field(default_factory=list[tuple[str, str, Arrays]])

    def number(self, rule: str, **values: float) -> None:
        self.measurements += [Measurement(rule, name, float(value)) for name, value in values.items()]

    def arrays(self, rule: str, name: str, **arrays: npt.NDArray[Any]) -> None:
        self.artifacts.append((rule, name, arrays))


@dataclass(frozen=True)
class Subject:
    """The run that is measured."""

    recipe: Recipe
    seed: int
    replicate: int
    splits: Splits


def measure(subject: Subject, best: Mapping[str, Best], open_test: OpenTest) -> Measured:
    """Everything recorded of an ended run besides its curves; `best` maps selection rules to their snapshots."""
    measured = Measured()
    recipe, splits = subject.recipe, subject.splits
    layers = recipe.network.layers
    counts = {"parameters": parameter_count(layers), "weights": parameter_count(layers, biases=False)}
    measured.number("", **{name: float(value) for name, value in counts.items()})
    examples = splits.train.take(_spread(len(splits.train)))
    shape = np.array(splits.shape, dtype=np.int64)
    named = {} if examples.labels is None else {"labels": examples.labels}
    measured.arrays("", "examples", images=examples.inputs, shape=shape, **named)
    if not recipe.has_labels:
        pca = principal_components(splits.train)
        measured.arrays("", "pca", mean=pca.mean, components=pca.components, variance=pca.variance,
                        mse_by_rank=pca.mse_by_rank)  # fmt: skip
    for rule in recipe.selection.rules:
        if rule in best:
            _measure_snapshot(measured, subject, rule, best[rule], open_test)
    return measured


def _measure_snapshot(measured: Measured, subject: Subject, rule: str, chosen: Best, open_test: OpenTest) -> None:
    network = _Network(chosen.weights, subject.splits)
    measured.number(rule, epoch=chosen.epoch)
    _measure_units(measured, subject, rule, network)
    if subject.recipe.has_labels:
        _measure_classes(measured, subject, rule, network)
        if rule in subject.recipe.test.read_at:
            _measure_test(measured, rule, network, open_test(rule, chosen.epoch), subject.splits.classes)
    else:
        _measure_reconstruction(measured, subject, rule, network)
        _measure_denoising(measured, subject, rule, network)


def weigh(subject: Subject, weights: Mapping[str, Tensor]) -> dict[str, float]:
    """What can be told of weights of any origin by a run's training and validation splits, metric by metric.

    The metrics are those that `measure` and the curves of a run record, but for what only a run's own history knows.
    """
    measured, splits = Measured(), subject.splits
    network = _Network(weights, splits)
    layers = subject.recipe.network.layers
    measured.number("", parameters=parameter_count(layers), weights=parameter_count(layers, biases=False))
    _measure_units(measured, subject, "", network)
    if subject.recipe.has_labels:
        measured.number("", train_loss_end=_classified(network, splits.train, splits.classes)[0])
        _measure_classes(measured, subject, "", network)
        if splits.validation is not None:
            loss, counts = _classified(network, splits.validation, splits.classes)
            measured.number("", val_loss=loss, val_accuracy=_accuracy(counts))
    else:
        _measure_reconstruction(measured, subject, "", network)
        _measure_denoising(measured, subject, "", network)
        if splits.validation is not None:
            images = splits.validation.inputs
            measured.number("", val_loss=_mse(network.reconstructed(images), images))
    return {m.name: m.value for m in measured.measurements if m.name != "unmoved_units"}


class _Network:
    """One network in evaluation mode, on raw images: the centre is subtracted first, and added back to pictures."""

    def __init__(self, weights: Mapping[str, Tensor], splits: Splits) -> None:
        depth = len(weights) // 2
        self.layers = [(weights[f"fc{i}.weight"], weights[f"fc{i}.bias"]) for i in range(1, depth + 1)]
        pixels = self.layers[0][0].shape[1]
        self.center = torch.zeros(pixels) if splits.center is None else shared(splits.center)

    def activations(self, images: npt.NDArray[np.float32]) -> Iterator[list[Tensor]]:
        """For each thousand images: every hidden layer (row, unit), and last the output (row, column)."""
        for start in range(0, len(images), ROWS):
            values = [shared(images[start : start + ROWS]) - self.center]
            for i, (weight, bias) in enumerate(self.layers):
                out = torch.addmm(bias, values[-1], weight.t())
                values.append(out.clamp_min_(0.0) if i < len(self.layers) - 1 else out)
            yield values[1:]

    def reconstructed(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """An autoencoder's output for raw `images`, on their own scale."""
        return np.concatenate([(values[-1] + self.center).numpy() for values in self.activations(images)])


def _measure_units(measured: Measured, subject: Subject, rule: str, network: _Network) -> None:
    """How often each hidden unit fires on the training images, and whether it has left its random start."""
    inputs = subject.splits.train.inputs
    fired = [torch.zeros(len(bias), dtype=torch.float64) for _, bias in network.layers[:-1]]
    for values in network.activations(inputs):
        for total, hidden in zip(fired, values[:-1], strict=True):
            total.add_((hidden > 0).sum(0))
    rates = {f"fc{i}": (total / len(inputs)).numpy() for i, total in enumerate(fired, start=1)}
    start = fresh_state(subject.recipe, subject.seed, subject.replicate).tensors["fc1.weight"]
    cosine = torch.cosine_similarity(network.layers[0][0].double(), start.double(), dim=1)
    measured.number(
        rule,
        hidden_units=sum(len(rate) for rate in rates.values()),
        dead_units=sum(int((rate == 0).sum()) for rate in rates.values()),
        unmoved_units=int((cosine > UNMOVED_COSINE).sum()),
    )
    measured.arrays(rule, "activity", **rates)


def _measure_classes(measured: Measured, subject: Subject, rule: str, network: _Network) -> None:
    """Accuracy on the training labels, and how many of the wrong ones the network has come to reproduce."""
    train = subject.splits.train
    assert train.labels is not None
    assert train.true_labels is not None
    predicted = np.concatenate([values[-1].argmax(1).numpy() for values in network.activations(train.inputs)])
    measured.number(rule, train_accuracy=np.mean(predicted == train.labels))
    wrong = train.labels != train.true_labels
    if wrong.any():
        measured.number(rule, mislabelled=wrong.mean(), memorised=np.mean(predicted[wrong] == train.labels[wrong]))


def _measure_test(measured: Measured, rule: str, network: _Network, test: Split, classes: int) -> None:
    loss, counts = _classified(network, test, classes)
    measured.number(rule, test_loss=loss, test_accuracy=_accuracy(counts))
    measured.arrays(rule, "confusion", counts=counts)


def _classified(network: _Network, split: Split, classes: int) -> tuple[float, npt.NDArray[np.int64]]:
    """The mean cross-entropy on a split, and how many images of each class (row) are put into each class (column)."""
    assert split.labels is not None
    loss, counts = 0.0, np.zeros((classes, classes), dtype=np.int64)
    labels = shared(split.labels)
    start = 0
    for values in network.activations(split.inputs):
        logits = values[-1]
        truth = labels[start : start + len(logits)]
        loss += float(torch.nn.functional.cross_entropy(logits, truth, reduction="sum"))
        np.add.at(counts, (truth.numpy(), logits.argmax(1).numpy()), 1)
        start += len(logits)
    return loss / start, counts


def _accuracy(counts: npt.NDArray[np.int64]) -> float:
    return float(np.trace(counts) / counts.sum())


def _measure_reconstruction(measured: Measured, subject: Subject, rule: str, network: _Network) -> None:
    """Error per pixel on the training images, beside PCA's of the same rank and that of the mean image alone."""
    train = subject.splits.train
    images = train.inputs
    outputs = network.reconstructed(images)
    pca = principal_components(train)
    rank = min(*subject.recipe.network.layers, len(pca.components))
    measured.number(
        rule,
        mse=_mse(outputs, images),
        pca_mse=pca.mse_by_rank[rank],
        mean_mse=pca.mse_by_rank[0],
        output_variation=outputs.var(axis=0, dtype=np.float64).sum() / images.var(axis=0, dtype=np.float64).sum(),
    )
    shown = _spread(len(images))
    measured.arrays(rule, "reconstructions", inputs=images[shown], outputs=outputs[shown])


def _measure_denoising(measured: Measured, subject: Subject, rule: str, network: _Network) -> None:
    """Spoiled images through the network, and through PCA of the same rank, against the clean ones."""
    tried = conditions(subject.recipe.denoising)
    if not tried:
        return
    train = subject.splits.train
    clean, pca = train.inputs, principal_components(train)
    rank = min(*subject.recipe.network.layers, len(pca.components))
    shown = _spread(len(clean))
    pictures: dict[str, list[npt.NDArray[np.float32]]] = {"inputs": [], "outputs": [], "pca": []}
    for index, condition in enumerate(tried):
        spoiled = _spoiled(subject, condition, index)
        outputs, projected = network.reconstructed(spoiled), pca.projected(spoiled, rank)
        measured.number(
            rule,
            **{
                f"noise_mse:{condition.name}": _mse(spoiled, clean),
                f"denoise_mse:{condition.name}": _mse(outputs, clean),
                f"pca_denoise_mse:{condition.name}": _mse(projected, clean),
            },
        )
        for name, images in (("inputs", spoiled), ("outputs", outputs), ("pca", projected)):
            pictures[name].append(images[shown])
    stacked = {name: np.stack(images) for name, images in pictures.items()}
    measured.arrays(rule, "denoising", clean=clean[shown], **stacked)


def _spoiled(subject: Subject, condition: Condition, index: int) -> npt.NDArray[np.float32]:
    draw = seeding.generator(subject.seed, subject.replicate, seeding.PIXEL_NOISE, index)
    return condition.applied(subject.splits.train.inputs, draw)


def _mse(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(np.mean(np.square(a - b), dtype=np.float64))


def _spread(images: int) -> npt.NDArray[np.int64]:
    count = min(PICTURES, images)
    return (np.arange(count) * images // count).astype(np.int64)
