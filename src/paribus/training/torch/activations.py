"""The arithmetic of activation functions, of all runs at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

from paribus.spec.activations import ActivationBase

_aten = torch.ops.aten


@dataclass(frozen=True)
class StackedActivation:
    """An activation and its derivative, on tensors (run, example, unit).

    `forward(x)` gives y, and may overwrite x where `saves` is "output". `backward(gradient, saved)` gives the gradient
    before the activation from the one after it; `saved` is the tensor that `saves` names. `zero_at_zero` says whether
    y is 0 at x = 0: then padding stays zero by itself.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    saves: Literal["input", "output"] = "output"
    zero_at_zero: bool = True


def _relu(_parameter: float) -> StackedActivation:
    return StackedActivation(lambda x: x.clamp_min_(0.0), lambda g, y: _aten.threshold_backward(g, y, 0))


def _leaky_relu(slope: float) -> StackedActivation:
    """The slope is above 0, so y has the sign of x."""
    return StackedActivation(
        lambda x: functional.leaky_relu_(x, slope), lambda g, y: _aten.leaky_relu_backward(g, y, slope, True)
    )


def _elu(alpha: float) -> StackedActivation:
    """Below 0 the derivative is alpha * exp(x) = y + alpha."""
    return StackedActivation(
        lambda x: functional.elu_(x, alpha), lambda g, y: _aten.elu_backward(g, alpha, 1.0, 1.0, True, y)
    )


def _tanh(_parameter: float) -> StackedActivation:
    return StackedActivation(torch.tanh_, _aten.tanh_backward)


def _sigmoid(_parameter: float) -> StackedActivation:
    return StackedActivation(torch.sigmoid_, _aten.sigmoid_backward, zero_at_zero=False)


def _gelu(_parameter: float) -> StackedActivation:
    return StackedActivation(functional.gelu, lambda g, x: _aten.gelu_backward(g, x, approximate="none"), "input")


def _silu(_parameter: float) -> StackedActivation:
    return StackedActivation(functional.silu, _aten.silu_backward, "input")


def _identity(_parameter: float) -> StackedActivation:
    return StackedActivation(lambda x: x, lambda g, _: g)


ACTIVATIONS: Final[dict[str, Callable[[float], StackedActivation]]] = {
    "relu": _relu,
    "leaky-relu": _leaky_relu,
    "elu": _elu,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "silu": _silu,
    "identity": _identity,
}
"""The arithmetic of each kind of activation, given its parameter."""


def stacked_activation(activation: ActivationBase) -> StackedActivation:
    """The arithmetic of a declared activation."""
    return ACTIVATIONS[activation.kind](activation.parameter)
