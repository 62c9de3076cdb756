"""Networks: multi-layer perceptrons and autoencoders made of fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, cast

from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from paribus.spec.activations import Activation, ActivationBase, Relu
from paribus.spec.fields import Fraction, Frozen, Width, named
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
    `dropout` is the share of hidden units that are dropped at each training step.
    """

    hidden: Annotated[tuple[Width, ...], Len(0, MAX_LAYERS)]
    activation: Activations = (Relu(),)
    init: Initialisation = Linear()
    dropout: Fraction = 0.0

    @property
    def activations(self) -> tuple[ActivationBase, ...]:
        """The activation of each hidden layer."""
        return self.activation if len(self.activation) == len(self.hidden) else self.activation * len(self.hidden)

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
    """A network that returns its input: its last layer is as wide as its input."""

    kind: Literal["autoencoder"]
    hidden: Annotated[tuple[Width, ...], Len(1, MAX_LAYERS)]

    def widths(self, features: int, _outputs: int) -> tuple[int, ...]:
        """Units of each layer, the input first."""
        return (features, *self.hidden, features)


Network = Annotated[Mlp | Autoencoder, Field(discriminator="kind"), named(DEFAULT_NETWORK)]


FIRST_LAYER = "fc1.weight"
"""The weights of the first layer, by their name in a state dict."""


def layer_names(widths: Sequence[int]) -> tuple[str, ...]:
    """The names of a network's layers of weights in its state dict: `fc1`, `fc2`, ..."""
    return tuple(f"fc{i}" for i in range(1, len(widths)))


def parameter_shapes(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The state dict of a network: `fc1.weight` (out, in), `fc1.bias` (out,), and so on, as PyTorch shapes them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (width_in, width_out) in zip(layer_names(widths), pairwise(widths), strict=True):
        shapes |= {f"{name}.weight": (width_out, width_in), f"{name}.bias": (width_out,)}
    return shapes


def parameter_count(widths: Sequence[int], *, biases: bool = True) -> int:
    """Parameters of one network of these widths."""
    return sum(a * b + (b if biases else 0) for a, b in pairwise(widths))


def training_operations(widths: Sequence[int]) -> int:
    """Floating-point operations of one training step for one example: forward, weight gradients, input gradients.

    The first layer's input needs no gradient, so its matmuls count twice and the others' three times.
    """
    return sum((4 if i == 0 else 6) * a * b for i, (a, b) in enumerate(pairwise(widths)))
