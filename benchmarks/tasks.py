"""The work: six networks at the published settings on real data, the same for every tool.

Run `r` of a task is replicate `r` of a built-in study's arm: it has its own split of the data and its own initial
weights. The settings come from the built-in study files.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import tomli_w

from paribus.data.loading import load_splits
from paribus.data.pool import Split, Splits
from paribus.seeding import Streams
from paribus.spec import builtin
from paribus.spec.data import Data
from paribus.spec.network import training_operations
from paribus.spec.overrides import merged
from paribus.spec.recipe import Recipe
from paribus.spec.study import Study, parse
from paribus.training.initialisation import initial_state


class _Source(NamedTuple):
    """A built-in study, its arm, and how many epochs one measurement has."""

    study: str
    arm: str
    epochs: int


_SOURCES: Final = {
    "ShallowMLP": _Source("selection", "fixed", 2),
    "DeepMLP": _Source("capacity", "deep", 2),
    "DeepWideMLP": _Source("capacity", "deep-wide", 1),
    "CustomMLP": _Source("noisy-labels", "plain", 1),
    "AE_n16": _Source("faces", "n=16", 5),
    "AE_n64": _Source("faces", "n=64", 5),
}

NAMES: Final = tuple(_SOURCES)
HELD_OUT: Final = 2_000
"""Examples that are evaluated after every epoch: the validation split, or as many test images where there is none."""


@dataclass(frozen=True)
class Task:
    """One network's training: a study of one arm, and the epochs of one measurement."""

    network: str
    epochs: int
    study: Study

    @property
    def recipe(self) -> Recipe:
        return self.study.arms[0].recipe

    @cached_property
    def examples(self) -> int:
        """Training examples of each run."""
        return len(self._splits(0).train)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, the input first."""
        return self.recipe.widths(self._splits(0).dataset)

    @property
    def batch_size(self) -> int:
        return self.recipe.training.batch_size

    @property
    def has_classes(self) -> bool:
        return self.recipe.loss.has_classes

    @property
    def metric(self) -> str:
        """What `quality` returns."""
        return "accuracy" if self.has_classes else "mse"

    @property
    def operations(self) -> int:
        """Floating-point operations of the matmuls of one epoch of one run."""
        return training_operations(self.widths) * self.examples

    def limited(self, examples: int) -> Task:
        """The same task with at most so many training examples."""
        data = {"limit": {"train": min(examples, self.examples)}}
        return Task(self.network, self.epochs, _changed(self.study, {"data": data}))

    def short(self) -> Task:
        """The same task with two whole batches and the last, smaller one: every batch size that training meets."""
        return self.limited(2 * self.batch_size + self.examples % self.batch_size)

    @cached_property
    def pool(self) -> npt.NDArray[np.float32]:
        """(image, pixel): the images from which every run takes its own."""
        pool = self._splits(0).train.pool
        return np.divide(pool.values, np.float32(pool.divisor), dtype=np.float32)

    def rows(self, run: int) -> npt.NDArray[np.int64]:
        """(example,): the rows of `pool` that one run trains on."""
        return self._splits(run).train.rows

    def labels(self, run: int) -> npt.NDArray[np.int64]:
        """(example,): the labels of `rows(run)`; classifiers only."""
        labels = self._splits(run).train.labels
        assert labels is not None
        return labels

    def inputs(self, run: int) -> npt.NDArray[np.float32]:
        """(example, pixel): the training images of one run, a copy."""
        return self._splits(run).train.inputs

    def initial_weights(self, run: int) -> dict[str, npt.NDArray[np.float32]]:
        """Initialised as `nn.Linear` is: `fc1.weight` (out, in), `fc1.bias` (out,), ..."""
        return initial_state(self.recipe.network, self.widths, self._streams(run).init)

    def quality(self, run: int, weights: Mapping[str, npt.NDArray[np.float32]]) -> float:
        """Accuracy on `HELD_OUT` examples, or, of an autoencoder, the mean squared error on its training examples."""
        split = self._held_out(run) if self.has_classes else self._splits(run).train
        values = inputs = split.inputs
        last = len(self.widths) - 1
        for i in range(1, last + 1):
            values = values @ weights[f"fc{i}.weight"].T + weights[f"fc{i}.bias"]
            values = np.maximum(values, 0.0) if i < last else values
        if not self.has_classes:
            return float(np.mean(np.square(values - inputs), dtype=np.float64))
        return float(np.mean(values.argmax(1) == split.labels))

    def _held_out(self, run: int) -> Split:
        splits = self._splits(run)
        if splits.validation is not None:
            return splits.validation
        assert splits.test is not None
        return splits.test.open("monitoring", HELD_OUT)

    def _streams(self, run: int) -> Streams:
        return self.study.streams(self.study.arms[0], run)

    def _splits(self, run: int) -> Splits:
        return _splits(self.recipe.data.model_dump_json(), self._streams(run))


def task(network: str) -> Task:
    """The task of that name. Raises KeyError where there is none."""
    return Task(network, _SOURCES[network].epochs, parse(tomli_w.dumps(_document(network)), place=network))


def replicated(of: Task, replicates: int, rules: Sequence[str] = ()) -> Study:
    """The study that trains runs 0 to `replicates` - 1 of a task, with selection `rules` in addition to its own."""
    selection = {"rules": [*of.recipe.selection.rules, *rules]}
    return _changed(of.study, {"replicates": replicates, "selection": selection})


def with_arms(of: Task, arms: int) -> Study:
    """A study of one replicate whose arms share their batches: learning rates differ by a millionth from arm to arm."""
    lr = of.recipe.optimizer.lr
    named = [{"name": f"arm {i}", "optimizer": {"lr": lr * (1 + i * 1e-6)}} for i in range(arms)]
    return _changed(of.study, {"replicates": 1, "arms": named, "control": "arm 0"})


def _changed(study: Study, changes: Mapping[str, Any]) -> Study:
    document = merged(tomllib.loads(study.document), changes)
    return parse(tomli_w.dumps(document), place=study.name)


def _document(network: str) -> dict[str, Any]:
    """The built-in study reduced to one arm.

    It leaves out what happens once, at a run's end (reading the test split, denoising). The test accuracy is monitored
    on `HELD_OUT` images, as many as the other networks validate on, and the training loss is not evaluated again after
    each epoch.
    """
    source = _SOURCES[network]
    whole = tomllib.loads(builtin.text(source.study))
    arm = next(one for one in whole["arms"] if one["name"] == source.arm)
    left_out = ("arms", "claims", "published", "denoising", "metrics")
    kept = {key: value for key, value in whole.items() if key not in left_out}
    document = merged(kept, {key: value for key, value in arm.items() if key not in ("name", "note")})
    document |= {"arms": [{"name": network}], "control": network, "replicates": 1}
    document.get("test", {}).pop("read_at", None)
    if "monitor_examples" in document.get("test", {}):
        document["test"]["monitor_examples"] = HELD_OUT
    return document


@cache
def _splits(data: str, streams: Streams) -> Splits:
    return load_splits(Data.model_validate_json(data), Path(), streams)
