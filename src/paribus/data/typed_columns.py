"""One column of a table with a type: whole numbers, numbers, booleans, text or times.

Columns of text files are all text at first. Here the whole column decides what it is: whole numbers if all of its
values are, else numbers, else booleans (`true`, `false`), else text. One wrong field among a million numbers is
therefore found, and does not change with the part of the file that a reader looks at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from paribus.data.npy import BrokenFileError

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["number", "boolean", "text", "time"]


@dataclass(frozen=True, eq=False)
class Column:
    """A column's values, (example,).

    Numbers are int64, or float64 with NaN where they are missing; booleans are bool, or float64 likewise; times are
    datetime64 with NaT. Text is int64 that points into `categories`, -1 where it is missing. `is_categorical` where the
    file itself says so.
    """

    name: str
    kind: Kind
    values: npt.NDArray[Any]
    categories: tuple[str, ...] | None = None
    is_categorical: bool = False

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which examples have a value."""
        if self.categories is not None:
            return self.values >= 0
        if self.values.dtype.kind == "f":
            return ~np.isnan(self.values)
        return ~np.isnat(self.values) if self.values.dtype.kind == "M" else np.ones(len(self.values), bool)

    def text(self, row: int) -> str:
        """The value of a text column as a message shows it."""
        return repr((self.categories or ())[int(self.values[row])][:40])

    def are_numbers(self) -> npt.NDArray[np.bool_]:
        """Which values of a text column are numbers all the same."""
        found = np.array([*(_is_number(name) for name in self.categories or ()), False], bool)
        return found[self.values]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def typed(name: str, column: pa.ChunkedArray) -> Column:
    """A column of a pyarrow table with its type. Raises BrokenFileError for lists, structures and the like."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _of_categories(name, column)
    if _is_text(kind):
        return _of_text(name, column.cast(pa.large_string()))
    if types.is_timestamp(kind) or types.is_date(kind):
        return Column(name, "time", column.cast(pa.timestamp("us"), safe=False).to_numpy())
    number = _number_type(kind)
    if number is None:
        raise BrokenFileError(f"column {name} must hold numbers, booleans or text", str(kind),
                              "save each of its numbers in a column of its own, or leave the column out")  # fmt: skip
    return Column(name, "boolean" if types.is_boolean(kind) else "number", _as_numpy(column, number))


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _number_type(kind: pa.DataType) -> pa.DataType | None:
    """What a column of numbers or booleans is read as, None for any other column."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_boolean(kind):
        return pa.bool_()
    if types.is_integer(kind) and kind != pa.uint64():
        return pa.int64()
    known = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    return pa.float64() if known else None


def _of_categories(name: str, column: pa.ChunkedArray) -> Column:
    """A column that the file itself calls categorical."""
    if _is_text(column.type.value_type):
        return _coded(name, column, is_categorical=True)
    values = typed(name, column.cast(column.type.value_type))
    return Column(name, values.kind, values.values, values.categories, is_categorical=True)


def _compute() -> Any:
    """pyarrow's functions on columns, which are made when they are imported: no type checker can know them."""
    import pyarrow.compute

    return pyarrow.compute


def _as_numpy(column: pa.ChunkedArray, kind: pa.DataType) -> npt.NDArray[Any]:
    """Values as numbers of numpy; where some are missing, as float64 with NaN."""
    import pyarrow as pa

    numbers = column.cast(kind, safe=False)
    if column.null_count:
        numbers = numbers.cast(pa.float64(), safe=False)
        return np.asarray(numbers.to_numpy(), np.float64)
    return numbers.to_numpy()


def _of_text(name: str, column: pa.ChunkedArray) -> Column:
    """A column of text with the type that all of its values have."""
    import pyarrow as pa

    pc = _compute()
    trimmed = pc.utf8_trim_whitespace(column)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.large_string()), trimmed)
    candidates: list[tuple[Kind, pa.DataType]] = [
        ("number", pa.int64()), ("number", pa.float64()), ("boolean", pa.bool_()),
    ]  # fmt: skip
    for kind, target in candidates:
        try:
            numbers = pc.cast(trimmed, target)
        except pa.ArrowInvalid:
            continue
        return Column(name, kind, _as_numpy(numbers, target))
    return _coded(name, trimmed)


def _coded(name: str, column: pa.ChunkedArray, *, is_categorical: bool = False) -> Column:
    """A column of text as codes of its categories."""
    import pyarrow as pa

    pc = _compute()
    whole = (column if is_categorical else pc.dictionary_encode(column)).unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # no rows, or more text than one array can hold
        whole = whole.chunk(0)
    codes = pc.fill_null(whole.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return Column(name, "text", codes, tuple(str(text) for text in whole.dictionary.to_pylist()), is_categorical)
