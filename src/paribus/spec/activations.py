"""Activation functions. Each is declared here once.

Their arithmetic is in `training/cpu/activations.py`, `training/torch/activations.py` and `export/onnx_graph.py`.
"""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from paribus.spec.fields import Frozen, Positive, named


class ActivationBase(Frozen):
    """What is known of an activation besides its arithmetic.

    `formula` is for people. `parameter` is the one number that the arithmetic takes, 0 for none. `gain` is the factor
    by which initialisations scale the weights before this activation, as `torch.nn.init.calculate_gain` gives it.
    """

    kind: str
    formula: ClassVar[str]

    @property
    def parameter(self) -> float:
        return 0.0

    @property
    @abstractmethod
    def gain(self) -> float: ...


class Relu(ActivationBase):
    """`torch.nn.ReLU`."""

    kind: Literal["relu"] = "relu"
    formula: ClassVar[str] = "max(0, x)"

    @property
    def gain(self) -> float:
        return math.sqrt(2.0)


class LeakyRelu(ActivationBase):
    """`torch.nn.LeakyReLU`; `slope` is its negative slope."""

    kind: Literal["leaky-relu"]
    slope: Positive = 0.01
    formula: ClassVar[str] = "x for x > 0, else slope * x"

    @property
    def parameter(self) -> float:
        return self.slope

    @property
    def gain(self) -> float:
        return math.sqrt(2.0 / (1.0 + self.slope**2))


class Elu(ActivationBase):
    """`torch.nn.ELU`."""

    kind: Literal["elu"]
    alpha: Positive = 1.0
    formula: ClassVar[str] = "x for x > 0, else alpha * (exp(x) - 1)"

    @property
    def parameter(self) -> float:
        return self.alpha

    @property
    def gain(self) -> float:
        return 1.0


class Tanh(ActivationBase):
    """`torch.nn.Tanh`."""

    kind: Literal["tanh"]
    formula: ClassVar[str] = "tanh(x)"

    @property
    def gain(self) -> float:
        return 5.0 / 3.0


class Sigmoid(ActivationBase):
    """`torch.nn.Sigmoid`."""

    kind: Literal["sigmoid"]
    formula: ClassVar[str] = "1 / (1 + exp(-x))"

    @property
    def gain(self) -> float:
        return 1.0


class Gelu(ActivationBase):
    """`torch.nn.GELU` in its exact form."""

    kind: Literal["gelu"]
    formula: ClassVar[str] = "x * (1 + erf(x / sqrt(2))) / 2"

    @property
    def gain(self) -> float:
        return 1.0


class Silu(ActivationBase):
    """`torch.nn.SiLU`."""

    kind: Literal["silu"]
    formula: ClassVar[str] = "x / (1 + exp(-x))"

    @property
    def gain(self) -> float:
        return 1.0


class Identity(ActivationBase):
    """No activation: the layers before and after are one linear map."""

    kind: Literal["identity"]
    formula: ClassVar[str] = "x"

    @property
    def gain(self) -> float:
        return 1.0


Activation = Annotated[
    Relu | LeakyRelu | Elu | Tanh | Sigmoid | Gelu | Silu | Identity, Field(discriminator="kind"), named()
]
