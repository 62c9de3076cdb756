"""From the columns of a table to features and targets.

Numbers become float32 features. A column of text is a feature only where the study says that it is categorical: then
each category is a feature of 0 and 1, called `site=north`. Categories are those of the whole file, which makes them a
part of its schema and no statistic. A missing value is NaN, in all features of its category at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from paribus.data.assembly import FoundSplit, Origin, Schema, SplitKey, assembled
from paribus.data.examples import MAX_PIXELS
from paribus.data.layouts import Examples
from paribus.data.npy import MAX_VALUES, BrokenFileError
from paribus.data.pool import Features
from paribus.data.source import Parts, SplitValues
from paribus.data.targets import MAX_CLASSES, Target, sorted_names
from paribus.data.typed_columns import Column, typed
from paribus.data.wanted import Wanted, in_row, numbers_equal, refuse_keys, unknown

if TYPE_CHECKING:
    import pyarrow as pa

LOG = logging.getLogger("paribus.data")
MAX_CATEGORIES = MAX_CLASSES


@dataclass(frozen=True)
class Choice:
    """The columns that a study uses of a table: features in their order, targets, and the one that splits need."""

    features: tuple[str, ...]
    targets: tuple[str, ...]
    column: str | None

    @property
    def all(self) -> tuple[str, ...]:
        """Each column once."""
        return tuple(dict.fromkeys((*self.features, *self.targets, *((self.column,) if self.column else ()))))


def chosen(names: Sequence[str], wanted: Wanted) -> Choice:
    """The columns to be read of a table that has these. Raises BrokenFileError where they are not there."""
    inputs, targets = wanted.inputs, wanted.target
    refuse_keys(wanted, "a table", allowed=("keep", "drop", "categorical"))
    known = set(names)
    for key, listed in (("data.target", targets), ("data.inputs.keep", inputs.keep), ("data.inputs.drop", inputs.drop),
                        ("data.split.column", (wanted.column,) if wanted.column else ())):  # fmt: skip
        for name in listed:
            if name not in known:
                raise unknown("column", name, key, names)
    if not targets and wanted.task != "reconstruction":
        raise BrokenFileError(f"must have a target, as the task is {wanted.task}", "no data.target",
                              f"say data.target = {names[-1]!r}, or another of its columns")  # fmt: skip
    for name in targets:
        if name in inputs.keep or name in inputs.drop:
            key = "keep" if name in inputs.keep else "drop"
            raise BrokenFileError("must not have the target among the inputs", f"{name!r} in data.inputs.{key}",
                                  f"take it out of data.inputs.{key}: a target is never an input")  # fmt: skip
    left_out = {*targets, *inputs.drop, wanted.column}
    features = inputs.keep or tuple(name for name in names if name not in left_out)
    if not features:
        raise BrokenFileError("must have a column besides the target and those left out", "none",
                              "drop fewer columns")  # fmt: skip
    for name in inputs.categorical:
        if name not in known:
            raise unknown("column", name, "data.inputs.categorical", names)
        if name not in features:
            raise BrokenFileError("must be an input to be categorical", f"{name!r} in data.inputs.categorical",
                                  "take it out there: it is a target, left out, or not kept")  # fmt: skip
    return Choice(features, targets, wanted.column)


def parts_of(table: pa.Table, sizes: Mapping[SplitKey, int], choice: Choice, wanted: Wanted, origin: Origin) -> Parts:
    """The parts of a table whose rows are those of all splits, one after the other, `sizes` of each.

    Raises BrokenFileError, its rule naming the column and what was found naming the row.
    """
    if not table.num_rows:
        raise BrokenFileError("must have at least one row below its header", "none", "add examples")
    blocks = [_block(typed(name, table.column(name)), wanted) for name in choice.features]
    width = sum(len(block.names) for block in blocks)
    if width > MAX_PIXELS or width * table.num_rows > MAX_VALUES:
        raise BrokenFileError(f"must make at most {MAX_PIXELS} features, and {MAX_VALUES} values in all",
                              f"{width} features of {table.num_rows} examples", "leave out columns")  # fmt: skip
    values, categorical = _filled(blocks, table.num_rows, width)
    target = _target([typed(name, table.column(name)) for name in choice.targets])
    schema = Schema(
        feature_names=_feature_names(blocks),
        categorical=categorical,
        split_values=_split_values(typed(choice.column, table.column(choice.column)))
        if choice.column is not None and "all" in sizes
        else None,
    )
    found: dict[SplitKey, FoundSplit] = {}
    start = 0
    for split, size in sizes.items():
        rows = slice(start, start + size)
        part = None if target is None else Target(target.values[rows], target.what, target.categories, target.columns)
        found[split] = FoundSplit(Examples(values[rows], 1.0, (width,)), part)
        start += size
    return assembled(found, wanted.task, origin, schema, is_table=True)


@dataclass(frozen=True, eq=False)
class _Block:
    """The features that one column becomes; those of a categorical column have its codes, -1 where it is missing."""

    column: Column
    names: tuple[str, ...]
    codes: npt.NDArray[np.int64] | None = None


def _block(column: Column, wanted: Wanted) -> _Block:
    if not column.present.any():
        raise BrokenFileError(f"column {column.name} must have a value in some row", "none in any row",
                              f"leave it out: data.inputs.drop = [{column.name!r}]")  # fmt: skip
    if column.name in wanted.inputs.categorical or column.is_categorical:
        return _one_hot(column)
    if column.kind == "text":
        raise _text_refused(column)
    if column.kind == "time":
        raise BrokenFileError(f"column {column.name} must hold numbers", "dates",
                              f"leave it out by data.inputs.drop = [{column.name!r}], or save numbers such as days "
                              "in its place")  # fmt: skip
    infinite = np.flatnonzero(np.isinf(_as_float32(column.values)))
    if len(infinite):
        raise BrokenFileError(f"column {column.name} must hold finite numbers that fit into 32 bits",
                              f"{column.values[infinite[0]]} {in_row(infinite)}",
                              "correct it, or leave it empty where it is missing")  # fmt: skip
    if column.values.dtype.kind == "i" and numbers_equal(column.values.reshape(-1, 1))[0]:
        LOG.warning("column %s has whole numbers that are equal once they are rounded to 32-bit floating-point "
                    "numbers; leave it out if it holds identifiers: data.inputs.drop = [%r]",
                    column.name, column.name)  # fmt: skip
    return _Block(column, (column.name,))


def _as_float32(values: npt.NDArray[Any]) -> Features:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _text_refused(column: Column) -> BrokenFileError:
    """A column of text that the study does not call categorical: most likely numbers with mistakes, or categories."""
    number = column.are_numbers()
    if number.mean() >= 0.5:  # a column of numbers in which some are mistakes
        wrong = np.flatnonzero(column.present & ~number)
        return BrokenFileError(f"column {column.name} must hold numbers", f"{column.text(wrong[0])} {in_row(wrong)}",
                               "correct it, with a decimal point, or leave it empty where it is missing")  # fmt: skip
    first = np.flatnonzero(column.present)
    return BrokenFileError(
        f"column {column.name} must hold numbers, or be categorical",
        f"{column.text(first[0])} in row {first[0]} (rows count from 0)",
        f"say data.inputs.categorical = [{column.name!r}] to make a feature of each category, "
        f"or leave it out: data.inputs.drop = [{column.name!r}]",
    )


def _one_hot(column: Column) -> _Block:
    """Each category as a feature: numbers in their order, text alphabetically."""
    if column.categories is not None:
        used = np.unique(column.values[column.values >= 0])
        ordered = sorted_names({column.categories[code] for code in used})
        position = {name: index for index, name in enumerate(ordered)}
        lookup = np.array([*(position.get(name, -1) for name in column.categories), -1], np.int64)
        codes = lookup[column.values]  # -1 finds the last entry, which is -1
    elif column.kind == "time":
        raise BrokenFileError(f"column {column.name} must hold numbers or text to be categorical", "dates",
                              "take it out of data.inputs.categorical")  # fmt: skip
    else:
        known, codes = np.unique(column.values[column.present], return_inverse=True)
        ordered = [_category(value) for value in known]
        filled = np.full(len(column.values), -1, np.int64)
        filled[column.present] = codes
        codes = filled
    if len(ordered) > MAX_CATEGORIES:
        raise BrokenFileError(f"column {column.name} must have at most {MAX_CATEGORIES} categories", f"{len(ordered)}",
                              f"leave it out: data.inputs.drop = [{column.name!r}]")  # fmt: skip
    return _Block(column, tuple(f"{column.name}={name}" for name in ordered), codes)


def _category(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return str(int(value)) if float(value).is_integer() else str(value)


def _filled(blocks: Sequence[_Block], rows: int, width: int) -> tuple[Features, tuple[slice, ...]]:
    """The features of all blocks side by side, (example, feature), and where each categorical column's are."""
    values = np.zeros((rows, width), np.float32)
    categorical: list[slice] = []
    start = 0
    for block in blocks:
        here = slice(start, start + len(block.names))
        if block.codes is None:
            values[:, start] = _as_float32(block.column.values)
        else:
            categorical.append(here)
            present = np.flatnonzero(block.codes >= 0)
            values[present, start + block.codes[present]] = 1
            values[block.codes < 0, here] = np.nan
        start = here.stop
    return values, tuple(categorical)


