"""A cohort: runs that train together as one session of an engine, along the leading axis `run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus import seeding
from paribus.data.pool import Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.network import Module
from paribus.training.augmentation import Augmenter
from paribus.training.engine import (
    AnyArchitecture,
    Architecture,
    Doubles,
    Engine,
    Epoch,
    Evaluation,
    Floats,
    Inputs,
    Integers,
    MixedTargets,
    ModuleArchitecture,
    RunSettings,
    State,
    Targets,
    module_shape,
)
from paribus.training.initialisation import initial_state
from paribus.training.label_shares import label_shares
from paribus.training.margins import MarginSums, begun
from paribus.training.regression import rmse_in_units
from paribus.training.run_tensors import MEMORY, own_tensors, peer_tensors, with_memory, with_peer
from paribus.training.schedules import EpochRates
from paribus.training.sums import exact_sums

StreamKey = tuple[tuple[int, int], ...]
"""The random streams that decide which examples a run sees, in which order, how they are augmented, and which units it
drops."""


@dataclass(frozen=True)
class TrainingState:
    """Where a run is: finished epochs, training steps, and tensors by name (parameters and optimizer buffers); and the
    sums of margins, where it keeps any."""

    epoch: int
    steps: int
    tensors: State
    margins: MarginSums | None = None


@dataclass(frozen=True, eq=False)
class ActiveRun:
    """A run in training: what it is, its data, and the state that it begins or resumes from."""

    spec: RunSpec
    splits: Splits
    state: TrainingState

    @property
    def stream(self) -> StreamKey:
        return stream_key(self.spec)


@dataclass(frozen=True, eq=False)
class TrainLoss:
    """The training loss of one epoch (run,): the mean over its batches, and the mean over its examples.

    They differ where the last batch is smaller than the others.
    """

    by_batch: Doubles
    by_example: Doubles


def stream_key(spec: RunSpec) -> StreamKey:
    """Runs of one cohort with equal keys see the same examples in the same order, augmented alike, and drop the same
    units."""
    own = spec.streams
    used = (own.split, own.label_noise, own.order, own.dropout, own.augmentation)
    return tuple((s.seed, s.index) for s in used)


def fresh_state(spec: RunSpec) -> TrainingState:
    """The state before the first epoch: a run's initial weights."""
    network, made_of = spec.recipe.network, architecture(spec)
    if isinstance(made_of, ModuleArchitecture):
        from paribus.training.torch.module_engine import initial_state as state_of_module

        return TrainingState(0, 0, state_of_module(made_of, seeding.derive(spec.streams.init, "init")))
    assert not isinstance(network, Module)
    own = initial_state(network, made_of.widths, spec.streams.init)
    if spec.recipe.training.co_teaching is None:
        return TrainingState(0, 0, own)
    peer = initial_state(network, made_of.widths, spec.streams.init, peer=True)
    return TrainingState(0, 0, with_peer(own, peer))


def architecture(spec: RunSpec) -> AnyArchitecture:
    """The layers of a run's network, or the user's module that it is."""
    network = spec.recipe.network
    if isinstance(network, Module):
        if spec.module is None:
            raise ValueError("a module has been checked before it is trained")
        return ModuleArchitecture(spec.module, network.name, network.arguments, module_shape(spec.dataset.shape))
    widths = spec.recipe.widths(spec.dataset)
    return Architecture(widths, network.activations, batch_norm=network.batch_norm, tied=network.ties_weights)


