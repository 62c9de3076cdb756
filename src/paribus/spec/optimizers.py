"""Optimizers, with PyTorch's names and defaults.

Their arithmetic is in `training/cpu/optimizers.py` and `training/torch/optimizers.py`; modules have PyTorch's own, by
`training/torch/module_training.py`.
"""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from paribus.spec.fields import Flag, Fraction, Frozen, NotNegative, OpenFraction, Positive


class OptimizerBase(Frozen):
    """What every optimizer has.

    `buffers` names the state that it keeps for each parameter, as PyTorch does. `has_momentum` says whether a schedule
    can cycle its momentum, or Adam's first beta.
    """

    kind: str
    lr: Positive
    weight_decay: NotNegative = 0.0

    @property
    @abstractmethod
    def buffers(self) -> tuple[str, ...]: ...

    @property
    @abstractmethod
    def has_momentum(self) -> bool: ...


class Sgd(OptimizerBase):
    """`torch.optim.SGD`."""

    kind: Literal["sgd"]
    momentum: Fraction = 0.0
    nesterov: Flag = False

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("momentum_buffer",)

    @property
    def has_momentum(self) -> bool:
        return self.momentum > 0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Adam(OptimizerBase):
    """`torch.optim.Adam`: weight decay is added to the gradient."""

    kind: Literal["adam"]
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    @property
    def has_momentum(self) -> bool:
        return True


class AdamW(OptimizerBase):
    """`torch.optim.AdamW`: weight decay shrinks the weights directly."""

    kind: Literal["adamw"]
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NotNegative = 0.01

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    @property
    def has_momentum(self) -> bool:
        return True


class RmsProp(OptimizerBase):
    """`torch.optim.RMSprop`."""

    kind: Literal["rmsprop"]
    alpha: OpenFraction = 0.99
    eps: Positive = 1e-8
    momentum: Fraction = 0.0
    centered: Flag = False

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("square_avg", "momentum_buffer", "grad_avg")

    @property
    def has_momentum(self) -> bool:
        return self.momentum > 0


Optimizer = Annotated[Sgd | Adam | AdamW | RmsProp, Field(discriminator="kind")]
