"""How an arm is chosen from a sweep's recorded results, and how the choice is confirmed: stated before it runs."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, get_args

from annotated_types import Len
from pydantic import AfterValidator, Strict, StringConstraints, model_validator

from paribus.spec.claims import MetricName
from paribus.spec.fields import CountOrZero, Frozen, ReplicateCount
from paribus.spec.metrics import METRICS
from paribus.spec.recipe import Recipe

ChoiceRule = Literal["best", "one-standard-error", "lowest-upper-bound"]

Fault = Literal["diverged", "collapsed", "dead", "unstable"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)


def _each_once(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    if len(set(faults)) < len(faults):
        raise ValueError("must name each fault once")
    return faults


Faults = Annotated[tuple[Fault, ...], AfterValidator(_each_once)]
"""What disqualifies an arm, if one of its replicates has it: its limits are those of `analysis.thresholds`."""


def _key_of_recipe(key: str) -> str:
    if key.partition(".")[0] not in Recipe.model_fields:
        raise ValueError("must be a dotted key of the configuration, such as network.hidden")
    return key


RecipeKey = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200), AfterValidator(_key_of_recipe)]


class Confirm(Frozen):
    """Fresh replicates of the chosen arms: `replicates` of them, with the indices from `first` on."""

    replicates: ReplicateCount = 5
    first: CountOrZero = 1000


class Choice(Frozen):
    """Which arm of a sweep is chosen, by what was recorded of it at its deploy rule.

    An arm is eligible if all its replicates ended well and each of the metrics in `without`, such as dead_units, is 0
    in all of them, and if none has one of the `faults`: diverged, collapsed (the output is nearly the same for every
    input), dead (at least half of the hidden units are), unstable (the training loss doubled up to the chosen
    epoch). Of the eligible arms, `by` decides:

    - best: the one with the best mean of `metric`.
    - one-standard-error: the first one in the study's order whose mean is at most one standard error worse than the
      best mean; the standard error is that of the best arm (Breiman et al., Classification and Regression Trees, 1984).
      Arms stand in the order of preference, the simplest or the smallest rate first.
    - lowest-upper-bound: the one whose 95 % confidence interval of the mean has the best worse end. An arm with one
      replicate has no interval, and is not eligible.

    `within` are keys that split the arms into groups, such as network.hidden: one arm is chosen in each group.
    """

    metric: MetricName
    by: ChoiceRule = "best"
    within: Annotated[tuple[RecipeKey, ...], Len(0, 10)] = ()
    without: Annotated[tuple[MetricName, ...], Len(0, 10)] = ()
    faults: Faults = ()
    confirm: Confirm = Confirm()

    @model_validator(mode="after")
    def _metric_has_a_direction(self) -> Self:
        if METRICS[self.metric].direction == 0:
            raise ValueError(f"metric {self.metric} has no better or worse")
        return self
