"""Tables with a header: CSV, TSV and Parquet files, or a folder with one such file for each split."""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import hashlib
import io
import re
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.data import files
from paribus.data.assembly import Origin, SplitKey
from paribus.data.columns import Choice, chosen, parts_of
from paribus.data.files import FoundFile
from paribus.data.npy import MAX_VALUES, BrokenFileError
from paribus.data.once import read_once
from paribus.data.source import Parts, Source
from paribus.data.typed_columns import Column, typed
from paribus.data.wanted import Wanted
from paribus.errors import UserError
from paribus.spec.data import Data, Inputs
from paribus.units import count

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".tsv", ".parquet")
SPLIT_NAMES: Mapping[str, SplitKey] = {
    "train": "training", "training": "training",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What files and folders of splits are called."""
MAX_COLUMNS = 2**16
_MAX_HEADER_BYTES = 2**23
_BLOCK_BYTES = 2**22
_MISSING = ["", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "None", "#N/A"]
"""Fields that stand for a missing value, unless they are in quotes."""
_COPY = "copy it or download it again, or save it anew"
_INDEX = re.compile(r"__index_level_\d+__")


class TableFile(Source):
    """A table of all examples, undivided."""

    splits = ("all",)

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self._file = file

    def fingerprint(self) -> str:
        return files.fingerprint(self._file)

    def columns(self) -> tuple[Column, ...]:
        """Every column with its type. Raises UserError where the table cannot be read."""
        return _columns(self._file)

    def read(self, data: Data) -> Parts:
        read = functools.partial(_parts, (("all", self._file),), self.name, self.fingerprint())
        return read_once(read, Wanted.of(data))


class TableFolder(Source):
    """A folder of tables with the same columns, one for each split: `train.csv`, `val.csv`, `test.csv`."""

    splits = ("given",)

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """`names` are those of the folder's tables. Raises UserError where they are not splits."""
        self.name = folder.name
        found: dict[SplitKey, FoundFile] = {}
        for name in sorted(names):
            split = SPLIT_NAMES.get(Path(name).stem.lower())
            if split is None or split in found:
                raise UserError("must have one table for each split: train, validation or test", given=name,
                                place=str(folder), remedy="rename it, or name one table as data.source")  # fmt: skip
            found[split] = files.found(name, folder)
        if "training" not in found:
            raise UserError("must have a table for training", given=sorted(names), place=str(folder),
                            remedy="call it train.csv")  # fmt: skip
        order: tuple[SplitKey, ...] = ("training", "validation", "test")
        self._files = tuple((split, found[split]) for split in order if split in found)

    def fingerprint(self) -> str:
        content = "".join(f"{split}{files.fingerprint(file)}" for split, file in self._files)
        return hashlib.sha256(content.encode()).hexdigest()

    def columns(self) -> tuple[Column, ...]:
        """Every column of the training table with its type. Raises UserError where it cannot be read."""
        return _columns(self._files[0][1])

    def read(self, data: Data) -> Parts:
        read = functools.partial(_parts, self._files, self.name, self.fingerprint())
        return read_once(read, Wanted.of(data))


def _columns(file: FoundFile) -> tuple[Column, ...]:
    wanted = Wanted("reconstruction", (), Inputs(), None, bounded=False)
    try:
        table, choice = _read(file, wanted, None)
        return tuple(typed(name, table.column(name)) for name in choice.features)
    except BrokenFileError as error:
        raise error.at(file.shown) from error


@functools.lru_cache(maxsize=4)
def _parts(found: tuple[tuple[SplitKey, FoundFile], ...], name: str, fingerprint: str, wanted: Wanted) -> Parts:
    import pyarrow as pa

    tables: list[Any] = []
    sizes: dict[SplitKey, int] = {}
    choice: Choice | None = None
    for split, file in found:
        try:
            table, choice = _read(file, wanted, choice)
        except BrokenFileError as error:
            raise error.at(file.shown) from error
        tables.append(table)
        sizes[split] = table.num_rows
        if not table.num_rows:
            raise BrokenFileError("must have at least one row below its header", "none", "add examples").at(file.shown)
    first = found[0][1]
    try:
        if choice is None:
            raise ValueError("no file to read")
        try:
            whole = pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]
        except pa.ArrowException as error:
            raise BrokenFileError("must have columns of the same types in all splits", _first_line(error),
                                  "save all tables with the same types") from error  # fmt: skip
        return parts_of(whole, sizes, choice, wanted, Origin(name, first.shown, fingerprint))
    except BrokenFileError as error:
        raise error.at(first.shown) from error