def _feature_names(blocks: Sequence[_Block]) -> tuple[str, ...]:
    names = tuple(name for block in blocks for name in block.names)
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise BrokenFileError("must give each feature a name of its own", f"{name!r} for two of them",
                              "rename one of the columns")  # fmt: skip
    return names


def _target(columns: Sequence[Column]) -> Target | None:
    if not columns:
        return None
    for column in columns:
        if column.kind == "time":
            raise BrokenFileError(f"column {column.name} must hold classes or numbers to be a target", "dates",
                                  "name another target")  # fmt: skip
        if not column.present.any():
            raise BrokenFileError(f"column {column.name} must hold targets", "an empty column", "name another target")
    if len(columns) == 1:
        (column,) = columns
        return Target(column.values, f"column {column.name}", column.categories, (column.name,))
    for column in columns:
        if column.categories is not None:
            first = int(np.flatnonzero(column.present)[0])
            raise BrokenFileError(f"column {column.name} must hold numbers, as there are several targets",
                                  f"{column.text(first)} in row {first} (rows count from 0)",
                                  "name one target, or columns of numbers")  # fmt: skip
    names = tuple(column.name for column in columns)
    stacked = np.stack([column.values.astype(np.float64) for column in columns], axis=1)
    return Target(stacked, f"columns {', '.join(names)[:60]}", columns=names)


def _split_values(column: Column) -> SplitValues:
    """The values of `data.split.column` as the splits take them; None is a missing text."""
    if column.categories is not None:
        return np.array([*column.categories, None], object)[column.values]
    return column.values.astype(np.int64) if column.kind == "boolean" else column.values
