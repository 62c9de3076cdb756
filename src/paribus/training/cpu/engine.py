"""The compiled engine behind the contract of `training/engine.py`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar, Final, final

import numpy as np
import numpy.typing as npt

from paribus.spec.identity import EngineFamily
from paribus.spec.losses import CrossEntropy, LossBase
from paribus.training.cpu.epoch import EpochArrays, InputArrays, train_epoch
from paribus.training.cpu.evaluation import (
    EVALUATION_ROWS,
    EvaluationArrays,
    evaluate,
    evaluation_steps,
    hidden_activations,
    infer,
    scaled_features,
)
from paribus.training.cpu.loss_arrays import loss_arrays
from paribus.training.cpu.optimizers import MOMENTUM, OPTIMIZER_CODES, OptimizerArrays, hyperparameters
from paribus.training.cpu.parameters import Layout, RowState, aligned_zeros, padded
from paribus.training.cpu.passes import buffers
from paribus.training.cpu.vectors import LANES
from paribus.training.cpu.zero_skipping import NO_PATTERN, ZeroPattern, nonzero_steps, zero_pattern
from paribus.training.engine import (
    Architecture,
    Doubles,
    Engine,
    Epoch,
    Evaluation,
    Floats,
    Forward,
    Inputs,
    Integers,
    Networks,
    RunSettings,
    Session,
    State,
    Targets,
    tracked_batches,
)
from paribus.training.sums import exact_sums

MIN_SKIPPING_OUTPUTS: Final = 32
"""Outputs of the first layer from which a batch's zeros are looked for: with fewer, that costs what skipping saves. How
many runs share the batch must not count: where a run diverges, skipping 0 * inf changes bits."""


@final
class CompiledNetworks(Networks):
    """Networks whose parameters are the rows of one array (run, parameter), and their running statistics those of
    another (run, statistic), which have seen `tracked` (run,) training steps."""

    def __init__(self, layout: Layout, states: Sequence[State], streams: Sequence[int]) -> None:
        self.layout, self.parameters = layout, layout.stacked(states)
        self.statistics = layout.stacked_statistics(states)
        self.tracked = [tracked_batches(state) for state in states]
        self._stream_of = np.array(streams, dtype=np.int64)

    @property
    def runs(self) -> int:
        return len(self.parameters)

    def state(self, run: int) -> RowState:
        return self.state_of(run, {})

    def state_of(self, run: int, buffers: Mapping[str, Floats]) -> RowState:
        """A copy of one run's tensors, and of its row in each of the `buffers` (run, parameter)."""
        rows = {"": self.parameters[run], **{f"{name}/": held[run] for name, held in buffers.items()}}
        return RowState(self.layout, rows, self.statistics[run], self.tracked[run])

    def evaluator(
        self,
        inputs: Inputs,
        rows: Sequence[Integers],
        targets: Sequence[Targets] | None,
        loss: LossBase,
        *,
        predictions: bool = False,
    ) -> Callable[[], Evaluation]:
        features = scaled_features(inputs, rows)
        stream_of = self._stream_of if len(features) > 1 else np.zeros(self.runs, np.int64)
        labels, numbers = _arrays_of(None if targets is None else _for_streams(targets, features), features.shape[:2])
        ones, no_memory = np.ones(EVALUATION_ROWS, np.float32), np.zeros((0, 0), np.float32)
        steps = evaluation_steps(features)
        examples = EvaluationArrays(features, labels, ones, numbers, targets is None, steps, no_memory)
        losses_of = loss_arrays([loss.evaluated] * self.runs, weighted=False)
        work = buffers(self.layout.layers, EVALUATION_ROWS)
        weights = _part_weights(loss, labels)[:, stream_of]
        losses, correct = np.zeros(weights.shape), np.zeros(weights.shape, np.int64)
        squares = np.zeros((*weights.shape, numbers.shape[2]))
        predicted = np.zeros((self.runs, features.shape[1] if predictions else 0), np.int64)

        def run() -> Evaluation:
            layers, parameters, statistics = self.layout.layers, self.parameters, self.statistics
            found = losses, correct, squares, predicted
            evaluate(layers, parameters, statistics, work, stream_of, examples, losses_of, *found)
            mean = exact_sums(losses * weights) / exact_sums(weights)
            right = correct.sum(axis=0) if loss.has_classes else None
            classes = predicted.copy() if predictions else None
            return Evaluation(mean, right, _mean_squares(squares, features.shape[1]), classes)

        return run

    def forward(self, inputs: Inputs, rows: Integers, *, activations: bool = False) -> Forward:
        layers, count = self.layout.layers, len(rows)
        features = scaled_features(inputs, [rows])[0]
        work, no_steps = buffers(layers, count), nonzero_steps(None, 0, 0)
        outputs = np.zeros((self.runs, count, layers.outputs), np.float32)
        found = [np.zeros((self.runs, count, width), np.float32) for width in self.layout.hidden if activations]
        for run in range(self.runs):
            infer(layers, self.parameters[run], self.statistics[run], work, features, no_steps, outputs[run])
            for layer, into in enumerate(found, start=1):
                into[run] = hidden_activations(layers, work, layer, count)[:, : into.shape[2]]
        return Forward(outputs, tuple(found))


