"""Small random problems that any engine can be given, and what PyTorch's own loop makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from paribus.spec.activations import ActivationBase, Relu
from paribus.spec.losses import CrossEntropy, LossBase
from paribus.spec.optimizers import OptimizerBase, Sgd
from paribus.spec.recipe import Clip
from paribus.training.engine import Architecture, Engine, Epoch, Inputs, RunSettings, Session
from tests.training.oracle import PlainRun, dropout_masks, plain_loop

LOSS_TOLERANCE = 1e-6
WEIGHT_TOLERANCE = {"sgd": 1e-6, "adam": 2e-4, "adamw": 2e-4, "rmsprop": 2e-4}
"""Of the largest parameter of a tensor. Sums in another order differ in the last place. All optimizers but SGD divide a
gradient by its own size, so where one is nearly zero, the last place of its terms moves a weight noticeably."""


def settings(
    loss: LossBase | None = None,
    optimizer: OptimizerBase | None = None,
    dropout: float = 0.0,
    clip: Clip | None = None,
) -> RunSettings:
    return RunSettings(
        loss or CrossEntropy(), optimizer or Sgd(kind="sgd", lr=0.05, momentum=0.9), dropout=dropout, clip=clip
    )


@dataclass(frozen=True, eq=False)
class Problem:
    """Runs, their data and every epoch's order. `targets` and `weights` (stream, row, ...) are by row of the inputs,
    `orders` are (epoch, stream, example), `rates` and `momenta` (epoch, batch, run), `keys` (epoch, stream)."""

    architecture: Architecture
    inputs: Inputs
    runs: Sequence[RunSettings]
    streams: Sequence[int]
    states: Sequence[dict[str, Any]]
    targets: Any
    weights: Any
    orders: Any
    rates: Any
    momenta: Any
    keys: Any
    batch_size: int
    corrupted: Any = None
    """What networks see in place of the inputs (epoch, stream, example, feature), or None."""

    def seen(self, stream: int, values: Any = None) -> Any:
        """The inputs (row, feature), or other values, as the networks of a stream see them."""
        values = self.inputs.values if values is None else values
        divisor = self.inputs.divisor if values.dtype == np.uint8 else 1.0
        values = values.astype(np.float32) / np.float32(divisor)
        centre, factor = self.inputs.centre, self.inputs.factor
        values = values if centre is None else values - centre[stream]
        return values if factor is None else values * factor[stream]

    def epochs(self) -> list[Epoch]:
        def ordered(values: Any, order: Any) -> Any:
            return None if values is None else np.stack([own[rows] for own, rows in zip(values, order, strict=True)])

        return [
            Epoch(
                order=order,
                targets=ordered(self.targets, order),
                weights=ordered(self.weights, order),
                learning_rates=self.rates[e],
                momenta=None if self.momenta is None else self.momenta[e],
                dropout_keys=self.keys[e] if self.runs[0].dropout else None,
                inputs=None if self.corrupted is None else self.corrupted[e],
            )
            for e, order in enumerate(self.orders)
        ]

    def session(
        self, engine: Engine, states: Sequence[Any] | None = None, steps: int = 0, *, keeps_margins: bool = False
    ) -> Session:
        return engine.session(
            self.architecture,
            self.inputs,
            self.runs,
            self.streams,
            states or self.states,
            batch_size=self.batch_size,
            steps=steps,
            keeps_margins=keeps_margins,
        )

    def trained(self, engine: Engine) -> tuple[Session, Any]:
        """A session after all epochs, and the losses (epoch, batch, run)."""
        session = self.session(engine)
        return session, np.array([session.train_epoch(epoch) for epoch in self.epochs()])

    def alone(self, run: int) -> Problem:
        """One run's problem."""
        stream = [self.streams[run]]
        own = {name: None if value is None else value[stream] for name, value in (
            ("targets", self.targets), ("weights", self.weights),
        )}  # fmt: skip
        centre, factor = self.inputs.centre, self.inputs.factor
        return replace(
            self,
            inputs=replace(
                self.inputs,
                centre=None if centre is None else centre[stream],
                factor=None if factor is None else factor[stream],
            ),
            runs=[self.runs[run]],
            streams=[0],
            states=[self.states[run]],
            orders=self.orders[:, stream],
            rates=self.rates[:, :, [run]],
            momenta=None if self.momenta is None else self.momenta[:, :, [run]],
            keys=self.keys[:, stream],
            corrupted=None if self.corrupted is None else self.corrupted[:, stream],
            **own,
        )

    def expected(self, run: int, dtype: torch.dtype = torch.float32) -> PlainRun:
        """What PyTorch's own loop gives for a run."""
        stream, own = self.streams[run], self.runs[run]
        keys = [int(key) for key in self.keys[:, stream]]
        return plain_loop(
            self.architecture,
            own,
            self.seen(stream),
            None if self.targets is None else self.targets[stream],
            list(self.orders[:, stream]),
            self.rates[:, :, run],
            self.states[run],
            self.batch_size,
            weights=None if self.weights is None else self.weights[stream],
            momenta=None if self.momenta is None else self.momenta[:, :, run],
            masks=dropout_masks(keys, self.architecture.widths, own.dropout) if own.dropout else None,
            corrupted=None if self.corrupted is None else [self.seen(stream, c) for c in self.corrupted[:, stream]],
            dtype=dtype,
        )


