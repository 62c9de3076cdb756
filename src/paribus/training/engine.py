"""The engine contract: what trains and evaluates many networks of one architecture side by side.

An engine is given NumPy arrays and gives NumPy arrays back; how it lays them out in memory is its own affair. It draws
no random number and knows no file, no schedule and no selection rule: orders, targets, learning rates and dropout keys
come from its caller, epoch by epoch. `training/cpu/` implements it with compiled loops, `training/torch/` with stacked
tensors on an accelerator, and run by run for modules of a user's own. The engine is passed in by whoever trains;
nothing below looks one up.

What every engine promises:

- A run's numbers do not depend on the other runs of its session: alone or among others, the same bits.
- Evaluation uses the arithmetic of training's forward pass: the loss of a snapshot, evaluated again, is the value by
  which it was selected.
- A mean over a batch is a sum over its examples in their order, divided by their number (or by the sum of their
  weights). Sums over batches are left to the caller, which adds them exactly.
- The compiled engine gives the same bits on every processor; a GPU's are its own, and a module's are those of PyTorch's
  version and of the kind of processor. On a GPU, the first promise goes as far as its libraries: they may choose
  another matmul kernel, which adds in another order, for another number of runs.

Arrays are C-contiguous. Axes are named (run, example, feature): `run` counts the networks of a session, `stream` the
groups of runs that see the same examples in the same order, `batch` the training steps of an epoch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import numpy as np
import numpy.typing as npt
from typing_extensions import TypeVar

from paribus.spec.activations import ActivationBase
from paribus.spec.identity import EngineFamily
from paribus.spec.losses import LossBase
from paribus.spec.modules import UserModule
from paribus.spec.optimizers import OptimizerBase
from paribus.spec.recipe import Clip

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

State = Mapping[str, npt.NDArray[Any]]
"""A run's tensors by name: parameters as PyTorch names and shapes them (`fc1.weight` (out, in), `fc1.bias` (out,)), and
the optimizer's buffers as `buffer/parameter` (`exp_avg/fc1.weight`). Batch normalisation of the first hidden layer adds
`bn1.weight`, `bn1.bias`, `bn1.running_mean`, `bn1.running_var` (unit,) and `bn1.num_batches_tracked`, int64 (): the
names that an `nn.Module` with layers `fc1`, `bn1`, `fc2`, ... has in PyTorch. Tied weights are there once. All else is
float32, but for what a user's own module has in its state dict."""


def tracked_batches(state: State) -> int:
    """How many training steps a state's running statistics have seen; 0 where it does not say."""
    return int(state["bn1.num_batches_tracked"]) if "bn1.num_batches_tracked" in state else 0


@dataclass(frozen=True)
class Architecture:
    """Fully connected layers: `widths` from input to output, and one activation for each hidden layer.

    With `batch_norm`, each hidden layer's values are normalised before the activation, as `torch.nn.BatchNorm1d` does
    with its defaults: in training by the batch's mean and biased variance, of which running statistics are kept (of the
    unbiased variance, with momentum 0.1), and otherwise by these. What such a layer adds as a bias, normalisation takes
    away: the gradient of that bias is exactly 0, where PyTorch has rounding errors.

    `tied` networks have widths that are the same read backwards, an even number of layers, and in the later half the
    transposed weights of the earlier half.
    """

    widths: tuple[int, ...]
    activations: tuple[ActivationBase, ...]
    batch_norm: bool = False
    tied: bool = False


@dataclass(frozen=True, eq=False)
class ModuleArchitecture:
    """A user's own module: the class `name` in the named file of `module`, made from `arguments`.

    It is given inputs (example, *shape): (1, height, width) for grey images, (channel, height, width) for colour
    images, (feature,) for rows of a table.
    """

    module: UserModule
    name: str
    arguments: Mapping[str, Any]
    shape: tuple[int, ...]


AnyArchitecture = Architecture | ModuleArchitecture
A_contra = TypeVar("A_contra", bound=AnyArchitecture, contravariant=True, default=Any)


