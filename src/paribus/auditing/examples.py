"""What an audit is about: the labelled examples of a source, and whether they can be audited at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from paribus.data.loading import audited_pool
from paribus.data.pool import Labels, Pool
from paribus.data.registry import find
from paribus.data.source import Source
from paribus.errors import Shown, UserError
from paribus.spec.data import Data

MAX_PROBABILITIES = 2**28
"""Examples times classes: 1 GiB of float32 probabilities."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The audited examples, as the study's `[data]` table describes them.

    `pool` has their features and their labels as given; its `source_rows`, or else its own rows, are those that people
    count in the source. `table` is the table without its split, `within` the split whose test examples are left alone,
    and `column` has the groups that stay together. Relative paths begin at `folder`.
    """

    pool: Pool
    classes: tuple[str, ...]
    table: Mapping[str, Any]
    within: Mapping[str, Any] | None
    folder: Path
    column: str | None = None
    feature_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pool)

    @property
    def labels(self) -> Labels:
        """The labels as given (example,)."""
        assert self.pool.labels is not None
        return self.pool.labels

    @property
    def counts(self) -> Labels:
        """Examples of each class (class,)."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def smallest_class(self) -> int:
        """Examples of the smallest class."""
        return int(self.counts.min())


def examples_of(
    table: Mapping[str, Any], folder: Path, *, split: Any = None, column: str | None = None, folds: int, seed: int = 0
) -> Examples:
    """The examples that a `[data]` table names, for `folds` folds, read and checked.

    `split` is the table's own split, None for the source's first one; `column` names groups. Test examples of that
    split are not among them. Raises UserError in one line for data without classes, with a single one, or with a class
    that is too small to be in every fold.
    """
    own = {key: value for key, value in table.items() if key not in ("split", "label_noise", "planted", "limit")}
    own["task"] = "classification"
    source = find(str(own["source"]), folder)
    within = _within(split, source)
    data = _data({**own, "split": _folds(folds, column, within)})
    parts = audited_pool(data, folder, seed)
    found = Examples(parts.train, parts.classes, own, within, folder, column, parts.feature_names)
    _refuse(found, folds, str(own["source"]))
    return found


def _folds(folds: int, column: str | None, within: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {"column": column, "within": within}
    return {"by": "folds", "folds": folds, **{key: value for key, value in given.items() if value is not None}}


def _within(split: Any, source: Source) -> Mapping[str, Any] | None:
    """The split whose test examples are left alone; None where every example is audited."""
    if split is None:
        return None if "all" in source.splits else {"by": source.splits[0]}
    own: dict[str, Any] = {"by": split} if isinstance(split, str) else dict(split)
    if own.get("by") == "folds":
        return own.get("within")
    if own.get("by") == "all":
        return None
    return {key: own[key] for key in ("by", "validation", "test", "column", "index") if key in own}


def _data(content: Mapping[str, Any]) -> Data:
    try:
        return Data.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["data", *map(str, first["loc"])])
        raise UserError(str(first["msg"]), given=Shown(""), place=place, remedy="correct it") from None


def _refuse(found: Examples, folds: int, source: str) -> None:
    classes = len(found.classes)
    if found.pool.labels is None or not classes:
        raise UserError("must have labels of classes to be audited", given=Shown("none"), place=source,
                        remedy="name the labels with --target")  # fmt: skip
    if classes < 2:
        raise UserError("must have at least two classes", given=Shown(f"one, {found.classes[0]}"), place=source,
                        remedy="name other labels with --target")  # fmt: skip
    counts = found.counts
    few = np.flatnonzero(counts < folds)
    if len(few):
        name, count = found.classes[few[0]], int(counts[few[0]])
        others = f", and {len(few) - 1} more classes have too few" if len(few) > 1 else ""
        raise UserError(
            f"must have at least {folds} examples of each class, one for each fold",
            given=Shown(f"{count} of class {name}{others}"),
            place=source,
            remedy="use fewer folds, or leave small classes out",
        )
    if len(found) * classes > MAX_PROBABILITIES:
        raise UserError(f"must have at most {MAX_PROBABILITIES:,} examples times classes",
                        given=Shown(f"{len(found):,} examples of {classes:,} classes"), place=source,
                        remedy="audit a part of them")  # fmt: skip
