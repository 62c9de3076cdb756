"""A search: what is proposed, how long each candidate trains, and how the winner is chosen and confirmed.

A candidate is an arm. Its run has the full number of epochs; a rung is a pause of that run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from annotated_types import Len
from pydantic import AfterValidator, Field, Strict, model_validator

from paribus.spec.choice import FAULTS, ChoiceRule, Faults, RecipeKey
from paribus.spec.fields import Count, CountOrZero, Finite, Frozen, ReplicateCount
from paribus.spec.metrics import METRICS
from paribus.spec.rules import RuleName, parse_rule

Sampler = Literal["tpe", "random", "sobol"]
MAX_CANDIDATES: Final = 10_000
_NOT_SEARCHED: Final = (
    "data.source", "data.split", "data.target", "data.task", "data.limit", "data.scale_target", "data.label_noise",
    "data.planted", "training.epochs", "selection", "snapshots", "test", "denoising", "occlusion", "metrics",
    "references",
)  # fmt: skip
"""Keys that decide what candidates are compared on, or that train nothing."""


def _plain_choice(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must have finite numbers only")
    return value


def _key_of_space(key: str) -> str:
    for kept in _NOT_SEARCHED:
        if key == kept or key.startswith(f"{kept}."):
            raise ValueError(f"must not vary {kept}: candidates would not be compared on equal terms")
    return key


SpaceKey = Annotated[RecipeKey, AfterValidator(_key_of_space)]
Bounds = Annotated[tuple[Finite, ...], Len(2, 2)]
WholeBounds = Annotated[tuple[Annotated[int, Strict()], ...], Len(2, 2)]


class Dimension(Frozen):
    """The values that one key may have: exactly one of `log_uniform`, `uniform`, `integer` (lowest and highest value,
    both included) and `choice` (a list).

    It is proposed only where `when` holds: each of its keys, of the space or of the study, has the value there, or one
    of a list of values.
    """

    log_uniform: Bounds | None = None
    uniform: Bounds | None = None
    integer: WholeBounds | None = None
    choice: Annotated[tuple[Annotated[Any, AfterValidator(_plain_choice)], ...], Len(1, 100)] | None = None
    when: dict[RecipeKey, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [name for name in ("log_uniform", "uniform", "integer", "choice") if getattr(self, name) is not None]
        if len(forms) != 1:
            raise ValueError("must give exactly one of log_uniform, uniform, integer and choice")
        if forms[0] != "choice":
            low, high = cast("tuple[float, float]", getattr(self, forms[0]))
            if not low < high:
                raise ValueError(f"{forms[0]} must give the lower value first, and a higher one")
            if forms[0] == "log_uniform" and low <= 0:
                raise ValueError("log_uniform must have values above 0")
        return self

    @property
    def values(self) -> tuple[Any, ...]:
        """The choices, or the lowest and the highest value."""
        return tuple(self.choice or self.log_uniform or self.uniform or self.integer or ())


class Halving(Frozen):
    """Successive halving: at each rung one of `factor` candidates goes on, the others stay paused. At least as many as
    are to be finalists reach the last one.

    The first rung is at epoch `grace`, each later one at `factor` times as many, the last at the end. With several
    `brackets`, candidates are dealt out among them in order; bracket b begins at the b-th rung. From rung
    `replicates_from` on (the first is 1) every replicate of the study trains; before it, only the first one.

    Li et al., Hyperband, JMLR 2018.
    """

    grace: Count
    factor: Annotated[int, Strict(), Field(ge=2, le=100)] = 3
    brackets: Annotated[int, Strict(), Field(ge=1, le=20)] = 1
    replicates_from: Annotated[int, Strict(), Field(ge=1, le=20)] = 1

    def rungs(self, epochs: int, bracket: int = 0) -> tuple[int, ...]:
        """The epochs at which a bracket's candidates are compared, the end of training last."""
        found: list[int] = []
        at = self.grace * self.factor**bracket
        while at < epochs:
            found.append(at)
            at *= self.factor
        return (*found, epochs)


class Finalists(Frozen):
    """The best `finalists` are trained again on fresh replicates: `replicates` of them, two or more, as one has no
    interval, with the indices from `first` on."""

    finalists: Annotated[int, Strict(), Field(ge=1, le=100)] = 3
    replicates: Annotated[ReplicateCount, Field(ge=2)] = 5
    first: CountOrZero = 1000