class Cohort:
    """Trains and evaluates its runs, which must agree in everything static and have finished as many epochs.

    Runs are sorted by their streams: `runs` has the order of the engine's axis `run`, in which a run that is taught
    with a peer has two places, its own and then its peer's.
    """

    def __init__(self, runs: Sequence[ActiveRun], engine: Engine) -> None:
        self.runs = sorted(runs, key=lambda run: run.stream)
        first = self.runs[0]
        self._recipe = first.spec.recipe
        self._loss = self._recipe.loss_on(first.spec.dataset)
        self._target_names = first.spec.dataset.targets
        self._curves = {name for run in runs for name in run.spec.recipe.curves(run.spec.dataset)}
        self._leaders = [next(same) for _, same in groupby(self.runs, key=lambda run: run.stream)]
        self.epoch, self._steps = first.state.epoch, first.state.steps
        self._each = 1 if self._recipe.training.co_teaching is None else 2
        self._streams = _places([run.stream for run in self.runs])
        self._memory = [self._remembered(run) for run in self.runs] if self._loss.remembers else None
        keeps_margins = self._recipe.snapshots.margins
        self._session = engine.session(
            architecture(first.spec),
            self.inputs_of(first.splits.train),
            [_settings(run.spec) for run in self.runs for _ in range(self._each)],
            [stream for stream in self._streams for _ in range(self._each)],
            [tensors for run in self.runs for tensors in self._networks_of(run)],
            batch_size=self._recipe.training.batch_size,
            steps=self._steps,
            keeps_margins=keeps_margins,
        )
        self._margins = [begun(run.state.margins, self.examples) for run in self.runs] if keeps_margins else []
        self._evaluators: dict[str, Callable[[], Evaluation]] = {}
        self._augmenters = [_augmenter(run) for run in self._leaders] if self._recipe.augmentation.present else []
        self._augmented: npt.NDArray[Any] | None = None
        self._set_sizes: dict[str, int] = {}
        sizes = _batch_sizes(self.examples, self._recipe.training.batch_size)
        self._batch_sizes = np.array(sizes, dtype=np.float64)

    @property
    def examples(self) -> int:
        """Training examples that each run sees in an epoch."""
        return len(self._leaders[0].splits.train)

    @property
    def leaders(self) -> list[ActiveRun]:
        """The first run of each stream, in order: what the engine's axis `stream` counts."""
        return self._leaders

    def train_epoch(self, rates: Sequence[EpochRates]) -> TrainLoss:
        """Train every run for one epoch at its learning rates."""
        epoch, steps = self.epoch, len(self._batch_sizes)
        places = [self._order(run, epoch) for run in self._leaders]
        rates = [rate for rate in rates for _ in range(self._each)]
        momenta = [rate.momenta for rate in rates if rate.momenta is not None]
        targets = self._targets([run.splits.train for run in self._leaders], places)
        memory = None
        if self._memory is not None:
            memory = np.stack([own[places[s]] for own, s in zip(self._memory, self._streams, strict=True)])
        order = np.stack([run.splits.train.rows[p] for run, p in zip(self._leaders, places, strict=True)])
        losses = self._session.train_epoch(
            Epoch(
                order=order,
                targets=targets,
                weights=None,
                learning_rates=np.stack([rate.learning_rates for rate in rates], axis=1),
                momenta=np.stack(momenta, axis=1) if momenta else None,
                dropout_keys=self._dropout_keys(epoch),
                inputs=self._augmented_inputs(order, epoch),
                generator_keys=self._generator_keys(epoch),
                mixed=self._mixed_targets(targets, epoch),
                memory=memory,
                kept_share=self._kept_share(epoch),
            )
        )[:, :: self._each]
        if self._memory is not None and memory is not None:
            for own, s, after in zip(self._memory, self._streams, memory, strict=True):
                own[places[s]] = after
        if self._margins:
            found = self._session.margins()[:: self._each]
            own_places = [places[stream] for stream in self._streams]
            by_run = zip(self._margins, found, own_places, strict=True)
            self._margins = [kept.plus(margins, where) for kept, margins, where in by_run]
        self.epoch += 1
        self._steps += steps
        by_example = exact_sums(losses * self._batch_sizes[:, None]) / self.examples
        return TrainLoss(exact_sums(losses) / steps, by_example)

    def add_set(self, name: str, splits: Sequence[Split], *, predictions: bool = False) -> None:
        """Name an evaluation set: one split for each stream, in the order of `leaders`; with `predictions`, the class
        of each example is evaluated, too."""
        shared = all(split is splits[0] for split in splits)
        inputs = self.inputs_of(splits[0])
        scaled = inputs.centre is not None or inputs.factor is not None or self._recipe.task == "regression"
        one = splits if scaled or not shared else splits[:1]
        rows = [split.rows for split in one]
        networks = self._session.networks
        targets: list[Targets] | None = None
        if self._recipe.task != "reconstruction":
            targets = [targets_of(split, run.splits) for split, run in zip(one, self._leaders, strict=False)]
        self._evaluators[name] = networks.evaluator(inputs, rows, targets, self._loss, predictions=predictions)
        self._set_sizes[name] = len(splits[0])

    @property
    def set_names(self) -> tuple[str, ...]:
        return tuple(self._evaluators)

    def evaluate(self, name: str) -> Evaluation:
        """Evaluate every run on a named set, without dropout or smoothing."""
        found = self._evaluators[name]()
        if self._each == 1:
            return found
        correct, predicted = (None if part is None else part[::2] for part in (found.correct, found.predicted))
        return Evaluation(found.loss[::2], correct, predicted=predicted)

    def metrics(self, name: str) -> dict[str, list[float]]:
        """The metrics of an evaluation on the set `name` ("train", "val" or "test"), each by run.

        The loss, and the share of examples that are put into their class. Of a regression, the loss is one of scaled
        targets, and the RMSE is in original units: its mean over the targets, and that of each by which a run chooses.
        """
        found = self.evaluate(name)
        if name == "train":
            return self._of_training(found)
        metrics = {f"{name}_loss": found.loss.tolist()}
        if found.correct is not None:
            metrics[f"{name}_accuracy"] = (found.correct / self._set_sizes[name]).tolist()
        if found.squared_error is not None:
            scalings = [run.splits.target_scaling for run in self.runs]
            rmse = rmse_in_units(found.squared_error, scalings)
            metrics[f"{name}_rmse"] = rmse.mean(axis=1).tolist()
            of_targets = {
                f"{name}_rmse:{target}": own.tolist() for target, own in zip(self._target_names, rmse.T, strict=True)
            }
            metrics |= {metric: values for metric, values in of_targets.items() if metric in self._curves}
        return metrics

    def _of_training(self, found: Evaluation) -> dict[str, list[float]]:
        """The metrics of the training split that the recipe asks for, each by run."""
        metrics = {"train_loss_end": found.loss.tolist()}
        if found.predicted is not None:
            pairs = zip(self.runs, found.predicted, strict=True)
            by_run = [label_shares(run.splits.train, predicted) for run, predicted in pairs]
            metrics |= {name: [shares[name] for shares in by_run] for name in by_run[0]}
        return {name: metrics[name] for name in self._recipe.metrics}

    def weights(self, run: int) -> State:
        """A copy of one run's parameters."""
        return self._session.networks.state(self._each * run)

    def margins(self, run: int) -> MarginSums | None:
        """A copy of the sums of one run's margins; None where it keeps none."""
        return begun(self._margins[run], self.examples) if self._margins else None

    def state(self, run: int) -> TrainingState:
        """A copy of all that a run needs to resume."""
        tensors = self._session.state(self._each * run)
        if self._each == 2:
            tensors = with_peer(tensors, self._session.state(2 * run + 1))
        if self._memory is not None:
            tensors = with_memory(tensors, self._memory[run])
        return TrainingState(self.epoch, self._steps, tensors, self.margins(run))

    def _networks_of(self, run: ActiveRun) -> list[State]:
        """The states of a run's own network and, where it has one, of its peer."""
        tensors = run.state.tensors
        return [own_tensors(tensors), *([peer_tensors(tensors)] if self._each == 2 else [])]

    def _remembered(self, run: ActiveRun) -> Floats:
        """What a run's loss keeps of each training example (example, class): 0 in the beginning."""
        if MEMORY in run.state.tensors:
            return np.array(run.state.tensors[MEMORY])
        return np.zeros((self.examples, len(run.spec.dataset.classes)), np.float32)

    def _mixed_targets(self, targets: Targets | None, epoch: int) -> MixedTargets | None:
        """The classes that mixed examples have of others, in the order of an epoch's examples."""
        if not self._recipe.augmentation.mixup or targets is None:
            return None
        pairs = [augmenter.pairs(self.examples, epoch) for augmenter in self._augmenters]
        others = [own[partners] for own, (partners, _) in zip(targets, pairs, strict=True)]
        return MixedTargets(np.stack(others), np.stack([shares for _, shares in pairs]))

    def _kept_share(self, epoch: int) -> Doubles | None:
        """The share of each batch that networks which teach each other are trained on."""
        teaching = self._recipe.training.co_teaching
        return None if teaching is None else np.full(2 * len(self.runs), teaching.kept(epoch + 1))

    def inputs_of(self, split: Split) -> Inputs:
        """The features of a split's pool, scaled for each stream as its training examples are."""
        return inputs_of(split, [run.splits for run in self._leaders])

    def _order(self, run: ActiveRun, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Positions in the training split: a permutation that depends on the stream and the epoch alone."""
        return seeding.draws(run.spec.streams.order, "order", epoch).permutation(self.examples)

    def _targets(self, splits: Sequence[Split], places: Sequence[np.ndarray]) -> Targets | None:
        """The classes or the scaled numbers of each stream's examples, in the order of `places`."""
        if self._recipe.task == "reconstruction":
            return None
        targets = [targets_of(split, run.splits) for split, run in zip(splits, self._leaders, strict=True)]
        return np.stack([own[p] for own, p in zip(targets, places, strict=True)])

    def _augmented_inputs(self, order: Integers, epoch: int) -> npt.NDArray[Any] | None:
        """The inputs (stream, example, feature) of an epoch's examples, in one array for all epochs."""
        if not self._augmenters:
            return None
        if self._augmented is None:
            shape = (*order.shape, self._leaders[0].splits.dataset.features)
            self._augmented = np.empty(shape, self._augmenters[0].dtype)
        for augmenter, rows, into in zip(self._augmenters, order, self._augmented, strict=True):
            augmenter.fill(into, rows, epoch)
        return self._augmented

    def _dropout_keys(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]] | None:
        if not self._recipe.network.dropout:
            return None
        keys = [seeding.derive(run.spec.streams.dropout, "dropout", epoch) for run in self._leaders]
        return np.array(keys, dtype=np.uint64)

    def _generator_keys(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]] | None:
        """The key of each run, which is alone in its cohort, that seeds what a module draws from in an epoch."""
        if not isinstance(self._recipe.network, Module):
            return None
        keys = [seeding.derive(run.spec.streams.module, "module", epoch) for run in self.runs]
        return np.array(keys, dtype=np.uint64)


