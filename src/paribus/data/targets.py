"""What a network learns to give: classes or numbers, read from whatever form a source has them in.

A source hands in the targets of all its splits together, so that all of them have the same classes. Classes may be
whole numbers from any start, whole floating-point numbers, booleans, text, or one-hot rows; their names are sorted,
numbers as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.npy import BrokenFileError
from paribus.data.pool import Labels, Numbers
from paribus.data.wanted import in_row

MAX_CLASSES = 1000
MAX_NAME = 100
"""Characters of a class's name: longer text is not a class."""
_FEW_CLASSES = 100
"""So many classes need no further evidence that they are classes: more must have ten examples each on average."""
_NUMBERS = 'set data.task to "regression" if these are numbers to be predicted'


@dataclass(frozen=True, eq=False)
class Target:
    """The targets of one split as they were found: one array (example,) or (example, column), and what it is called.

    `values` are booleans or numbers. For text they are whole numbers that point into `categories`, -1 where there is
    none. NaN is a missing number. `columns` are the names of the columns, empty where these have none.
    """

    values: npt.NDArray[Any]
    what: str
    categories: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Classes:
    """`labels` (example,) of each split, counted from 0, and the `names` of the classes."""

    labels: list[Labels]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outputs:
    """`numbers` (example, output) of each split, and the `names` of the outputs."""

    numbers: list[Numbers]
    names: tuple[str, ...]


def coded(text: npt.NDArray[np.str_], what: str) -> Target:
    """Text (example,), (example, 1) or (1, example) as a target."""
    categories, codes = np.unique(text.reshape(-1), return_inverse=True)
    return Target(codes.reshape(-1).astype(np.int64), what, tuple(str(name) for name in categories))


def classes_of(found: Sequence[Target], sizes: Sequence[int]) -> Classes:
    """The classes of all splits together; `sizes` are the numbers of examples of each split.

    Raises BrokenFileError where the targets are not classes.
    """
    names: Sequence[str]
    flat = [_one_class_each(target, examples) for target, examples in zip(found, sizes, strict=True)]
    if any(target.categories is not None for target in flat):
        names, coded_labels = _text_classes(flat)
    elif found[0].columns and len(found[0].columns) > 1:
        names, coded_labels = found[0].columns, [target.values.astype(np.int64) for target in flat]
    else:
        names, coded_labels = _number_classes(flat)
    what, examples = found[0].what, sum(sizes)
    if len(names) < 2:
        raise BrokenFileError(f"{what} must have at least two classes", f"{names[0]!r} for every example",
                              "add examples of another class, or name another target")  # fmt: skip
    if len(names) > MAX_CLASSES or (len(names) > _FEW_CLASSES and len(names) * 10 > examples):
        rule = (
            f"{what} must have at most {MAX_CLASSES} classes, and ten examples of each where it has over {_FEW_CLASSES}"
        )
        raise BrokenFileError(rule, f"{len(names)} different values in {examples} examples",
                              f"name another target, or {_NUMBERS}")  # fmt: skip
    return Classes(coded_labels, tuple(names))


def numbers_of(found: Sequence[Target], sizes: Sequence[int]) -> Outputs:
    """The numbers to be predicted; `sizes` are the numbers of examples of each split.

    Raises BrokenFileError where the targets are not finite numbers.
    """
    numbers = [_as_numbers(target, examples) for target, examples in zip(found, sizes, strict=True)]
    first = numbers[0]
    for other, target in zip(numbers, found, strict=True):
        if other.shape[1] != first.shape[1]:
            rule = f"{target.what} must have as many numbers for each example as {found[0].what}"
            given = f"{other.shape[1]} and {first.shape[1]}"
            raise BrokenFileError(rule, given, "save the same targets in each")
    names = found[0].columns or (found[0].what.split(" ")[-1],)
    if len(names) != first.shape[1]:
        names = tuple(f"{names[0]}[{index}]" for index in range(first.shape[1]))
    for index, name in enumerate(names):
        if min(part[:, index].min() for part in numbers) == max(part[:, index].max() for part in numbers):
            raise BrokenFileError(f"target {name} must have at least two different numbers",
                                  f"{first[0, index]} for every example", "name another target")  # fmt: skip
    return Outputs(numbers, names)


