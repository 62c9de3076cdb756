"""Networks: perceptrons and autoencoders made of fully connected layers, and modules of the user's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from paribus.spec.activations import Activation, ActivationBase, Relu
from paribus.spec.fields import Arguments, FileAndName, Flag, Fraction, Frozen, Width, named
from paribus.spec.initialisations import Initialisation, Linear

MAX_LAYERS = 20
DEFAULT_NETWORK = "mlp"


def _listed(value: Any) -> Any:
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else (value,)


def _shortest(activations: tuple[ActivationBase, ...]) -> tuple[ActivationBase, ...]:
    """Equal activations as one, so that both ways to write them are the same network."""
    return activations[:1] if all(one == activations[0] for one in activations) else activations


Activations = Annotated[tuple[Activation, ...], Len(1, MAX_LAYERS), BeforeValidator(_listed), AfterValidator(_shortest)]
"""One activation for all hidden layers, or one for each."""


class FullyConnected(Frozen):
    """Layers of weights and biases, with an activation after each but the last.

    `hidden` are the widths of the hidden layers; the widths of input and output come from the data and the loss.
    `batch_norm` normalises each hidden layer's values over the batch, before the activation (Ioffe and Szegedy 2015),
    as `torch.nn.BatchNorm1d` does by default. `dropout` is the share of hidden units that are dropped at each training
    step, after the activation.
    """

    hidden: Annotated[tuple[Width, ...], Len(0, MAX_LAYERS)]
    activation: Activations = (Relu(),)
    batch_norm: Flag = False
    init: Initialisation = Linear()
    dropout: Fraction = 0.0

    @property
    def activations(self) -> tuple[ActivationBase, ...]:
        """The activation of each hidden layer."""
        return self.activation if len(self.activation) == len(self.hidden) else self.activation * len(self.hidden)

    @property
    def ties_weights(self) -> bool:
        """Whether the later half of the layers has the transposed weights of the earlier half."""
        return False

    def parameter_count(self, widths: Sequence[int], *, biases: bool = True) -> int:
        """Parameters of this network with these widths; without `biases`, those that are called weight."""
        shapes = parameter_shapes(widths, batch_norm=self.batch_norm, tied=self.ties_weights)
        return sum(math.prod(shape) for name, shape in shapes.items() if biases or not name.endswith(".bias"))

    @model_validator(mode="after")
    def _one_activation_or_one_for_each_layer(self) -> Self:
        if len(self.activation) not in (1, len(self.hidden)):
            layers = f"{len(self.hidden)} hidden layer{'' if len(self.hidden) == 1 else 's'}"
            given = f"activation lists {len(self.activation)} activations for {layers}"
            raise ValueError(f"{given}: give one for all of them, or one for each")
        return self


class Mlp(FullyConnected):
    """A multi-layer perceptron; without hidden layers, a linear model."""

    kind: Literal["mlp"]

    def widths(self, features: int, outputs: int) -> tuple[int, ...]:
        """Units of each layer, the input first."""
        return (features, *self.hidden, outputs)


class Autoencoder(FullyConnected):
    """A network that returns its input: its last layer is as wide as its input.

    With `tied` weights, the decoder's are the encoder's, transposed; biases are its own. The hidden layers then are the
    same read backwards, and the middle one is the code.
    """

    kind: Literal["autoencoder"]
    hidden: Annotated[tuple[Width, ...], Len(1, MAX_LAYERS)]
    tied: Flag = False

    def widths(self, features: int, _outputs: int) -> tuple[int, ...]:
        """Units of each layer, the input first."""
        return (features, *self.hidden, features)

    @property
    def ties_weights(self) -> bool:
        return self.tied

    @model_validator(mode="after")
    def _tied_layers_mirror_each_other(self) -> Self:
        hidden = list(self.hidden)
        if self.tied and (len(hidden) % 2 == 0 or hidden != hidden[::-1]):
            rule = "tied weights need an odd number of hidden layers whose widths are the same read backwards"
            raise ValueError(f"{rule}, such as [128, 32, 128], and hidden is {hidden}")
        return self


class Module(Frozen):
    """A `torch.nn.Module` of the user's own.

    `module` is FILE.py:CLASS, the file looked for beside the study file; `arguments` are given to the class by name.
    A module makes its own initial weights, has its own activations and drops units by its own layers.
    """

    kind: Literal["module"]
    module: FileAndName
    arguments: Arguments = Field(default_factory=dict[str, Any])
    dropout: ClassVar[float] = 0.0
    batch_norm: ClassVar[bool] = False
    ties_weights: ClassVar[bool] = False
    """What engines do for other networks, a module does itself."""

    @property
    def file(self) -> str:
        """The path of the file that has the class."""
        return self.module.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.module.rpartition(":")[2]

    def widths(self, _features: int, _outputs: int) -> tuple[int, ...]:
        """None are known: what layers a module has is its own affair."""
        return ()


Network = Annotated[Mlp | Autoencoder | Module, Field(discriminator="kind"), named(DEFAULT_NETWORK)]


FIRST_LAYER = "fc1.weight"
"""The weights of the first layer, by their name in a state dict."""


def layer_names(widths: Sequence[int]) -> tuple[str, ...]:
    """The names of a network's layers of weights in its state dict: `fc1`, `fc2`, ..."""
    return tuple(f"fc{i}" for i in range(1, len(widths)))


