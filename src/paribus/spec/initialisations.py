"""Initialisations of weights. Each is declared here once; its arithmetic is in `training/initialisation.py`."""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from paribus.spec.fields import Bounded, Frozen, named


class InitialisationBase(Frozen):
    """What is known of an initialisation besides its arithmetic.

    Biases start at the constant `bias`, or, where it is not given, as `torch.nn.Linear` starts them: uniform between
    plus and minus 1 / sqrt(in).
    """

    kind: str
    bias: Bounded | None = None
    formula: ClassVar[str]


class Linear(InitialisationBase):
    """As `torch.nn.Linear` starts its weights."""

    kind: Literal["linear"] = "linear"
    formula: ClassVar[str] = "uniform, bound 1 / sqrt(in)"


class KaimingUniform(InitialisationBase):
    """`torch.nn.init.kaiming_uniform_` (fan in)."""

    kind: Literal["kaiming-uniform"]
    formula: ClassVar[str] = "uniform, bound gain * sqrt(3 / in)"


class KaimingNormal(InitialisationBase):
    """`torch.nn.init.kaiming_normal_` (fan in)."""

    kind: Literal["kaiming-normal"]
    formula: ClassVar[str] = "normal, standard deviation gain / sqrt(in)"


class XavierUniform(InitialisationBase):
    """`torch.nn.init.xavier_uniform_`."""

    kind: Literal["xavier-uniform"]
    formula: ClassVar[str] = "uniform, bound gain * sqrt(6 / (in + out))"


class XavierNormal(InitialisationBase):
    """`torch.nn.init.xavier_normal_`."""

    kind: Literal["xavier-normal"]
    formula: ClassVar[str] = "normal, standard deviation gain * sqrt(2 / (in + out))"


class Orthogonal(InitialisationBase):
    """`torch.nn.init.orthogonal_`: rows or columns, whichever are fewer, are orthogonal and of length `gain`."""

    kind: Literal["orthogonal"]
    formula: ClassVar[str] = "orthogonal, gain * Q of a normal matrix"


Initialisation = Annotated[
    Linear | KaimingUniform | KaimingNormal | XavierUniform | XavierNormal | Orthogonal,
    Field(discriminator="kind"),
    named(),
]
