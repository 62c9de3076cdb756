"""What a first study on a user's data could say: guessed from the data themselves, each guess with its reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.errors import Shown, UserError, nearest
from paribus.spec.data import Data
from paribus.spec.losses import Task

if TYPE_CHECKING:
    from paribus.data.source import Parts, Source
    from paribus.data.typed_columns import Column

MANY_CLASSES = 30
"""Whole numbers with more different values than this are taken for numbers to be predicted."""
MANY_CATEGORIES = 50
"""A column of text with more different values than this is taken for names or free text, and left out."""
_BATCH_SIZES = (128, 64, 32, 16, 8, 4, 2, 1)
_STEPS = 2_000
_SHARE = 0.2


@dataclass(frozen=True)
class Draft:
    """The guesses. A reason is a short sentence for people."""

    source: str
    task: Task
    task_reason: str
    target: tuple[str, ...]
    split: dict[str, Any]
    split_reason: str
    examples: int
    training_examples: int
    features: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    scale: str
    scale_reason: str
    has_validation: bool
    has_test: bool
    target_deviation: float | None = None
    missing_values: int = 0
    dropped: dict[str, str] = field(default_factory=dict[str, str])
    categorical: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def batch_size(self) -> int:
        """The largest of some common sizes of which an epoch has at least five."""
        return next((size for size in _BATCH_SIZES if 5 * size <= self.training_examples), 1)

    @property
    def epochs(self) -> int:
        """As many as make about two thousand steps, between 20 and 200."""
        steps = -(-self.training_examples // self.batch_size)
        return min(200, max(20, round(_STEPS / steps / 10) * 10))


def drafted(source_name: str, target: str | None, folder: Path) -> Draft:
    """The draft of a study on the source that `source_name` names, whose relative path begins at `folder`.

    `target` is a column or the key of an array; None where the data have their own targets, or none. Raises UserError
    where the data cannot be read, and where a table has no such column.
    """
    from paribus.data.imputation import missing_counts
    from paribus.data.registry import find

    source = find(source_name, folder)
    columns = _columns(source)
    if columns:
        _check_target(columns, target, source.name)
    dropped, categorical = _judged([column for column in columns if column.name != target])
    fields: dict[str, Any] = {"source": source_name, "split": source.splits[0], "missing": "median"}
    if target is not None:
        fields["target"] = [target]
    if dropped or categorical:
        fields["inputs"] = {"drop": list(dropped), "categorical": list(categorical)}
    parts, task, reason, scale = _read(source, fields)
    pools = [pool for pool in (parts.train, parts.validation) if pool is not None]
    tested = 0 if parts.test is None else parts.test.examples
    examples = sum(map(len, pools)) + tested
    split, split_reason = _split(source, parts, task)
    validation = parts.validation is not None or parts.drawn_validation > 0 or "validation" in split
    training = len(parts.train) - parts.drawn_validation
    if parts.undivided:
        training = round((1 - split.get("validation", 0) - split.get("test", 0)) * len(parts.train))
    elif "validation" in split:
        training = round((1 - _SHARE) * training)
    numbers = parts.train.numbers
    return Draft(
        source=source_name,
        task=task,
        task_reason=reason,
        target=() if target is None else (target,),
        split=split,
        split_reason=split_reason,
        examples=examples,
        training_examples=training,
        features=int(np.prod(parts.train.shape)),
        shape=parts.train.shape,
        classes=parts.classes if task == "classification" else (),
        targets=parts.targets,
        scale=scale,
        scale_reason=_scale_reason(scale, parts),
        has_validation=validation,
        has_test=tested > 0 or "test" in split,
        target_deviation=None if numbers is None else float(numbers.std(axis=0, dtype=np.float64).max()),
        missing_values=int(missing_counts(parts.train).sum()),
        dropped=dropped,
        categorical=categorical,
    )


def _columns(source: Source) -> Sequence[Column]:
    from paribus.data.table_file import TableFile, TableFolder

    return source.columns() if isinstance(source, TableFile | TableFolder) else ()


def _check_target(columns: Sequence[Column], target: str | None, name: str) -> None:
    names = [column.name for column in columns]
    if target is None:
        raise UserError(f"must name the column of {name} that is to be predicted", given=Shown("none"),
                        place="--target", remedy=f"use one of {', '.join(names[:20])}")  # fmt: skip
    if target not in names:
        raise UserError(f"must be a column of {name}", given=target, place="--target", remedy=nearest(target, names))
    column = next(column for column in columns if column.name == target)
    different = len(np.unique(column.values[column.present]))
    if column.categories is not None and 2 * different > len(column.values):
        raise UserError("must be a column of classes or numbers", given=Shown(f"{different:,} different texts"),
                        place=f"--target {target}", remedy="name another column")  # fmt: skip


def _judged(columns: Sequence[Column]) -> tuple[dict[str, str], dict[str, int]]:
    """Columns that are left out, with the reason; and categorical ones, with their number of categories."""
    dropped: dict[str, str] = {}
    categorical: dict[str, int] = {}
    for column in columns:
        different = len(np.unique(column.values[column.present]))
        if not column.present.any():
            dropped[column.name] = "it is empty"
        elif column.kind == "time":
            dropped[column.name] = "it holds dates"
        elif column.categories is not None or column.is_categorical:
            if different > MANY_CATEGORIES or different > max(2, len(column.values) // 2):
                dropped[column.name] = f"it has {different:,} different texts"
            else:
                categorical[column.name] = different
        elif _counts_rows(column):
            dropped[column.name] = "it counts the rows"
    return dropped, categorical


def _counts_rows(column: Column) -> bool:
    values = column.values
    return values.dtype.kind == "i" and len(values) > 2 and bool((np.diff(values) == 1).all())


def _read(source: Source, fields: dict[str, Any]) -> tuple[Parts, Task, str, str]:
    """The parts, the task and its reason, and the scaling that the values allow."""
    named = fields.get("target")
    what = f"the target {named[0]}" if named else "the target"
    try:
        parts, scale = _scaled(source, {**fields, "task": "classification"})
    except UserError as error:
        others: tuple[tuple[Task, str], ...] = (
            ("regression", f"{what} is a number"),
            ("reconstruction", "the data have no targets"),
        )
        for task, reason in others:
            try:
                parts, scale = _scaled(source, {**fields, "task": task})
            except UserError:
                continue
            if task == "reconstruction" and named:
                break
            if task == "reconstruction" or parts.targets:
                return parts, task, reason, scale
        raise error
    if not parts.classes:
        return parts, "reconstruction", "the data have no targets", scale
    if len(parts.classes) > MANY_CLASSES and all(map(_is_number, parts.classes)):
        parts, scale = _scaled(source, {**fields, "task": "regression"})
        return parts, "regression", f"{what} has many different numbers", scale
    return parts, "classification", f"{what} has {len(parts.classes)} different values", scale


def _scaled(source: Source, fields: dict[str, Any]) -> tuple[Parts, str]:
    """The parts, unscaled where they are images with values from 0 to 1 or bytes, else standardised."""
    try:
        parts = source.read(Data.model_validate({**fields, "scale": "unit"}))
    except UserError:
        return source.read(Data.model_validate({**fields, "scale": "standardise"})), "standardise"
    return parts, "unit" if len(parts.train.shape) > 1 else "standardise"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9.]+", text) is not None


def _scale_reason(scale: str, parts: Parts) -> str:
    if scale == "standardise":
        return "each feature less its training mean, divided by its deviation"
    return "bytes are divided by 255" if parts.train.divisor != 1 else "values are used as they are"


def _split(source: Source, parts: Parts, task: Task) -> tuple[dict[str, Any], str]:
    shares = {"validation": _SHARE, "test": _SHARE}
    if not parts.undivided:
        split: dict[str, Any] = {"by": source.splits[0]}
        if parts.validation is None and not parts.drawn_validation:
            return {**split, "validation": _SHARE}, "the data have their own test split; validation is drawn"
        return split, "the data have their own splits"
    if task != "classification" or parts.train.labels is None:
        return {"by": "random", **shares}, "drawn at random; group, time and folds are other ways"
    if np.bincount(parts.train.labels).min() < 3:
        return {"by": "random", **shares}, "drawn at random: a class has too few examples to be in every split"
    return {"by": "stratified", **shares}, "each class has its share in every split"