def _read(file: FoundFile, wanted: Wanted, expected: Choice | None) -> tuple[pa.Table, Choice]:
    """The columns of a file that a study uses; those of other splits are `expected`."""
    suffix = file.path.suffix.lower()
    return (_read_parquet if suffix == ".parquet" else _read_text)(file, wanted, expected)


def _choice(names: Sequence[str], wanted: Wanted, expected: Choice | None) -> Choice:
    if expected is None:
        return chosen(names, wanted)
    for name in expected.all:
        if name not in names:
            raise BrokenFileError("must have the columns of the training table", f"none called {name!r}",
                                  "add it, or leave it out by data.inputs.drop")  # fmt: skip
    return expected


# Parquet


def _read_parquet(file: FoundFile, wanted: Wanted, expected: Choice | None) -> tuple[pa.Table, Choice]:
    import pyarrow as pa
    from pyarrow import parquet

    with files.opened(file) as stream, _damage_named("must be an undamaged Parquet file"):
        with parquet.ParquetFile(stream) as reader:
            names = [name for name in reader.schema_arrow.names if not _INDEX.fullmatch(name)]
            check_names(names)
            _check_size(reader.metadata.num_rows, len(names))
            choice = _choice(names, wanted, expected)
            text = [field.name for field in reader.schema_arrow if pa.types.is_string(field.type)]
        stream.seek(0)
        with parquet.ParquetFile(stream, read_dictionary=text) as reader:
            table = reader.read(columns=list(choice.all))
    return _plain_text(table, text), choice


@contextlib.contextmanager
def _damage_named(rule: str) -> Generator[None, None, None]:
    """What pyarrow raises for damaged files, as a BrokenFileError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BrokenFileError(rule, _first_line(error), _COPY) from error


def _plain_text(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Columns that were read as dictionaries to save memory, as the text that the file calls them."""
    import pyarrow as pa

    for name in names:
        position = table.schema.get_field_index(name)
        if position >= 0:
            table = table.set_column(position, name, table.column(position).cast(pa.large_string()))
    return table


# Text


def _read_text(file: FoundFile, wanted: Wanted, expected: Choice | None) -> tuple[pa.Table, Choice]:
    import pyarrow as pa
    from pyarrow import csv as reader

    written, delimiter = _header(file)
    names = [name.strip() for name in written]
    check_names(names)
    _check_lines(file, len(names))
    choice = _choice(names, wanted, expected)
    by_name = dict(zip(names, written, strict=True))
    columns = [by_name[name] for name in choice.all]
    wrong: list[Any] = []

    def skip(row: Any) -> str:
        wrong.append(row)
        return "skip"

    try:
        with files.opened(file) as stream:
            table = reader.read_csv(
                stream,
                read_options=reader.ReadOptions(use_threads=False, block_size=2**24),
                parse_options=reader.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
                ),
                convert_options=reader.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=columns,
                    null_values=[*_MISSING, *(f" {text}" for text in _MISSING)],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
    except pa.ArrowException as error:
        raise _not_text(file) or BrokenFileError("must be a table of text", _first_line(error), _COPY) from error
    if wrong:
        row = wrong[0]
        where = f"in row {row.number - 2} (rows count from 0)" if row.number else "in a row"
        raise BrokenFileError(f"must have {row.expected_columns} fields in each row, as in its header",
                              f"{row.actual_columns} fields {where}: {row.text[:40]!r}",
                              "correct that row; put fields in quotes that have the delimiter in them")  # fmt: skip
    return table.rename_columns(list(choice.all)), choice


