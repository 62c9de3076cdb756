"""Arrays, data frames and data sets that a Python program hands in under a name: `data.source = "python:NAME"`.

They are copied when they are handed in, so that nobody changes them later. The fingerprint is of their content: a study
of the same arrays finds its recorded runs again, in another process too, once they are handed in there.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from paribus.data.archive import parts_of
from paribus.data.assembly import Origin
from paribus.data.columns import chosen
from paribus.data.columns import parts_of as parts_of_table
from paribus.data.keys import own_splits, roles_of
from paribus.data.npy import MAX_VALUES, BrokenFileError
from paribus.data.once import read_once
from paribus.data.source import Parts, Source
from paribus.data.table_file import check_names
from paribus.data.typed_columns import typed
from paribus.data.wanted import Wanted
from paribus.errors import Shown, UserError
from paribus.spec.data import Data

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "python:"


class MapStyle(Protocol):
    """A data set whose examples have positions, such as `torch.utils.data.Dataset`: (input, target) or an input."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class ArraySource(Source):
    """Arrays by name, with the names that the arrays of an `.npz` file may have: `X`, `y`, or `X_train` and so on."""

    def __init__(self, name: str, arrays: Mapping[str, Any]) -> None:
        """`arrays` are anything that NumPy makes an array of, tensors among them.

        Raises UserError where they are not arrays of numbers, booleans or text.
        """
        self.name = _checked_name(name)
        self._arrays = {key: _array(value, f"{self.name}, array {key}") for key, value in arrays.items()}
        self.splits = own_splits(list(self._arrays))
        self._read = functools.lru_cache(maxsize=4)(self._parts)

    @functools.cached_property
    def _sha256(self) -> str:
        content = hashlib.sha256()
        for key, array in sorted(self._arrays.items()):
            content.update(f"{key}\0{array.dtype.str}\0{array.shape}\0".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def fingerprint(self) -> str:
        return self._sha256

    def read(self, data: Data) -> Parts:
        return read_once(self._read, Wanted.of(data))

    def _parts(self, wanted: Wanted) -> Parts:
        try:
            roles = roles_of(list(self._arrays), wanted)
            return parts_of(self._arrays, roles, wanted, Origin(self.name, self.name, self.fingerprint()))
        except BrokenFileError as error:
            raise error.at(f"data {self.name}") from error


class FrameSource(Source):
    """A data frame of pandas, polars or any other library with Arrow's interface, as a table file would be."""

    splits = ("all",)

    def __init__(self, name: str, frame: Any) -> None:
        """Raises UserError where `frame` is not a table."""
        self.name = _checked_name(name)
        self._table = _table(frame, self.name)
        self._read = functools.lru_cache(maxsize=4)(self._parts)

    @functools.cached_property
    def _sha256(self) -> str:
        """Of the table as CSV: the same for the same content, whatever its columns look like in memory."""
        from pyarrow import csv

        plain = [
            column.cast(column.type.value_type) if str(column.type).startswith("dictionary") else column
            for column in self._table.columns
        ]
        content = io.BytesIO()
        csv.write_csv(type(self._table).from_arrays(plain, names=self._table.column_names), content)
        types = ",".join(str(column.type) for column in self._table.columns)
        return hashlib.sha256(types.encode() + b"\n" + content.getbuffer()).hexdigest()

    def fingerprint(self) -> str:
        return self._sha256

    def read(self, data: Data) -> Parts:
        return read_once(self._read, Wanted.of(data))

    def _parts(self, wanted: Wanted) -> Parts:
        try:
            choice = chosen(self._table.column_names, wanted)
            origin = Origin(self.name, self.name, self.fingerprint())
            return parts_of_table(self._table, {"all": self._table.num_rows}, choice, wanted, origin)
        except BrokenFileError as error:
            raise error.at(f"data {self.name}") from error


def arrays_of(dataset: MapStyle, name: str) -> dict[str, npt.NDArray[Any]]:
    """The examples of a map-style data set as arrays X and y, or X alone where it has no targets.

    Every example is read once, in order. Raises UserError where they differ in shape, or do not fit into memory.
    """
    if not len(dataset):
        raise _refused("must have at least one example", "none", name, "add some")
    first = _example(dataset[0])
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key, value in first.items():
        if value.size * len(dataset) > MAX_VALUES:
            raise _refused(f"must have at most {MAX_VALUES} values", f"{value.size} in each of {len(dataset)} examples",
                           name, "use fewer examples")  # fmt: skip
        kind = value.dtype if value.dtype.kind != "U" else np.dtype(object)
        arrays[key] = np.empty((len(dataset), *value.shape), kind)
    for position in range(len(dataset)):
        example = first if position == 0 else _example(dataset[position])
        for key, array in arrays.items():
            value = example.get(key)
            if value is None or value.shape != array.shape[1:]:
                given = f"{'none' if value is None else value.shape} in example {position}"
                raise _refused(f"must have {key} of shape {array.shape[1:]} in each example", given, name,
                               "bring them to one shape")  # fmt: skip
            array[position] = value[()]
    return arrays


def _example(example: Any) -> dict[str, npt.NDArray[Any]]:
    """One example as arrays: (input, target), or an input alone."""
    if isinstance(example, tuple | list) and len(cast("Sequence[Any]", example)) == 2:
        given, target = cast("Sequence[Any]", example)
        return {"X": np.asarray(given), "y": np.asarray(target)}
    return {"X": np.asarray(example)}


def _array(value: Any, place: str) -> npt.NDArray[Any]:
    """A copy of `value` as an array of numbers, booleans or text that nobody else can write to."""
    try:
        array = np.asarray(value).copy()
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that asks for gradients
        raise _refused(
            "must be an array of one shape", str(error)[:80], place, "make it one: numpy.asarray(...)"
        ) from error
    if array.dtype.kind == "O" and all(isinstance(text, str) for text in array.reshape(-1)):
        array = array.astype(str)
    if array.dtype.kind not in "biufU" or (array.dtype.itemsize > 8 and array.dtype.kind != "U"):
        raise _refused("must hold numbers, booleans or text", f"dtype {array.dtype}", place, "convert it")
    array.setflags(write=False)
    return array


def _table(frame: Any, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _refused("must be a data frame whose columns have one type each", str(error).split("\n")[0][:80], name,
                       "convert its columns")  from error  # fmt: skip
    names = [column for column in table.column_names if not column.startswith("__index_level_")]
    try:
        check_names(names)
        for column in names:
            typed(column, table.column(column).slice(0, 1))
    except BrokenFileError as error:
        raise error.at(f"data {name}") from error
    return table.select(names)


def _checked_name(name: str) -> str:
    if not name or not name.isprintable() or name != name.strip() or len(name) > 100:
        raise UserError("must be a name of 1 to 100 printable characters", given=name, place="the name of the data",
                        remedy="choose another")  # fmt: skip
    return PREFIX + name


def _refused(rule: str, given: str, name: str, remedy: str) -> UserError:
    return UserError(rule, given=Shown(given), place=f"data {name}", remedy=remedy)