def inputs_of(split: Split, scaled_as: Sequence[Splits]) -> Inputs:
    """The features of a split's pool, with the scaling of each of `scaled_as` along the axis `stream`."""
    centres = [splits.scaling.centre for splits in scaled_as]
    factors = [splits.scaling.factor for splits in scaled_as]
    return Inputs(split.pool.values, split.pool.divisor, _stacked(centres), _stacked(factors))


def targets_of(split: Split, scaled_as: Splits) -> Targets:
    """What networks learn to give for a split's examples: classes (example,), or scaled numbers (example, output).

    Raises ValueError where the split has neither.
    """
    if split.labels is not None:
        return split.labels
    numbers, scaling = split.numbers, scaled_as.target_scaling
    if numbers is None:
        raise ValueError("these examples have no targets")
    if scaling.centre is not None:
        numbers = numbers - scaling.centre
    return numbers if scaling.factor is None else numbers * scaling.factor


def _stacked(parts: Sequence[Floats | None]) -> Floats | None:
    given = [part for part in parts if part is not None]
    return np.stack(given) if given else None


def _augmenter(run: ActiveRun) -> Augmenter:
    splits, spec = run.splits, run.spec
    shape, stream = splits.dataset.shape, spec.streams.augmentation
    return Augmenter(spec.recipe.augmentation, splits.train, shape, splits.scaling, stream)


def _settings(spec: RunSpec) -> RunSettings:
    recipe = spec.recipe
    return RunSettings(recipe.loss_on(spec.dataset), recipe.optimizer, recipe.network.dropout, recipe.training.clip)


def _places(keys: Sequence[StreamKey]) -> list[int]:
    """Each run's stream, numbered from 0: keys a, a, b give 0, 0, 1."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def _batch_sizes(examples: int, batch_size: int) -> list[int]:
    return [min(batch_size, examples - start) for start in range(0, examples, batch_size)]
