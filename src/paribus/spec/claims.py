"""What a study states before it runs, and what others have published about its arms."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Strict, model_validator

from paribus.spec.fields import Bounded, Frozen, Label, Note, Prose, unknown_name
from paribus.spec.metrics import METRICS
from paribus.spec.rules import RuleName


def _known_metric(name: str) -> str:
    if METRICS.known(name) is None:
        raise unknown_name("must be a metric", name, METRICS)
    return name


MetricName = Annotated[str, Strict(), AfterValidator(_known_metric)]
"""A metric; of one of several numbers to be predicted, with the number's name: `test_rmse:price`."""


class ArmReference(Frozen):
    """An arm at a selection rule (the study's `deploy` rule where none is named)."""

    arm: Label
    rule: RuleName | None = None


class Claim(Frozen):
    """`better` beats `than` in `metric` by at least `by`, the smallest effect that matters (in the metric's unit).

    With `by` below 0 it claims that `better` is not worse by more than that: non-inferiority, as trials call it.
    `because` says why that is the smallest effect that matters.
    """

    statement: Prose
    metric: MetricName
    better: ArmReference
    than: ArmReference
    by: Bounded
    because: Note = ""

    @model_validator(mode="after")
    def _claims_can_be_judged(self) -> Self:
        if METRICS[self.metric].direction == 0:
            raise ValueError(f"metric {self.metric} has no better or worse")
        if self.better == self.than:
            raise ValueError("better and than must differ")
        return self


class Published(Frozen):
    """Figures that others report for an arm at a selection rule: metric names as keys, `source` says where."""

    model_config = ConfigDict(frozen=True, extra="allow")

    arm: Label
    rule: RuleName
    source: Note = ""

    @property
    def values(self) -> dict[str, float]:
        """Metric to published value, accuracies as fractions."""
        return {name: float(value) for name, value in (self.model_extra or {}).items()}

    @model_validator(mode="after")
    def _keys_are_metrics(self) -> Self:
        extra: dict[str, Any] = self.model_extra or {}
        for name, value in extra.items():
            if METRICS.known(name) is None:
                raise unknown_name("keys beside arm, rule and source must be metrics", name, METRICS)
            if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
                raise ValueError(f"{name} must be a finite number")
        return self


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
