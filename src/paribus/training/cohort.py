"""A cohort: runs that train together as one batched program, along the leading axis `run`.

Nothing that a run computes depends on its company: see `networks` and `optimizers` for how, and the tests for proof.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus import seeding
from paribus.data.pool import Split, Splits
from paribus.spec.recipe import Recipe
from paribus.training.losses import plain_loss, training_loss
from paribus.training.networks import Pass, StackedNetwork, initial_state
from paribus.training.optimizers import stacked_optimizer

EVALUATION_ROWS = 256
"""Images measured at a time: a constant, because a product's bits may depend on its number of rows."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands: finished epochs, optimizer steps, and tensors by name (parameters and optimizer slots)."""

    epoch: int
    steps: int
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Member:
    """One run of a cohort: identity, recipe, what its seeds derive from, data, and the state that it goes on from."""

    run_id: str
    recipe: Recipe
    seed: int
    replicate: int
    splits: Splits
    state: TrainingState

    @property
    def stream(self) -> tuple[int, int]:
        """Runs of one stream see the same batches."""
        return (self.seed, self.replicate)


@dataclass(frozen=True)
class Evaluated:
    """Loss (run,) and accuracy (run,) on one split; accuracy is NaN for autoencoders."""

    loss: Values
    accuracy: Values


def fresh_state(recipe: Recipe, seed: int, replicate: int) -> TrainingState:
    """The random start. Networks of the same widths start alike within a replicate, whatever else their arms change."""
    generator = torch.Generator().manual_seed(seeding.derive(seed, replicate, seeding.INIT))
    return TrainingState(epoch=0, steps=0, tensors=initial_state(recipe.network.layers, generator))


