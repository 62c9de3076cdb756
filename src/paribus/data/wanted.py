"""What of a study's `[data]` decides how a source is read: readers keep what they have read by these values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.npy import BrokenFileError
from paribus.errors import UserError, nearest
from paribus.spec.data import Data, Inputs, Keys
from paribus.spec.losses import Task


@dataclass(frozen=True)
class Wanted:
    """A task with its target and inputs, and the column that splits need.

    `bounded` is whether the values of images must be within [0, 1] where they are floating-point: a study that neither
    scales them nor says that they are used as they are expects so.
    """

    task: Task
    target: Keys
    inputs: Inputs
    column: str | None
    bounded: bool

    @classmethod
    def of(cls, data: Data) -> Wanted:
        bounded = data.scale == "unit"
        return cls(data.task or "classification", data.target, data.inputs, data.split.column, bounded)


def refuse_selection(data: Data, source: str, *, inputs: bool = True) -> None:
    """Raises UserError where a study names a target, or also `inputs`, of a source that has its own."""
    given: list[tuple[str, object]] = [("target", list(data.target))]
    if inputs and data.inputs != Inputs():
        given.append(("inputs", data.inputs.model_dump(exclude_defaults=True)))
    for key, value in given:
        if value:
            raise UserError(f"must not be given: {source} has its own", given=value, place=f"data.{key}",
                            remedy="take it out")  # fmt: skip


def in_row(rows: npt.NDArray[Any]) -> str:
    """`in row 3 (rows count from 0)` for the first of some rows, with the number of the others."""
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"in row {int(rows[0])}{more} (rows count from 0)"


def unknown(what: str, name: str, key: str, known: Iterable[str]) -> BrokenFileError:
    """The refusal of a `name` at a study's `key` that is none of the `known` ones of a file."""
    return BrokenFileError(f"must have the {what} that {key} names", f"none called {name!r}", nearest(name, known))


def refuse_keys(wanted: Wanted, source: str, *, allowed: Iterable[str] = ()) -> None:
    """Raises BrokenFileError where `data.inputs` has a key that does not go with this kind of source."""
    given = [name for name in type(wanted.inputs).model_fields if getattr(wanted.inputs, name) not in (None, ())]
    for name in given:
        if name not in allowed:
            raise BrokenFileError(f"data.inputs.{name} does not go with {source}", str(getattr(wanted.inputs, name)),
                                  f"take data.inputs.{name} out")  # fmt: skip


def numbers_equal(array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which columns of whole numbers (example, column) have different values that are equal as float32."""
    large = np.flatnonzero((array.max(axis=0) > 2**24) | (array.min(axis=0) < -(2**24)))
    found = np.zeros(array.shape[1], bool)
    for column in large:
        values = np.unique(array[:, column])
        found[column] = len(np.unique(values.astype(np.float32))) < len(values)
    return found
