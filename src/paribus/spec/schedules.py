"""Learning-rate schedules, with PyTorch's names. Their arithmetic is in `training/schedules.py`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import Field, Strict, model_validator

from paribus.spec.fields import ClosedFraction, Count, CountOrZero, Flag, Fraction, Frozen, NotNegative, Positive, named


class Constant(Frozen):
    """The optimizer's lr throughout."""

    kind: Literal["constant"] = "constant"


class Step(Frozen):
    """`StepLR`: times `gamma` every `step_size` epochs."""

    kind: Literal["step"]
    step_size: Count
    gamma: Positive = 0.1


class MultiStep(Frozen):
    """`MultiStepLR`: times `gamma` after each of the `milestones`, counted in finished epochs."""

    kind: Literal["multi-step"]
    milestones: Annotated[tuple[Count, ...], Len(1, 100)]
    gamma: Positive = 0.1

    @model_validator(mode="after")
    def _milestones_ascend(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must ascend")
        return self


class Exponential(Frozen):
    """`ExponentialLR`: times `gamma` every epoch."""

    kind: Literal["exponential"]
    gamma: Positive


class Cosine(Frozen):
    """`CosineAnnealingLR` down to `min_lr` at the end, after `warmup_epochs` of `LinearLR` from `warmup_start`."""

    kind: Literal["cosine"]
    min_lr: NotNegative = 0.0
    warmup_epochs: CountOrZero = 0
    warmup_start: Annotated[Positive, Field(le=1.0)] = 0.1


class CosineRestarts(Frozen):
    """`CosineAnnealingWarmRestarts`: a cosine over `first_cycle` epochs, then over `factor` times as many, and on."""

    kind: Literal["cosine-restarts"]
    first_cycle: Count
    factor: Annotated[int, Strict(), Field(ge=1, le=100)] = 1
    min_lr: NotNegative = 0.0


class OneCycle(Frozen):
    """`OneCycleLR`, batch by batch: from lr / `div_factor` up to the optimizer's lr after a share `pct_start` of all
    batches, then down to lr / (`div_factor` * `final_div_factor`).

    With `cycle_momentum`, momentum (beta1 of Adam) goes from `max_momentum` down to `base_momentum` and back.
    """

    kind: Literal["one-cycle"]
    pct_start: ClosedFraction = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: Flag = True
    base_momentum: Fraction = 0.85
    max_momentum: Fraction = 0.95
    div_factor: Annotated[Positive, Field(ge=1.0)] = 25.0
    final_div_factor: Annotated[Positive, Field(ge=1.0)] = 1e4
    three_phase: Flag = False


class ReduceOnPlateau(Frozen):
    """`ReduceLROnPlateau` (threshold mode `rel`), for each run by its own curve."""

    kind: Literal["reduce-on-plateau"]
    metric: Literal["train_loss", "val_loss", "val_accuracy", "val_rmse"] = "val_loss"
    factor: Fraction = 0.1
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-4
    cooldown: CountOrZero = 0
    min_lr: NotNegative = 0.0


class Settle(Frozen):
    """Times `gamma`, once, when the training loss has stopped changing noticeably (`spec.rules.has_settled`).

    With a `window` of 1, this is the first step of `ReduceLROnPlateau` with a patience of 0.
    """

    kind: Literal["settle"]
    window: Annotated[int, Strict(), Field(ge=1, le=10_000)] = 10
    threshold: Positive = 0.01
    gamma: Positive = 0.1


Schedule = Annotated[
    Constant | Step | MultiStep | Exponential | Cosine | CosineRestarts | OneCycle | ReduceOnPlateau | Settle,
    Field(discriminator="kind"),
    named(),
]
