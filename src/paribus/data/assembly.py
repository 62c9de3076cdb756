"""From the examples and targets of each split, as a reader found them, to the pools of a source."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.data.layouts import Examples
from paribus.data.npy import BrokenFileError
from paribus.data.pool import Labels, Numbers, Pool
from paribus.data.source import Parts, SplitValues, TestPool
from paribus.data.targets import Classes, Target, classes_of, numbers_of
from paribus.spec.losses import Task

LOG = logging.getLogger("paribus.data")

SplitKey = Literal["all", "training", "validation", "test"]
"""A split of a file; `all` is the one of an undivided file, which has no other."""


@dataclass(frozen=True, eq=False)
class FoundSplit:
    """One split as it was read: its examples, and their targets as they were found."""

    examples: Examples
    target: Target | None


@dataclass(frozen=True, eq=False)
class Origin:
    """Where pools come from: their name, the place that messages show, and the SHA-256 of the content."""

    name: str
    shown: str
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Schema:
    """What a source says of its features, its classes and the column that splits need, where it says so."""

    feature_names: tuple[str, ...] = ()
    categorical: tuple[slice, ...] = ()
    class_names: tuple[str, ...] = ()
    split_values: SplitValues | None = None


def assembled(
    found: Mapping[SplitKey, FoundSplit],
    task: Task,
    origin: Origin,
    schema: Schema | None = None,
    *,
    is_table: bool = False,
) -> Parts:
    """The pools of all splits, with one shape, one kind of values and one list of classes.

    Targets become classes, or numbers for a regression. For a reconstruction, targets that are not classes are left
    out. Raises BrokenFileError where the splits do not go together, or where the task needs other targets.
    """
    schema = schema or Schema()
    alike = _of_one_kind(found, is_table=is_table)
    targets = [part.target for part in found.values()]
    classes, names, labels, numbers = _read_targets(found, targets, task, origin, schema)
    pools = {
        split: Pool(
            name=origin.name if split == "all" else f"{origin.name}/{split}",
            values=examples.values,
            divisor=examples.divisor,
            labels=labels.get(split),
            shape=examples.shape,
            fingerprint=origin.fingerprint,
            numbers=numbers.get(split),
        )
        for split, examples in alike.items()
    }
    test = pools.get("test")
    return Parts(
        train=pools["all"] if "all" in pools else pools["training"],
        classes=classes,
        validation=pools.get("validation"),
        test=None if test is None else TestPool(len(test), lambda: test),
        undivided="all" in pools,
        feature_names=schema.feature_names,
        targets=names,
        split_values=schema.split_values,
        categorical=schema.categorical,
    )


def _of_one_kind(found: Mapping[SplitKey, FoundSplit], *, is_table: bool) -> dict[SplitKey, Examples]:
    """The examples of all splits, with one shape and one type."""
    examples: dict[SplitKey, Examples] = {split: part.examples for split, part in found.items()}
    first = next(iter(examples.values()))
    for other in examples.values():
        if other.shape != first.shape:
            one, more = (" x ".join(str(length) for length in part.shape) for part in (first, other))
            raise BrokenFileError("examples of all splits must have the same shape", f"{one} and {more}",
                                  "bring them to one size")  # fmt: skip
    kinds = {(part.values.dtype, part.divisor) for part in examples.values()}
    if len(kinds) == 1:
        return examples
    if is_table or len(first.shape) == 1:
        for split, part in examples.items():
            examples[split] = Examples(part.values.astype(np.float32), 1.0, part.shape)
        return examples
    rule = "images of all splits must be of one kind: whole numbers, booleans or floating-point numbers"
    given = " and ".join(sorted({_kind(part) for part in examples.values()}, reverse=True))
    raise BrokenFileError(rule, given, "save them all with the same dtype")


def _kind(images: Examples) -> str:
    if images.values.dtype == np.float32:
        return "floating-point numbers"
    return "booleans" if images.divisor == 1 else "whole numbers"


_Read = tuple[tuple[str, ...], tuple[str, ...], dict[SplitKey, Labels], dict[SplitKey, Numbers]]
"""Names of classes, names of numbers, labels of each split, numbers of each split."""


def _read_targets(
    found: Mapping[SplitKey, FoundSplit], targets: list[Target | None], task: Task, origin: Origin, schema: Schema
) -> _Read:
    given = [target for target in targets if target is not None]
    sizes = [len(part.examples) for part in found.values()]
    if not given:
        return (), (), {}, {}
    if task == "regression":
        outputs = numbers_of(given, sizes)
        return (), outputs.names, {}, dict(zip(found, outputs.numbers, strict=True))
    try:
        classes = classes_of(given, sizes)
    except BrokenFileError:
        if task == "reconstruction":
            return (), (), {}, {}
        raise
    labels = dict(zip(found, classes.labels, strict=True))
    if task == "classification" and len(labels) > 1:
        _compare_classes(labels, classes, origin)
    return _named(classes.names, schema.class_names), (), labels, {}


def _named(numbered: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a file in place of the numbers that point into them, where all do."""
    if names and all(number.isdigit() and int(number) < len(names) for number in numbered):
        return tuple(names[int(number)] for number in numbered)
    return numbered


def _compare_classes(labels: Mapping[SplitKey, Labels], classes: Classes, origin: Origin) -> None:
    """Refuse splits that have nothing to do with each other; warn of classes that training does not have."""
    trained = np.unique(labels["training"])
    if len(trained) < 2:
        raise BrokenFileError("training examples must have at least two classes",
                              f"{classes.names[trained[0]]!r} for all of them", "check the targets")  # fmt: skip
    for split, values in labels.items():
        if not np.isin(values, trained).any():
            raise BrokenFileError(f"{split} examples must have classes that training has",
                                  f"{classes.names[values[0]]!r} and others that it lacks",
                                  "check that all splits have the same classes")  # fmt: skip
    missing = np.setdiff1d(np.arange(len(classes.names)), trained)
    if len(missing):
        shown = ", ".join(classes.names[number] for number in missing[:5]) + (", ..." if len(missing) > 5 else "")
        LOG.warning("%s: training has no example of %d of the %d classes (%s)",
                    origin.shown, len(missing), len(classes.names), shown)  # fmt: skip