def _as_numbers(target: Target, examples: int) -> Numbers:
    """Float32 (example, output)."""
    if target.categories is not None:
        raise BrokenFileError(f"{target.what} must be numbers, as the task is regression",
                              f"text such as {_some_text(target)!r}",
                              'name another target, or set data.task to "classification"')  # fmt: skip
    values = target.values.reshape(-1, 1) if target.values.ndim == 1 else target.values
    if values.ndim == 2 and len(values) != examples and values.shape[1] == examples:
        values = values.T
    if values.ndim != 2 or len(values) != examples:
        raise _wrong_count(target, examples)
    if values.dtype.kind == "f":
        _refuse_missing(target, np.asarray(np.isnan(values).any(axis=1)))
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(numbers).all():
        rows = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
        raise BrokenFileError(f"{target.what} must hold finite numbers that fit into 32 bits",
                              f"{values[rows[0]][~np.isfinite(numbers[rows[0]])][0]} {in_row(rows)}",
                              "correct it, or take that row out")  # fmt: skip
    return numbers


def _one_class_each(target: Target, examples: int) -> Target:
    """The target with one value for each example, (example,), and none missing."""
    values = target.values
    if values.size == examples == max(values.shape, default=0):
        flat = values.reshape(-1)
    elif values.ndim == 2 and target.categories is None and examples in values.shape:
        flat = _from_one_hot(target, values if len(values) == examples else values.T)
    else:
        raise _wrong_count(target, examples)
    absent = np.zeros(0, bool)
    if target.categories is not None:
        absent = np.asarray(flat < 0)
    elif flat.dtype.kind == "f":
        absent = np.isnan(flat)
    _refuse_missing(target, absent)
    return Target(flat, target.what, target.categories)


def _from_one_hot(target: Target, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The column of the 1 in each of the rows (example, class)."""
    wrong = np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=1) | ((rows != 0).sum(axis=1) != 1))
    if len(wrong):
        given = f"{', '.join(str(value) for value in rows[wrong[0]][:6])} {in_row(wrong)}"
        raise BrokenFileError(f"{target.what} must be one class for each example, or one 1 among zeros (one-hot)",
                              given, f"give each example one class, or {_NUMBERS}")  # fmt: skip
    return rows.argmax(axis=1)


def _wrong_count(target: Target, examples: int) -> BrokenFileError:
    given = " x ".join(str(length) for length in target.values.shape) or "a single number"
    return BrokenFileError(f"{target.what} must have one value for each of the {examples} examples", f"shape {given}",
                           "check that inputs and targets belong together")  # fmt: skip


def _refuse_missing(target: Target, absent: npt.NDArray[Any]) -> None:
    """`absent` (example,): whether the target is missing."""
    rows = np.flatnonzero(absent)
    if len(rows):
        raise BrokenFileError(f"{target.what} must be there for every example", f"none {in_row(rows)}",
                              "fill it in, or take those rows out: targets are never imputed")  # fmt: skip


def _text_classes(found: Sequence[Target]) -> tuple[list[str], list[Labels]]:
    names: set[str] = set()
    for target in found:
        if target.categories is None:
            raise BrokenFileError(f"{target.what} must be of one kind in all splits", "text and numbers",
                                  "save them all as text")  # fmt: skip
        present = np.unique(target.values)
        names |= {target.categories[code] for code in present}
    for name in names:
        if len(name) > MAX_NAME or not name.isprintable() or not name.strip():
            rule = f"{found[0].what} must have class names of 1 to {MAX_NAME} printable characters"
            raise BrokenFileError(rule, repr(name[:40]), "name another target, or correct its text")
    ordered = sorted_names(names)
    position = {name: index for index, name in enumerate(ordered)}
    labels: list[Labels] = []
    for target in found:
        codes = np.array([position.get(name, -1) for name in target.categories or ()], np.int64)
        labels.append(codes[target.values])
    return ordered, labels


def sorted_names(names: set[str]) -> list[str]:
    """Alphabetically, or as numbers where all of them are: 2 before 10."""
    if all(name.isascii() and name.isdigit() and len(name) < 16 for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _number_classes(found: Sequence[Target]) -> tuple[list[str], list[Labels]]:
    boolean = all(target.values.dtype.kind == "b" for target in found)
    for target in found:
        if target.values.dtype.kind == "f":
            wrong = np.flatnonzero(~np.isfinite(target.values) | (target.values != np.floor(target.values)))
            if len(wrong):
                given = f"{target.values[wrong[0]]} {in_row(wrong)}"
                raise BrokenFileError(f"{target.what} must be classes, as the task is classification: text, whole "
                                      "numbers or booleans", given, f"{_NUMBERS}, or name another target")  # fmt: skip
    present = np.unique(np.concatenate([np.unique(target.values) for target in found]))
    names = ["false" if not value else "true" for value in present] if boolean else [str(int(v)) for v in present]
    labels = [np.searchsorted(present, target.values).astype(np.int64) for target in found]
    return names, labels


def _some_text(target: Target) -> str:
    return target.categories[0][:40] if target.categories else ""