def module_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a module sees an example of that shape: grey images have one channel."""
    return (1, *shape) if len(shape) == 2 else shape


@dataclass(frozen=True)
class RunSettings:
    """What may differ between the runs of a session, within one kind of loss and of optimizer.

    `dropout` is the share of hidden units that are dropped; 0 in all runs of a session, or above 0 in all. `clip` is
    None in all runs, or of one way (norm or value) in all.
    """

    loss: LossBase
    optimizer: OptimizerBase
    dropout: float
    clip: Clip | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """The features of examples, and how they are scaled.

    A network sees `(values / divisor - centre) * factor`, each operation rounded to float32. `values` (example,
    feature) is uint8 or float32 and never written to; bytes stay bytes until the engine scales them. `centre` and
    `factor` are (stream, feature) or None for 0 and 1.
    """

    values: npt.NDArray[Any]
    divisor: float
    centre: Floats | None
    factor: Floats | None

    def seen(self, rows: Integers, stream: int = 0) -> Floats:
        """The features (example, feature) of `rows` as a network of that stream sees them."""
        return self._scaled(np.divide(self.values[rows], np.float32(self.divisor), dtype=np.float32), stream)

    def seen_of(self, values: npt.NDArray[Any], stream: int = 0) -> Floats:
        """The same for other `values` (example, feature), such as `Epoch.inputs`: float32 ones have been divided."""
        divisor = np.float32(1 if values.dtype == np.float32 else self.divisor)
        return self._scaled(np.divide(values, divisor, dtype=np.float32), stream)

    def _scaled(self, divided: Floats, stream: int) -> Floats:
        if self.centre is not None:
            divided -= self.centre[stream]
        if self.factor is not None:
            divided *= self.factor[stream]
        return divided


Targets = npt.NDArray[Any]
"""Classes (stream, example) int64, or numbers to be predicted (stream, example, output) float32."""


@dataclass(frozen=True, eq=False)
class MixedTargets:
    """What the other part of mixed examples is to be put into.

    `targets` (stream, example) are classes, int64, and `shares` (stream, example), float32, the share that an example's
    own target has: the loss is the share times that of its own target, plus the rest times that of the other one.
    """

    targets: Integers
    shares: Floats


@dataclass(frozen=True, eq=False)
class Epoch:
    """One epoch of training. A batch is the next `batch_size` examples of `order`; the last one may be smaller.

    `order` (stream, example) has rows of the session's inputs. `targets` are in the order of `order`; None where the
    target of each example is the example itself, as the network sees it. `weights` (stream, example) weigh examples in
    the loss, which is then a weighted mean; None for equal weights, and for cross-entropy only. `learning_rates`
    (batch, run) hold for one step each; `momenta` (batch, run) replace the optimizer's momentum (Adam's first beta)
    where it is cycled, else None. `dropout_keys` (stream,) uint64 are the keys of the epoch's dropout, None without
    dropout: unit `u` of row `r` in layer `l` (from 0) of batch `b` is dropped if
    `uniform(key, b * layers + l, r * padded + u)` is below the run's share, with `layers` the number of layers of
    weights and `padded` the layer's width rounded up to 16. That function is SplitMix64, see
    `training/cpu/dropout.py`; all engines drop the same units. `generator_keys` (run,) uint64 seed the random
    generators that a user's own module draws from in the epoch; None for all other networks.

    `inputs` (stream, example, feature) are what networks see in this epoch in place of the session's inputs, in the
    order of `order`: augmented or corrupted examples. uint8 features are divided by the session's divisor, float32 ones
    have been divided already; centre and factor are applied to both. Where the target of an example is the example
    itself, it is that of the session's inputs, which is clean. They take streams times examples times features bytes,
    or four times as many; an engine that needs them on a device holds them there once. None for the session's inputs.
    The caller writes to none of its arrays before `Session.train_epoch` has returned.

    `mixed` goes with mixed `inputs` and plain cross-entropy. `memory` (run, example, class) is what a loss that
    remembers predictions keeps of each example, in the order of `order`, float32: the engine updates it in place; None
    for every other loss. With `kept_share` (run,), runs 2 k and 2 k + 1 teach each other: of each batch, each is
    trained on those examples whose losses are smallest in the other's network before the step, `kept_share` times the
    batch's examples, rounded down, and at least one; of equal losses, those that come first. It goes with cross-entropy
    without class weights, and networks without batch normalisation.
    """

    order: Integers
    targets: Targets | None
    weights: Floats | None
    learning_rates: Doubles
    momenta: Doubles | None
    dropout_keys: npt.NDArray[np.uint64] | None
    inputs: npt.NDArray[Any] | None = None
    generator_keys: npt.NDArray[np.uint64] | None = None
    mixed: MixedTargets | None = None
    memory: Floats | None = None
    kept_share: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The mean loss (run,) on a set of examples, by `LossBase.evaluated`: without label smoothing but with class
    weights, and without dropout; and how many of its examples are put into their class (run,), None for losses without
    classes.

    The class is that of the largest output; with a single output, it is 1 if that is above 0, else 0.
    `squared_error` (run, output) is the mean over the examples of (output - target)**2, whatever the loss; None where
    targets are classes or the inputs themselves. Differences are rounded to float32, their squares are added in
    float64. `predicted` (run, example) are the classes that the examples are put into; None unless they were asked for.
    """

    loss: Doubles
    correct: Integers | None
    squared_error: Doubles | None = None
    predicted: Integers | None = None