def problem(
    *runs: RunSettings,
    widths: Sequence[int] = (20, 24, 9, 5),
    activations: Sequence[ActivationBase] | None = None,
    streams: Sequence[int] | None = None,
    rows: int = 60,
    examples: int = 53,
    batch_size: int = 16,
    epochs: int = 3,
    reconstruct: bool = False,
    of_bytes: bool = False,
    scaled: bool = False,
    weighted: bool = False,
    cycled: bool = False,
    corrupted: type[np.generic] | None = None,
    batch_norm: bool = False,
    tied: bool = False,
    seed: int = 1,
) -> Problem:
    """A random problem for these runs, each by default in the one stream 0. Without further words an epoch has three
    full batches and one of 5 examples. `corrupted` is the type of the inputs that each epoch has in place of the
    session's."""
    runs = runs or (settings(),)
    streams = streams or [0] * len(runs)
    random = np.random.default_rng(seed)
    count, loss = max(streams) + 1, runs[0].loss
    features, outputs, batches = widths[0], widths[-1], -(-examples // batch_size)
    if reconstruct:
        targets = None
    elif loss.has_classes:
        targets = random.integers(0, max(outputs, 2), (count, rows))
    else:
        targets = random.normal(size=(count, rows, outputs)).astype(np.float32)
    values = random.integers(0, 256, (rows, features)) if of_bytes else random.normal(size=(rows, features))
    inputs = Inputs(
        values.astype(np.uint8 if of_bytes else np.float32),
        divisor=255.0 if of_bytes else 1.0,
        centre=random.normal(size=(count, features)).astype(np.float32) if scaled else None,
        factor=random.uniform(0.5, 2, (count, features)).astype(np.float32) if scaled else None,
    )
    inputs.values.setflags(write=False)
    of_runs = np.array([run.optimizer.lr for run in runs])
    own = random.integers(0, 256, (epochs, count, examples, features)) if corrupted else None
    if own is not None:
        own = own.astype(np.uint8) if corrupted is np.uint8 else (own / 99 - 1).astype(np.float32)
    return Problem(
        architecture=Architecture(
            tuple(widths), tuple(activations or [Relu()] * (len(widths) - 2)), batch_norm=batch_norm, tied=tied
        ),
        inputs=inputs,
        runs=runs,
        streams=streams,
        states=[_state(widths, random, batch_norm=batch_norm, tied=tied) for _ in runs],
        targets=targets,
        weights=random.uniform(0.2, 3, (count, rows)).astype(np.float32) if weighted else None,
        orders=np.array([[random.permutation(rows)[:examples] for _ in range(count)] for _ in range(epochs)]),
        rates=of_runs * random.uniform(0.5, 1, (epochs, batches, 1)),
        momenta=random.uniform(0.8, 0.95, (epochs, batches, len(runs))) if cycled else None,
        keys=random.integers(0, 2**64, (epochs, count), dtype=np.uint64),
        batch_size=batch_size,
        corrupted=own,
    )


def _state(widths: Sequence[int], random: np.random.Generator, *, batch_norm: bool, tied: bool) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for i, (a, b) in enumerate(pairwise(widths), start=1):
        if not tied or i <= len(widths) // 2:
            state[f"fc{i}.weight"] = random.uniform(-1, 1, (b, a)).astype(np.float32) / np.float32(a**0.5)
        state[f"fc{i}.bias"] = random.uniform(-1, 1, b).astype(np.float32) / np.float32(a**0.5)
    for i, width in enumerate(widths[1:-1] if batch_norm else (), start=1):
        for name in ("weight", "bias", "running_mean", "running_var"):
            low = -1.0 if name in ("bias", "running_mean") else 0.5
            state[f"bn{i}.{name}"] = random.uniform(low, 1.5, width).astype(np.float32)
        state[f"bn{i}.num_batches_tracked"] = np.array(7, np.int64)
    return state


def largest_difference(ours: Any, theirs: Any) -> float:
    """Of any number of tensors that `theirs` has, relative to the largest number of its layer, weights and biases."""
    scales: dict[str, float] = {}
    theirs = {name: tensor for name, tensor in theirs.items() if tensor.dtype != np.int64}
    for name, tensor in theirs.items():
        layer = name.rpartition(".")[0]
        scales[layer] = max(scales.get(layer, 0.0), float(np.abs(tensor).max()))
    return max(
        float(np.abs(ours[name] - theirs[name]).max() / (scales[name.rpartition(".")[0]] or 1.0)) for name in theirs
    )


def parameters(state: Any) -> dict[str, Any]:
    """A state without the optimizer's buffers."""
    return {name: tensor for name, tensor in state.items() if "/" not in name}


def same_bits(ours: Any, theirs: Any) -> bool:
    """Whether two states are the same, bit by bit."""
    return ours.keys() == theirs.keys() and all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)


def assert_equals_the_plain_loop(of: Problem, engine: Engine) -> None:
    """Every run of a session against PyTorch's own loop: losses, parameters and the optimizer's buffers."""
    session, losses = of.trained(engine)
    for run, own in enumerate(of.runs):
        # Normalisation takes away what a layer's bias adds. In float32, PyTorch's gradient of it is a rounding error,
        # which optimizers that divide a gradient by its own size turn into whole steps.
        exact = of.architecture.batch_norm and own.optimizer.kind != "sgd"
        expected, state = of.expected(run, torch.float64 if exact else torch.float32), dict(session.state(run))
        assert state.keys() >= expected.state.keys()
        np.testing.assert_allclose(losses[:, :, run], expected.losses, rtol=LOSS_TOLERANCE)
        tolerance = WEIGHT_TOLERANCE[own.optimizer.kind]
        assert largest_difference(state, parameters(expected.state)) < tolerance
        # a buffer follows gradients, which are small beside the terms that they are the sums of
        assert largest_difference(state, expected.state) < 10 * tolerance