@final
class CompiledSession(Session):
    """Runs in training by compiled loops."""

    def __init__(
        self,
        architecture: Architecture,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool,
    ) -> None:
        if keeps_margins and not all(run.loss.has_classes for run in runs):
            raise ValueError("only examples of classes have margins")
        layout = Layout(architecture)
        self._networks = CompiledNetworks(layout, states, streams)
        self._layers, self._batch_size, self._steps = layout.layers, batch_size, steps
        self._work = buffers(self._layers, batch_size)
        self._stream_of = np.array(streams, dtype=np.int64)
        self._dropout = np.array([run.dropout for run in runs], dtype=np.float32)
        self._losses = [run.loss for run in runs]
        first = runs[0].optimizer
        self._buffers = {name: layout.stacked(states, f"{name}/") for name in first.buffers}
        self._optimizer = _optimizer_arrays(runs, list(self._buffers.values()), layout.size)
        self._inputs = self._input_arrays(inputs, max(streams) + 1)
        self._clean_batch: Floats | None = None
        self._keeps_margins, self._margins = keeps_margins, np.zeros((len(runs), 0), np.float32)

    @property
    def networks(self) -> CompiledNetworks:
        return self._networks

    def train_epoch(self, epoch: Epoch) -> Doubles:
        losses = np.zeros(epoch.learning_rates.shape)
        if self._keeps_margins:
            self._margins = np.zeros((len(self._losses), epoch.order.shape[1]), np.float32)
        seen, keys = self._seen(epoch), epoch.dropout_keys
        weighted = epoch.weights is not None or epoch.kept_share is not None
        if weighted and self._losses[0].kind != "cross-entropy":
            raise ValueError("the compiled engine weighs examples for cross-entropy only")
        labels, numbers = _arrays_of(epoch.targets, epoch.order.shape)
        arrays = EpochArrays(
            seen.order,
            labels,
            numbers,
            epoch.targets is None,
            seen.corrupted,
            np.ascontiguousarray(epoch.order),
            np.ones(epoch.order.shape, np.float32) if epoch.weights is None else epoch.weights,
            epoch.learning_rates,
            epoch.momenta is not None,
            losses if epoch.momenta is None else epoch.momenta,
            keys is not None,
            np.zeros(len(epoch.order), np.uint64) if keys is None else keys,
            *_mixed_arrays(epoch),
            np.zeros((len(self._losses), 0, 0), np.float32) if epoch.memory is None else epoch.memory,
            epoch.kept_share is not None,
            np.ones(len(self._losses)) if epoch.kept_share is None else epoch.kept_share,
        )
        train_epoch(
            self._layers,
            self._networks.parameters,
            self._networks.statistics,
            self._optimizer,
            self._work,
            seen.inputs,
            seen.clean,
            loss_arrays(self._losses, weighted=weighted),
            self._dropout,
            self._stream_of,
            arrays,
            self._steps,
            losses,
            self._margins,
        )
        self._steps += len(losses)
        self._networks.tracked = [tracked + len(losses) for tracked in self._networks.tracked]
        return losses

    def margins(self) -> Floats:
        if not self._margins.size:
            raise ValueError("no margins have been kept")
        return self._margins

    def state(self, run: int) -> RowState:
        return self._networks.state_of(run, self._buffers)

    def _seen(self, epoch: Epoch) -> _Seen:
        """The inputs of an epoch. Its own are one array (stream * example, feature), of which every stream reads its
        part in order; finding out where they are zero would take longer than skipping saves."""
        given = epoch.inputs
        if given is None:
            return _Seen(self._inputs, self._inputs, np.ascontiguousarray(epoch.order), corrupted=False)
        values = np.ascontiguousarray(given).reshape(-1, given.shape[2])
        values.flags.writeable = False  # as the session's are: compiled code has another type for it
        plain = self._inputs._replace(pattern=NO_PATTERN, steps=nonzero_steps(None, 0, 0))
        divisor = plain.divisor if values.dtype == np.uint8 else np.float32(1)
        inputs = plain._replace(values=values, divisor=divisor)
        order = np.arange(len(values)).reshape(epoch.order.shape)
        if epoch.targets is not None:
            return _Seen(inputs, inputs, order, corrupted=False)
        if self._clean_batch is None:
            self._clean_batch = aligned_zeros(*plain.batch.shape)
        return _Seen(inputs, plain._replace(batch=self._clean_batch), order, corrupted=True)

    def _input_arrays(self, inputs: Inputs, streams: int) -> InputArrays:
        width = inputs.values.shape[1]
        wanted = inputs.centre is None and inputs.factor is None and self._layers.widths[1] >= MIN_SKIPPING_OUTPUTS
        pattern = _pattern_of(inputs.values) if wanted else None
        # A row is a little longer than an example: rows a power of two apart would evict each other from the cache.
        batch = aligned_zeros(self._batch_size, padded(width) + LANES)
        return InputArrays(
            inputs.values,
            np.float32(inputs.divisor),
            np.zeros((streams, width), np.float32) if inputs.centre is None else inputs.centre,
            inputs.factor is not None,
            np.ones((streams, width), np.float32) if inputs.factor is None else inputs.factor,
            NO_PATTERN if pattern is None else pattern,
            batch,
            nonzero_steps(pattern, self._batch_size, padded(width)),
        )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What networks see in an epoch, the `clean` inputs that those which reconstruct are to give, and the order
    (stream, example) of the inputs."""

    inputs: InputArrays
    clean: InputArrays
    order: Integers
    corrupted: bool


@final
class CompiledEngine(Engine[Architecture]):
    """Trains on the processor, one core for each session."""

    family: ClassVar[EngineFamily] = "cpu"

    def networks(self, architecture: Architecture, states: Sequence[State]) -> CompiledNetworks:
        return CompiledNetworks(Layout(architecture), states, range(len(states)))

    def session(
        self,
        architecture: Architecture,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool = False,
    ) -> CompiledSession:
        return CompiledSession(
            architecture,
            inputs,
            runs,
            streams,
            states,
            batch_size=batch_size,
            steps=steps,
            keeps_margins=keeps_margins,
        )


def _mixed_arrays(epoch: Epoch) -> tuple[bool, Integers, Floats]:
    """Whether examples are mixed, and the others' classes and the shares of their own (stream, example)."""
    if epoch.mixed is None:
        streams = len(epoch.order)
        return False, np.zeros((streams, 0), np.int64), np.zeros((streams, 0), np.float32)
    return True, np.ascontiguousarray(epoch.mixed.targets), np.ascontiguousarray(epoch.mixed.shares)