@dataclass(frozen=True, eq=False)
class Forward:
    """What networks give for examples, without dropout.

    `outputs` (run, example, output) are the last layer's, before any softmax. `activations` has one array
    (run, example, unit) for each hidden layer, after the activation; empty where it was not asked for.
    """

    outputs: Floats
    activations: tuple[Floats, ...]


class Networks(ABC):
    """Networks of one architecture, stacked along `run`, as their parameters now are."""

    @property
    @abstractmethod
    def runs(self) -> int:
        """How many networks there are."""

    @abstractmethod
    def state(self, run: int) -> State:
        """A copy of one run's parameters; later training does not change it."""

    @abstractmethod
    def evaluator(
        self,
        inputs: Inputs,
        rows: Sequence[Integers],
        targets: Sequence[Targets] | None,
        loss: LossBase,
        *,
        predictions: bool = False,
    ) -> Callable[[], Evaluation]:
        """Bind a set of examples once; each call of what is returned evaluates the networks as they then are.

        `rows` has one array (example,) of rows of `inputs` for each stream, all of one length, or a single array that
        holds for all runs; `targets` likewise, classes (example,) or numbers (example, output), or None where the
        target is the input. `loss` is one for all runs. With `predictions`, the class of each example is given, too,
        for which the loss must be one of classes. Each network of `Engine.networks` is a stream of its own.
        """

    @abstractmethod
    def forward(self, inputs: Inputs, rows: Integers, *, activations: bool = False) -> Forward:
        """Outputs of every run for the examples `rows` (example,) of `inputs`, whose `centre` and `factor` have one
        stream. Memory grows with runs times examples: callers ask for some thousand examples at a time."""


class Session(ABC):
    """Runs in training. Whoever trains calls `train_epoch` from one thread at a time."""

    @property
    @abstractmethod
    def networks(self) -> Networks:
        """The networks in training: each look sees them after the last finished epoch."""

    @abstractmethod
    def train_epoch(self, epoch: Epoch) -> Doubles:
        """Train every run for one epoch; the mean loss (batch, run) of each step, before the step."""

    @abstractmethod
    def margins(self) -> Floats:
        """The margin (run, example) of each example of the last epoch, in that epoch's order.

        It is the output of an example's class less the largest other output, as the forward pass of its training step
        gave them: before the step, and with dropout. With a single output z it is z for class 1 and -z for class 0.
        Raises ValueError where the session was not made to keep margins, or has trained no epoch yet.
        """

    @abstractmethod
    def state(self, run: int) -> State:
        """A copy of one run's parameters and optimizer buffers: `Engine.session` resumes from it bit for bit."""


class Engine(ABC, Generic[A_contra]):
    """Makes sessions of networks whose architecture is of one kind: stacked layers, or a user's module."""

    family: ClassVar[EngineFamily]

    @abstractmethod
    def networks(self, architecture: A_contra, states: Sequence[State]) -> Networks:
        """Networks to be evaluated only; `states` has one state for each."""

    @abstractmethod
    def session(
        self,
        architecture: A_contra,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool = False,
    ) -> Session:
        """Begin or resume training.

        `inputs` are the features of all training examples. `streams` has the stream of each run, ascending from 0.
        `states` have parameters, and after the first step the optimizer's buffers; `steps` counts the steps taken so
        far. With `keeps_margins`, `Session.margins` has each epoch's margins; no other number changes. Raises
        ValueError where the runs' losses or optimizers are of different kinds, and where a loss without classes is to
        keep margins.
        """