def norm_names(widths: Sequence[int]) -> tuple[str, ...]:
    """The names of the batch normalisations in its state dict, one for each hidden layer: `bn1`, `bn2`, ..."""
    return tuple(f"bn{i}" for i in range(1, len(widths) - 1))


def tied_layers(widths: Sequence[int]) -> dict[str, str]:
    """With tied weights, the layers whose weights are another layer's, transposed: for 784-128-32-128-784,
    `fc3` has those of `fc2`, and `fc4` those of `fc1`."""
    names = layer_names(widths)
    return dict(zip(names[len(names) // 2 :], reversed(names[: len(names) // 2]), strict=True))


def parameter_shapes(
    widths: Sequence[int], *, batch_norm: bool = False, tied: bool = False
) -> dict[str, tuple[int, ...]]:
    """The parameters in a network's state dict: `fc1.weight` (out, in), `fc1.bias` (out,), then `bn1.weight` (unit,)
    and `bn1.bias` (unit,) with `batch_norm`, and so on, as PyTorch shapes them. Weights that are tied to others are
    not there a second time."""
    shared = tied_layers(widths) if tied else {}
    shapes: dict[str, tuple[int, ...]] = {}
    norms = (*norm_names(widths), "")
    for name, norm, (width_in, width_out) in zip(layer_names(widths), norms, pairwise(widths), strict=True):
        shapes |= {} if name in shared else {f"{name}.weight": (width_out, width_in)}
        shapes[f"{name}.bias"] = (width_out,)
        if batch_norm and norm:
            shapes |= {f"{norm}.weight": (width_out,), f"{norm}.bias": (width_out,)}
    return shapes


def statistic_shapes(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The running statistics of batch normalisation in a network's state dict: `bn1.running_mean` (unit,),
    `bn1.running_var` (unit,), and so on."""
    named = zip(norm_names(widths), widths[1:-1], strict=True)
    return {f"{name}.{what}": (width,) for name, width in named for what in ("running_mean", "running_var")}


def tracked_names(widths: Sequence[int]) -> tuple[str, ...]:
    """The numbers of training steps that running statistics have seen, int64 (): `bn1.num_batches_tracked`, ..."""
    return tuple(f"{name}.num_batches_tracked" for name in norm_names(widths))


def parameter_count(widths: Sequence[int], *, biases: bool = True) -> int:
    """Parameters of a plain network of these widths."""
    return sum(a * b + (b if biases else 0) for a, b in pairwise(widths))


def forward_operations(widths: Sequence[int]) -> int:
    """Floating-point operations of the matmuls of one example's way through the network."""
    return 2 * sum(a * b for a, b in pairwise(widths))


def training_operations(widths: Sequence[int]) -> int:
    """Floating-point operations of the matmuls of one training step for one example: forward, weight gradients, input
    gradients.

    The first layer's input needs no gradient, so its matmuls count twice and the others' three times.
    """
    return sum((4 if i == 0 else 6) * a * b for i, (a, b) in enumerate(pairwise(widths)))