def _mean_squares(sums: Doubles, examples: int) -> Doubles | None:
    """The mean (run, output) over all examples of sums (part, run, output); None where there are no outputs."""
    parts, runs, outputs = sums.shape
    return exact_sums(sums.reshape(parts, -1)).reshape(runs, outputs) / examples if outputs else None


def _part_weights(loss: LossBase, labels: Integers) -> Doubles:
    """How much each part of a set counts in its mean, (part, stream): its examples, or their class weights."""
    by_example = np.ones(labels.shape)
    if isinstance(loss, CrossEntropy) and loss.class_weights is not None:
        by_example *= np.array(loss.class_weights, dtype=np.float32)[labels]
    starts = np.arange(0, labels.shape[1], EVALUATION_ROWS)
    return np.add.reduceat(by_example, starts, axis=1).T


def _for_streams(targets: Sequence[Targets], features: Floats) -> Targets:
    return np.stack([targets[stream if len(targets) > 1 else 0] for stream in range(len(features))])


def _arrays_of(targets: Targets | None, shape: tuple[int, ...]) -> tuple[Integers, Floats]:
    """Targets (stream, example) as classes, and (stream, example, output) as numbers; what is not given is empty."""
    labels, numbers = np.zeros(shape, np.int64), np.zeros((*shape, 0), np.float32)
    if targets is None:
        return labels, numbers
    given = np.ascontiguousarray(targets)
    return (labels, given) if given.ndim == 3 else (given, numbers)


def _optimizer_arrays(runs: Sequence[RunSettings], state: Sequence[Floats], size: int) -> OptimizerArrays:
    kind = runs[0].optimizer.kind
    if any(run.optimizer.kind != kind for run in runs):
        raise ValueError("the runs of a session have optimizers of one kind")
    clips = [run.clip for run in runs if run.clip is not None]
    by_norm = bool(clips) and clips[0].norm is not None
    limits = [clip.norm if by_norm else clip.value for clip in clips] or [0.0] * len(runs)
    return OptimizerArrays(
        OPTIMIZER_CODES[kind],
        np.ascontiguousarray(np.array([hyperparameters(run.optimizer) for run in runs]).T),
        MOMENTUM[kind],
        state[0],
        state[min(1, len(state) - 1)],
        state[-1],
        bool(clips) and not by_norm,
        by_norm,
        np.array(limits, dtype=np.float32),
        np.zeros(size if by_norm else 0, np.float32),
    )


def _pattern_of(values: npt.NDArray[Any]) -> ZeroPattern | None:
    """Where a source's examples are zero: found once, for as long as the array exists."""
    key = id(values)
    with _lock:
        if key not in _patterns:
            _patterns[key] = zero_pattern(values)
            weakref.finalize(values, _patterns.pop, key, None)
        return _patterns[key]


_patterns: dict[int, ZeroPattern | None] = {}
_lock = Lock()
