"""A cohort: runs that train together as one batched program, along the leading axis `run`.

Nothing that a run computes depends on its company: see `networks` and `optimizers` for how, and the tests for proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paribus import seeding
from paribus.data.pool import Split, Splits
from paribus.spec.recipe import Recipe
from paribus.training.engine import Goal
from paribus.training.epoch import TrainingEpoch, Values
from paribus.training.measuring import Measured, Measuring
from paribus.training.networks import StackedNetwork, initial_state
from paribus.training.optimizers import StackedOptimizer
from paribus.training.streams import Dropout, StreamData, shared, streams_of


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
        self._plain = _goal(recipes, self.device, smoothed=False)
        self.network = StackedNetwork(first.recipe.network.layers, states, self.device)
        self._streams = streams_of(self.members)
        self._data = [StreamData(self.members[runs.start], self.device) for runs in self._streams]
        self._optimizer = StackedOptimizer(self.network, [recipe.optimizer for recipe in recipes], states, self._steps)
        self._training = TrainingEpoch(
            self.network,
            self._streams,
            self._data,
            batch_size=first.recipe.training.batch_size,
            goal=_goal(recipes, self.device, smoothed=True),
            optimizer=self._optimizer,
            dropout=Dropout(self.members, self._streams, self.device) if first.recipe.network.dropout else None,
        )
        self._sets: dict[str, Measuring] = {}

    @property
    def images(self) -> int:
        """Training images that each run sees in an epoch."""
        return self._training.images

    @property
    def streams(self) -> list[Member]:
        """The first member of each stream, in order."""
        return [self.members[runs.start] for runs in self._streams]

    def train_epoch(self, rates: Sequence[float]) -> Values:
        """Train every run for one epoch at its learning rate; the mean over the epoch's batches of each loss (run,)."""
        losses = self._training.run(self.epoch, rates)
        self.epoch += 1
        self._steps += self._training.steps
        return losses

    def add_set(self, name: str, splits: Sequence[Split]) -> None:
        """Name an evaluation set: one split for each stream, in the order of `streams`."""
        if all(split is splits[0] for split in splits) and not any(data.centered for data in self._data):
            inputs = [self._data[0].inputs_of(splits[0])] * len(splits)
        else:
            inputs = [data.inputs_of(split) for data, split in zip(self._data, splits, strict=True)]
        labels = [shared(split.labels).to(self.device) for split in splits if split.labels is not None]
        self._sets[name] = Measuring(self.network, self._streams, inputs, labels or None, self._plain)

    @property
    def set_names(self) -> tuple[str, ...]:
        return tuple(self._sets)

    def evaluate(self, name: str) -> Measured:
        """Measure every run on a named set, without dropout or smoothing."""
        return self._sets[name].run()

    def state(self, run: int) -> TrainingState:
        """A copy of all that run needs to go on."""
        return TrainingState(self.epoch, self._steps, {**self.network.state(run), **self._optimizer.state(run)})


def _goal(recipes: Sequence[Recipe], device: torch.device, *, smoothed: bool) -> Goal:
    """What these runs minimise, or, not `smoothed`, what is measured on validation and test data."""
    smoothing = [recipe.loss.label_smoothing if smoothed else 0.0 for recipe in recipes]
    has_classes = recipes[0].loss.kind == "cross-entropy"
    return Goal(has_classes, torch.tensor(smoothing, dtype=torch.float64, device=device))
