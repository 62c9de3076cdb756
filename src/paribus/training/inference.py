"""Inference with one network, some hundred examples at a time, so that memory does not grow with the test set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Features, Labels, Rows, Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.losses import BinaryCrossEntropy, FunctionLoss, LossBase
from paribus.training.cohort import architecture, inputs_of, targets_of
from paribus.training.engine import Architecture, Engine, Evaluation, Floats, Forward, Inputs, State

ROWS: Final = 512
"""Examples at a time. The activations of a few hundred units for so many fit a core's cache; with fewer, a call costs
more than its work."""
MAX_FLOAT16: Final = float(np.finfo(np.float16).max)
_MAX_FLOAT32: Final = float(np.finfo(np.float32).max)


@final
class Inference:
    """One network of a run's architecture, on examples that are scaled as the run's training examples are."""

    def __init__(self, spec: RunSpec, splits: Splits, weights: State, engine: Engine) -> None:
        self._recipe, self._loss = spec.recipe, spec.recipe.loss_on(spec.dataset)
        self._splits, self._engine = splits, engine
        self._networks = engine.networks(architecture(spec), [weights])

    def parts(self, split: Split, *, activations: bool = False) -> Iterator[tuple[Split, Forward]]:
        """The parts of a split in their order, each with what the network gives for it (1, example, ...)."""
        inputs = inputs_of(split, [self._splits])
        for at in range(0, len(split), ROWS):
            part = split.take(slice(at, at + ROWS))
            yield part, self._networks.forward(inputs, part.rows, activations=activations)

    def outputs(self, split: Split) -> Floats:
        """The network's outputs (example, output) for a split."""
        return np.concatenate([found.outputs[0] for _, found in self.parts(split)])

    def evaluate(self, split: Split) -> Evaluation:
        """The mean loss (1,) on a split, and how many of its examples are put into their class (1,), as training
        evaluates its validation split: the same bits."""
        targets = None if self._recipe.task == "reconstruction" else [targets_of(split, self._splits)]
        return self._networks.evaluator(inputs_of(split, [self._splits]), [split.rows], targets, self._loss)()

    def loss_of(self, outputs: Floats, split: Split) -> float:
        """The mean loss of known outputs (example, output) for a split's examples, by the engine's own arithmetic.

        An engine evaluates networks, so the outputs become the inputs of a network that gives them back: one layer,
        whose weights are the identity and whose biases are 0. Example: 3 * 1 + 5 * 0 + 0 = 3, exactly. That is far
        cheaper than passing the examples through their own network once more.
        """
        if isinstance(self._loss, FunctionLoss):  # which lies in the file of the network's module
            return float(self.evaluate(split).loss[0])
        width = outputs.shape[1]
        identity = {"fc1.weight": np.eye(width, dtype=np.float32), "fc1.bias": np.zeros(width, np.float32)}
        networks = self._engine.networks(Architecture((width, width), ()), [identity])
        inputs = Inputs(outputs, divisor=1.0, centre=None, factor=None)
        rows = np.arange(len(outputs), dtype=np.int64)
        return float(networks.evaluator(inputs, [rows], [targets_of(split, self._splits)], self._loss)().loss[0])

    def outputs_for(self, features: Features) -> Floats:
        """The outputs (example, output) for features (example, feature) that are in no pool, on the scale of one."""
        scaling = self._splits.scaling
        centre = None if scaling.centre is None else scaling.centre[None]
        factor = None if scaling.factor is None else scaling.factor[None]
        inputs = Inputs(np.ascontiguousarray(features), divisor=1.0, centre=centre, factor=factor)
        return self._networks.forward(inputs, _all_rows(features)).outputs[0]

    def reconstructions(self, images: Features) -> Features:
        """An autoencoder's outputs for images (example, feature) that are in no pool, both on the images' scale."""
        return self.unscaled(self.outputs_for(images))

    def unscaled(self, outputs: Floats) -> Features:
        """An autoencoder's outputs (example, feature), on the scale of its images."""
        scaling = self._splits.scaling
        found = outputs if scaling.factor is None else outputs / scaling.factor
        return np.asarray(found if scaling.centre is None else found + scaling.centre)


def predicted_classes(outputs: Floats, loss: LossBase) -> Labels:
    """The class (example,) that outputs (example, output) put each example into; of equal outputs, the first."""
    if isinstance(loss, BinaryCrossEntropy):
        return (outputs[:, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=1).astype(np.int64)


def half_precision(logits: Floats) -> npt.NDArray[np.float16]:
    """Logits (example, output) as float16, from which follow the same classes as from `logits`.

    The largest logit of each example is subtracted from all of them, which changes no softmax. float16 has 11
    significant bits: 12.001 and 12.002 would be one number, whereas 0 and -0.001 are two. A difference too small for a
    float16 becomes the smallest one. A single logit stays as it is, and keeps its sign.
    """
    finite = np.clip(logits, -_MAX_FLOAT32 / 2, _MAX_FLOAT32 / 2)
    exact = finite if logits.shape[1] == 1 else finite - finite.max(axis=1, keepdims=True)
    rounded = np.clip(exact, -MAX_FLOAT16, MAX_FLOAT16).astype(np.float16)
    smallest = np.copysign(np.finfo(np.float16).smallest_subnormal, exact).astype(np.float16)
    return np.where((rounded == 0) & (exact != 0), smallest, rounded)


def _all_rows(images: Features) -> Rows:
    return np.arange(len(images), dtype=np.int64)