def _header(file: FoundFile) -> tuple[list[str], str]:
    """The names in the first line as they are written, and the delimiter."""
    with files.opened(file) as stream:
        start = stream.read(_MAX_HEADER_BYTES)
    first = start.split(b"\n", 1)[0] if b'"' not in start.split(b"\n", 1)[0] else start
    if len(first) == _MAX_HEADER_BYTES and first is not start:
        raise BrokenFileError("must have a header of names in its first line", f"a line of over {len(first)} bytes",
                              "begin the file with a line of column names")  # fmt: skip
    try:
        text = first.decode("utf-8-sig", errors="strict" if first is not start else "replace")
    except UnicodeDecodeError:
        raise _not_text(file) or BrokenFileError("must be text in UTF-8", "other bytes", _SAVE_UTF8) from None
    if "\0" in text:
        raise BrokenFileError("must be text in UTF-8", "zero bytes", _SAVE_UTF8)
    line = text.split("\n", 1)[0]
    delimiter = "\t" if file.path.suffix.lower() == ".tsv" else ","
    if delimiter == "," and "," not in line and (";" in line or "\t" in line):
        delimiter = ";" if ";" in line else "\t"
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BrokenFileError("must have a header of names in its first line", str(error),
                              "begin the file with a line of column names") from error  # fmt: skip
    return names, delimiter


_SAVE_UTF8 = "save it as UTF-8"


def _not_text(file: FoundFile) -> BrokenFileError | None:
    """Where a file is not UTF-8: the first such line, counted from 1. None if all of it is."""
    with files.opened(file) as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                given = f"{line[error.start : error.start + 4]!r} in line {number}"
                return BrokenFileError("must be text in UTF-8", given, _SAVE_UTF8)
    return None


def check_names(names: Sequence[str]) -> None:
    """Raises BrokenFileError where these are not names of columns: missing, numbers, or one of them twice."""
    header = "must have a header of names in its first line"
    if not names or not any(names):
        raise BrokenFileError(header, "an empty one", "begin the file with a line of column names")
    if len(names) > MAX_COLUMNS:
        raise BrokenFileError(f"must have at most {MAX_COLUMNS} columns", f"{len(names)}", "save fewer columns")
    for position, name in enumerate(names):
        if not name:
            raise BrokenFileError(header, f"no name for column {position} (columns count from 0)",
                                  "name it; pandas leaves out the row numbers with to_csv(index=False)")  # fmt: skip
        if len(name) > 200 or not name.isprintable():
            raise BrokenFileError("must have column names of at most 200 printable characters", repr(name[:40]),
                                  "rename that column")  # fmt: skip
    if all(_is_number(name) for name in names):
        raise BrokenFileError(header, f"numbers: {', '.join(names[:5])}", "begin the file with a line of column names")
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise BrokenFileError("must name each column once", f"{name!r} {names.count(name)} times", "rename the columns")


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _check_lines(file: FoundFile, columns: int) -> None:
    """Bound the number of fields, and refuse what is not text, before the table takes memory."""
    lines = quotes = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    with files.opened(file) as stream:
        while block := stream.read(_BLOCK_BYTES):
            lines += block.count(b"\n")
            quotes += block.count(b'"')
            try:
                decoder.decode(block, final=len(block) < _BLOCK_BYTES)
            except UnicodeDecodeError:
                raise _not_text(file) or BrokenFileError("must be text in UTF-8", "other bytes", _SAVE_UTF8) from None
    _check_size(lines, columns)
    if quotes % 2:
        raise BrokenFileError("must close every quote", f"{quotes} quotation marks", 'write "" for one within quotes')


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MAX_VALUES:
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values", count(rows * columns),
                              "save fewer rows or columns")  # fmt: skip


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:80]
