"""The work: six networks at the published settings on real data, the same for every tool.

Run `r` of a task is replicate `r` of a built-in study's arm: its own draw of the images, its own start. The settings
are read from the built-in study files, so that they stand in one place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tomli_w

from paribus.data.pool import Split, Splits
from paribus.data.protocols import load_splits
from paribus.spec import builtin
from paribus.spec.overrides import merged
from paribus.spec.recipe import Data, Recipe
from paribus.spec.study import Study, parse
from paribus.training.cohort import fresh_state
from paribus.training.networks import operations_per_image

_ARMS: Final = {
    "ShallowMLP": ("selection", "fixed", 2),
    "DeepMLP": ("capacity", "deep", 2),
    "DeepWideMLP": ("capacity", "deep-wide", 1),
    "CustomMLP": ("noisy-labels", "plain", 1),
    "AE_n16": ("faces", "n=16", 5),
    "AE_n64": ("faces", "n=64", 5),
}
"""Network to built-in study, its arm, and the epochs of one measurement."""

NAMES: Final = tuple(_ARMS)
HELD_OUT = 2_000
"""Images that are measured after every epoch: the validation split, or as many test images where there is none."""


@dataclass(frozen=True)
class Task:
    """One network's training. `images` cuts the training split short, for warming up and for tests."""

    network: str
    images: int
    epochs: int
    study: Study

    @property
    def recipe(self) -> Recipe:
        return self.study.arms[0].recipe

    @property
    def layers(self) -> tuple[int, ...]:
        return self.recipe.network.layers

    @property
    def batch_size(self) -> int:
        return self.recipe.training.batch_size

    @property
    def has_labels(self) -> bool:
        return self.recipe.has_labels

    @property
    def metric(self) -> str:
        """What `quality` returns."""
        return "accuracy" if self.has_labels else "mse"

    @property
    def operations(self) -> int:
        """Floating-point operations of one epoch of one run, in its matrix products."""
        return operations_per_image(self.layers) * self.images

    def cut(self, images: int) -> Task:
        return replace(self, images=min(images, self.images))

    def short(self) -> Task:
        """The same work with two whole batches and the last, smaller one: every shape that training meets."""
        return self.cut(2 * self.batch_size + self.images % self.batch_size)

    @cached_property
    def pool(self) -> npt.NDArray[np.float32]:
        """(image, pixel): the images from which every run takes its own."""
        return self._splits(0).train.pool.inputs

    def indices(self, run: int) -> npt.NDArray[np.int64]:
        """(image,) into `pool`: the training images of one run."""
        return self._splits(run).train.indices[: self.images]

    def labels(self, run: int) -> npt.NDArray[np.int64]:
        """(image,): the labels of `indices(run)`; classifiers only."""
        labels = self._splits(run).train.labels
        assert labels is not None
        return labels[: self.images]

    def inputs(self, run: int) -> npt.NDArray[np.float32]:
        """(image, pixel): the training images of one run, a copy."""
        return self.pool[self.indices(run)]

    def start(self, run: int) -> dict[str, npt.NDArray[np.float32]]:
        """Where a run starts: PyTorch's default initialisation, `fc1.weight` (out, in), `fc1.bias` (out,), ..."""
        state = fresh_state(self.recipe, self.study.seed, run).tensors
        return {name: tensor.numpy() for name, tensor in state.items()}

    def quality(self, run: int, weights: Mapping[str, npt.NDArray[np.float32]]) -> float:
        """Accuracy on `HELD_OUT` images, or, of an autoencoder, the error per pixel on its training images."""
        held_out = self._held_out(run) if self.has_labels else self._splits(run).train
        values = inputs = held_out.inputs
        depth = len(self.layers) - 1
        for i in range(1, depth + 1):
            values = values @ weights[f"fc{i}.weight"].T + weights[f"fc{i}.bias"]
            values = np.maximum(values, 0.0) if i < depth else values
        if held_out.labels is None:
            return float(np.mean(np.square(values - inputs), dtype=np.float64))
        return float(np.mean(values.argmax(1) == held_out.labels))

    def _held_out(self, run: int) -> Split:
        splits = self._splits(run)
        if splits.validation is not None:
            return splits.validation
        assert splits.test is not None
        return splits.test.open("monitoring", HELD_OUT)

    def _splits(self, run: int) -> Splits:
        return _splits(self.recipe.data.model_dump_json(), self.study.seed, run)


def task(network: str) -> Task:
    """The task of that name. Raises KeyError where there is none."""
    _, _, epochs = _ARMS[network]
    study = parse(tomli_w.dumps(_document(network)), place=network)
    images = len(_splits(study.arms[0].recipe.data.model_dump_json(), study.seed, 0).train)
    return Task(network, images, epochs, study)


def replicated(of: Task, replicates: int, rules: Sequence[str] = ()) -> Study:
    """The study that trains runs 0 to `replicates` - 1 of a task, with more selection `rules` than its own."""
    selection = {"rules": [*of.recipe.selection.rules, *rules]}
    return _restated(of, replicates=replicates, selection=selection)


def with_arms(of: Task, arms: int) -> Study:
    """A study of one replicate whose arms differ in learning rate, by next to nothing: they share their batches."""
    lr = of.recipe.optimizer.lr
    named = [{"name": f"arm {i}", "optimizer": {"lr": lr * (1 + i * 1e-6)}} for i in range(arms)]
    return _restated(of, replicates=1, arms=named, control="arm 0")


def _restated(of: Task, **changes: Any) -> Study:
    document = {**tomllib.loads(of.study.document), **changes}
    document["data"] = {**document["data"], "train_images": of.images}
    return parse(tomli_w.dumps(document), place=of.network)


def _document(network: str) -> dict[str, Any]:
    """The built-in study reduced to one arm.

    Left out is what happens once at a run's end (reading the test split, denoising) and, where there is a choice, what
    an epoch is not made of: test accuracy is monitored on `HELD_OUT` images, as many as the other networks validate on,
    and autoencoders are not measured a second time after each epoch.
    """
    name, arm, _ = _ARMS[network]
    whole = tomllib.loads(builtin.text(name))
    own = next(dict(one) for one in whole["arms"] if one["name"] == arm)
    kept = {key: value for key, value in whole.items() if key not in ("arms", "claims", "published", "denoising")}
    document = merged(kept, {key: value for key, value in own.items() if key not in ("name", "note")})
    document |= {"arms": [{"name": network}], "control": network, "replicates": 1}
    document.get("test", {}).pop("read_at", None)
    if "monitor_images" in document.get("test", {}):
        document["test"]["monitor_images"] = HELD_OUT
    document["training"].pop("measure_train_loss_end", None)
    return document


@cache
def _splits(data: str, seed: int, run: int) -> Splits:
    return load_splits(Data.model_validate_json(data), seed=seed, replicate=run)