class Cohort:
    """Trains and measures its members, which must agree in everything static and stand at the same epoch."""

    def __init__(self, members: Sequence[Member], device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.members = sorted(members, key=lambda member: member.stream)
        first = self.members[0]
        recipes = [member.recipe for member in self.members]
        states = [member.state.tensors for member in self.members]
        self.epoch, self._steps = first.state.epoch, first.state.steps
        self._training_loss = training_loss(recipes, self.device)
        self._plain_loss = plain_loss(recipes, self.device)
        layers, columns_last = first.recipe.network.layers, self._plain_loss.columns_last
        self.network = StackedNetwork(layers, states, self.device, columns_last=columns_last)
        specs = [recipe.optimizer for recipe in recipes]
        self._optimizer = stacked_optimizer(self.network, specs, states, self._steps)
        self._streams = _streams(self.members)
        pools: dict[int, Tensor] = {}
        self._data = [_StreamData(self.members[runs.start], pools, self.device) for runs in self._streams]
        self._batch_size = first.recipe.training.batch_size
        self._dropout = _Dropout(self.members, self._streams, self.device) if first.recipe.network.dropout else None
        self._passes: dict[tuple[int, bool], Pass] = {}
        self._sets: dict[str, _EvaluationSet] = {}

    @property
    def images(self) -> int:
        """Training images that each run sees in an epoch."""
        return self._data[0].images

    def train_epoch(self, rates: Sequence[float]) -> Values:
        """Train every run for one epoch at its learning rate; the mean over the epoch's batches of each loss (run,)."""
        self._optimizer.set_rates(rates)
        orders = [data.shuffle(self.epoch) for data in self._data]
        labels = self._labels([data.labels for data in self._data], orders)
        rows_of = torch.stack([data.indices[order] for data, order in zip(self._data, orders, strict=True)])
        if self._dropout is not None:
            self._dropout.begin_epoch(self.epoch)
        losses: list[Tensor] = []
        for start in range(0, self.images, self._batch_size):
            batch = slice(start, min(start + self._batch_size, self.images))
            at = self._pass(batch.stop - start, backward=True)
            self._fill(at.inputs, rows_of[:, batch])
            if labels is not None:
                at.labels = labels[:, :, batch]
            losses.append(self._step(at))
        self.epoch += 1
        return np.mean(torch.stack(losses).cpu().numpy().astype(np.float64), axis=0)

    def _fill(self, inputs: Tensor, rows: Tensor) -> None:
        """Copy `rows` (stream, row) of each stream's pictures into `inputs` (stream, row, pixel)."""
        if not inputs.is_contiguous():  # a view of a buffer whose tiles are filled up
            for s, data in enumerate(self._data):
                inputs[s].copy_(data.inputs[rows[s]])
        elif all(data.inputs is self._data[0].inputs for data in self._data):
            torch.index_select(self._data[0].inputs, 0, rows.reshape(-1), out=inputs.view(-1, inputs.shape[2]))
        else:
            for s, data in enumerate(self._data):
                torch.index_select(data.inputs, 0, rows[s], out=inputs[s])

    def _step(self, at: Pass) -> Tensor:
        if self._dropout is not None:
            self._dropout.draw(at.masks)
        at.forward()
        loss = self._training_loss.value(at)
        self._training_loss.gradient(at)
        at.backward()
        self._optimizer.step()
        self._steps += 1
        return loss

    def add_set(self, name: str, splits: Sequence[Split]) -> None:
        """Name an evaluation set: one split for each stream, in the order of `streams`."""
        inputs = [_rows(data.inputs, split.indices) if split.pool is data.pool else _foreign(split, data)
                  for data, split in zip(self._data, splits, strict=True)]  # fmt: skip
        labels = [None if split.labels is None else shared(split.labels).to(self.device) for split in splits]
        self._sets[name] = _EvaluationSet(inputs, self._labels(labels, None))

    @property
    def set_names(self) -> tuple[str, ...]:
        return tuple(self._sets)

    @property
    def streams(self) -> list[Member]:
        """The first member of each stream, in order."""
        return [self.members[runs.start] for runs in self._streams]

    def evaluate(self, name: str) -> Evaluated:
        """Measure every run on a named set, `EVALUATION_ROWS` images at a time, without dropout or smoothing."""
        chosen = self._sets[name]
        total = len(chosen.inputs[0])
        loss = np.zeros(self.network.runs)
        correct = np.zeros(self.network.runs)
        for start in range(0, total, EVALUATION_ROWS):
            rows = slice(start, min(start + EVALUATION_ROWS, total))
            at = self._pass(rows.stop - start, backward=False)
            for s, inputs in enumerate(chosen.inputs):
                at.inputs[s].copy_(inputs[rows])
            at.forward()
            if chosen.labels is not None:
                at.labels = chosen.labels[:, :, rows]
                correct += at.correct().cpu().numpy()
            mean = self._plain_loss.value(at)
            loss += mean.cpu().numpy().astype(np.float64) * (rows.stop - start)
        return Evaluated(loss / total, correct / total if chosen.labels is not None else np.full(len(loss), np.nan))

    def state(self, run: int) -> TrainingState:
        """A copy of all that run needs to go on."""
        return TrainingState(self.epoch, self._steps, {**self.network.state(run), **self._optimizer.state(run)})

    def _pass(self, rows: int, *, backward: bool) -> Pass:
        key = (rows, backward)
        if key not in self._passes:
            dropout = backward and self._dropout is not None
            self._passes[key] = Pass(self.network, self._streams, rows, backward=backward, dropout=dropout)
        return self._passes[key]

    def _labels(self, per_stream: Sequence[Tensor | None], orders: Sequence[Tensor] | None) -> Tensor | None:
        """Labels of every run as (run, 1, image), in the given order."""
        rows: list[Tensor] = []
        for s, (labels, runs) in enumerate(zip(per_stream, self._streams, strict=True)):
            if labels is None:
                return None
            ordered = labels if orders is None else labels[orders[s]]
            rows += [ordered] * (runs.stop - runs.start)
        return torch.stack(rows).unsqueeze(1)


@dataclass(frozen=True)
class _EvaluationSet:
    inputs: list[Tensor]
    labels: Tensor | None


class _StreamData:
    """The training images of one stream on the device, and the order in which each epoch takes them."""

    def __init__(self, member: Member, pools: dict[int, Tensor], device: torch.device) -> None:
        """`pools` holds what is on the device already, by the pool's `id`: streams without a centre share it."""
        splits = member.splits
        self._member = member
        self.pool = splits.train.pool
        self.center = None if splits.center is None else shared(splits.center)
        if self.center is None:
            self.inputs = pools.setdefault(id(self.pool), shared(self.pool.inputs).to(device))
        else:
            self.inputs = (shared(self.pool.inputs) - self.center).to(device)
        self.indices = shared(splits.train.indices).to(device)
        labels = splits.train.labels if member.recipe.has_labels else None
        self.labels = None if labels is None else shared(labels).to(device)
        self.images = len(self.indices)

    def shuffle(self, epoch: int) -> Tensor:
        """The order of one epoch: a permutation that depends on the stream and the epoch alone."""
        member = self._member
        seed = seeding.derive(member.seed, member.replicate, seeding.ORDER, epoch)
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(self.images, generator=generator).to(self.indices.device)


class _Dropout:
    """Masks for the hidden layers. Runs of one stream draw the same numbers, and each keeps its own share of them."""

    def __init__(self, members: Sequence[Member], streams: Sequence[slice], device: torch.device) -> None:
        self._streams = streams
        self._members = [members[runs.start] for runs in streams]
        rates = torch.tensor([member.recipe.network.dropout for member in members], device=device).view(-1, 1, 1)
        self._rates = rates
        self._scales = 1 / (1 - rates)
        self._generators = [torch.Generator(device) for _ in streams]

    def begin_epoch(self, epoch: int) -> None:
        for generator, member in zip(self._generators, self._members, strict=True):
            seed, replicate = member.stream
            generator.manual_seed(seeding.derive(seed, replicate, seeding.DROPOUT, epoch))

    def draw(self, masks: Sequence[Tensor]) -> None:
        """Fill one mask a hidden layer, (run, row, unit): 0 where dropped, 1 / (1 - rate) where kept."""
        for mask in masks:
            for runs, generator in zip(self._streams, self._generators, strict=True):
                numbers = torch.rand(mask.shape[1:], generator=generator, device=mask.device)
                torch.mul(numbers >= self._rates[runs], self._scales[runs], out=mask[runs])


def _streams(members: Sequence[Member]) -> list[slice]:
    """The slice of the run axis of each stream; `members` are sorted by stream."""
    slices: list[slice] = []
    for _, same in groupby(members, key=lambda member: member.stream):
        start = slices[-1].stop if slices else 0
        slices.append(slice(start, start + len(list(same))))
    return slices


def shared(array: npt.NDArray[Any]) -> Tensor:
    """A tensor over a read-only array's own memory. PyTorch cannot mark it read-only: nobody may write to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _rows(inputs: Tensor, indices: npt.NDArray[np.int64]) -> Tensor:
    """Rows of `inputs`; a view where they follow one another."""
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        return inputs[int(indices[0]) : int(indices[-1]) + 1]
    return inputs[torch.from_numpy(indices).to(inputs.device)]


def _foreign(split: Split, data: _StreamData) -> Tensor:
    """Rows of another pool (a test file), centred as the training images are."""
    rows = _rows(shared(split.pool.inputs), split.indices)
    return (rows if data.center is None else rows - data.center).to(data.inputs.device)
