"""What was found out about the examples of one replicate, before anything was trained. Only counts and places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class EqualRows:
    """Two examples with equal features: in which split each is, and in which row of the source."""

    first: SplitName
    first_row: int
    second: SplitName
    second_row: int


@dataclass(frozen=True)
class Overlap:
    """So many `examples` of split `second` have the features of an example of split `first`; `shown` are a few."""

    first: SplitName
    second: SplitName
    examples: int
    shown: tuple[EqualRows, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """Facts about the examples of one replicate.

    `train_counts`, `validation_counts` and `test_counts` are the examples of each class, empty without classes or
    without that split. `overlaps` are examples that stand in two splits, by content. `conflicting` examples, of all
    splits, have the features of an example of another class.

    Of tables: `constant` are features that are the same in all training examples, `constant_features` counts them.
    `scale_ratio` is the largest standard deviation of a feature over the smallest, as a network sees them in training,
    `narrow` and `wide` are those features. `largest_input` is the largest absolute value that a network sees in
    training, in the feature `largest_feature`. Features of 0 and 1 only are left out of both.

    `missing` has (feature, count) for the features with most missing values, of all splits; `missing_features` and
    `missing_values` count all. Lists are cut after `MAX_LISTED`. `zeros_and_ones` says that bytes are 0 and 1 only, and
    are divided by 255. `test_seen` says whether test examples were compared: those of a built-in source are not read
    before a logged read of the test set.
    """

    train_counts: tuple[int, ...] = ()
    validation_counts: tuple[int, ...] = ()
    test_counts: tuple[int, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    conflicting: int = 0
    conflicts: tuple[EqualRows, ...] = ()
    constant_features: int = 0
    constant: tuple[int, ...] = ()
    scale_ratio: float | None = None
    narrow: int = 0
    wide: int = 0
    largest_input: float | None = None
    largest_feature: int = 0
    missing_values: int = 0
    missing_features: int = 0
    missing: tuple[tuple[int, int], ...] = ()
    zeros_and_ones: bool = False
    test_seen: bool = False

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Inspection:
        """The facts that `dataclasses.asdict` made plain values of, perhaps by way of JSON."""
        found: dict[str, Any] = {name: _tupled(value) for name, value in content.items()}
        found["conflicts"] = _pairs(content.get("conflicts", ()))
        found["overlaps"] = tuple(
            Overlap(overlap["first"], overlap["second"], overlap["examples"], _pairs(overlap["shown"]))
            for overlap in content.get("overlaps", ())
        )
        return cls(**found)


MAX_LISTED = 10


def _pairs(content: Sequence[dict[str, Any]]) -> tuple[EqualRows, ...]:
    return tuple(EqualRows(**pair) for pair in content)


def _tupled(value: object) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_tupled(entry) for entry in cast("list[object] | tuple[object, ...]", value))
    return value