class Search(Frozen):
    """A search over `space`, dotted keys of an arm to what each may be. It stands in place of arms and factors.

    `sampler` proposes `candidates` in all, `batch` at a time: each batch is recorded before it trains, and the sampler
    learns its values before it proposes the next one. `objective` is a rule such as min-val-loss: candidates are
    compared by the best value so far of its metric, averaged over their replicates. A candidate with one of the faults
    in `without` (see `choice.Choice`) goes on at a rung only where too few have none, and is not a finalist. Of the
    finalists, `choose` decides by their values on fresh replicates; one-standard-error takes the one with the fewest
    parameters of those within one standard error of the best, or the best if all have the same number of parameters.
    """

    sampler: Sampler = "tpe"
    candidates: Annotated[int, Strict(), Field(ge=1, le=MAX_CANDIDATES)]
    batch: Annotated[int, Strict(), Field(ge=1, le=MAX_CANDIDATES)] = 16
    objective: RuleName
    halving: Halving | None = None
    confirm: Finalists = Finalists()
    choose: ChoiceRule = "one-standard-error"
    without: Faults = FAULTS
    space: Annotated[dict[SpaceKey, Dimension], Len(1, 100)]

    @property
    def metric(self) -> str:
        """The metric of the objective."""
        return parse_rule(self.objective).metric

    @property
    def direction(self) -> int:
        """+1 where a higher value of the objective is better, else -1."""
        return parse_rule(self.objective).direction

    @property
    def brackets(self) -> int:
        return 1 if self.halving is None else self.halving.brackets

    def rungs(self, epochs: int, bracket: int = 0) -> tuple[int, ...]:
        """The epochs at which the candidates of a bracket are compared, the end of training last."""
        return (epochs,) if self.halving is None else self.halving.rungs(epochs, bracket)

    def replicates_at(self, rung: int, count: int) -> int:
        """How many of `count` replicates of a candidate train at rung `rung` (the first is 0)."""
        return count if self.halving is None or rung + 1 >= self.halving.replicates_from else 1

    def batches(self, bracket: int) -> tuple[range, ...]:
        """The numbers of a bracket's candidates, batch by batch.

        Example: 7 candidates in batches of 2 and 2 brackets: 0..1, 2..3 and 4..5, 6.
        """
        share, more = divmod(self.candidates, self.brackets)
        first = bracket * share + min(bracket, more)
        last = first + share + (bracket < more)
        return tuple(range(at, min(at + self.batch, last)) for at in range(first, last, self.batch))

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        rule = parse_rule(self.objective)
        if rule.kind != "best" or METRICS[rule.metric].split == "test":
            raise ValueError("objective must be a min- or max- rule, and not of test data, such as min-val-loss")
        if self.brackets > self.candidates:
            raise ValueError("candidates must be at least as many as halving.brackets")
        losses = [key for key in self.space if key.partition(".")[0] == "loss" and key != "loss.label_smoothing"]
        if losses and rule.metric.endswith("_loss"):
            raise ValueError(f"space varies {losses[0]}, so that values of the objective mean different things")
        keys = list(self.space)
        for place, dimension in enumerate(self.space.values()):
            later = [key for key in dimension.when if key in keys[place:]]
            if later:
                raise ValueError(f"space must have {later[0]} before {keys[place]}, which depends on it")
        conditional = [key for key, dimension in self.space.items() if dimension.when]
        if self.sampler == "sobol" and conditional:
            raise ValueError(
                f"space must not have when ({conditional[0]}) with sobol, whose sequences are of fixed keys"
            )
        nested = [(a, b) for a in keys for b in keys if b.startswith(f"{a}.")]
        if nested:
            raise ValueError(f"space must not have both {nested[0][0]} and {nested[0][1]}, a part of it")
        return self


def holds(condition: Mapping[str, Any], proposed: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a dimension's `when` holds, by the values proposed so far and by the study's own tables."""
    for key, wanted in condition.items():
        value = proposed.get(key, value_at(base, key))
        if value not in (cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]):
            return False
    return True


def value_at(table: Mapping[str, Any], key: str) -> Any:
    """What a study's tables say for a dotted key; None where they do not have it."""
    value: Any = table
    for word in key.split("."):
        value = cast("dict[str, Any]", value).get(word) if isinstance(value, dict) else None
    return value


def corners(search: Search, base: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Proposals that together have every choice and both ends of every range: if all are valid, so is the space, as far
    as single keys go. The first has all lowest values."""
    found = [_proposal(search, base, {}, 0), _proposal(search, base, {}, -1)]
    for key, dimension in search.space.items():
        for value in dimension.values:
            fixed = {key: value, **_conditions(search, key)}
            found.append(_proposal(search, base, fixed, 0))
    unique: list[dict[str, Any]] = []
    for one in found:
        if one not in unique:
            unique.append(one)
    return unique


def _conditions(search: Search, key: str) -> dict[str, Any]:
    """What must be proposed so that the dimension `key` is: the values that its `when` names, and theirs in turn."""
    found: dict[str, Any] = {}
    for other, wanted in search.space[key].when.items():
        if other in search.space:
            found[other] = cast("list[Any]", wanted)[0] if isinstance(wanted, list) else wanted
            found |= _conditions(search, other)
    return found


def _proposal(search: Search, base: Mapping[str, Any], fixed: Mapping[str, Any], end: int) -> dict[str, Any]:
    proposed: dict[str, Any] = {}
    for key, dimension in search.space.items():
        if holds(dimension.when, proposed, base):
            proposed[key] = fixed.get(key, dimension.values[end])
    return proposed
