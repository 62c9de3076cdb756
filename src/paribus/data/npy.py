"""Arrays from `.npy` and `.npz` files of unknown origin: everything that is declared is checked before it is read.

Nothing executes (headers are matched and not evaluated, Python objects are refused), and memory is bounded: sizes,
shapes and the archive's directory are checked first, so that neither a zip bomb nor a header that declares too much is
unpacked. The format is NumPy's (NEP 1, `numpy.lib.format`), with the headers that NumPy wrote under Python 2.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from paribus.errors import Shown, UserError
from paribus.units import count, size

MAX_FILE_BYTES = 2**32 - 2
MAX_VALUES = 2**30
"""Values in one file: 4 GiB as float32."""
_MAX_HEADER = 1024
_MAX_DIRECTORY = 2**16
_CHUNK_BYTES = 2**20
_MAX_TEXT = 1000
"""Characters of one text: a name, and not a page."""
_LAST_CHARACTER = 0x10FFFF
_HEADER = re.compile(
    rb"\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*"
    rb"'shape':\s*\(((?:\d+L?,\s*)*(?:\d+L?)?)\),?\s*\}\s*"
)
"""Type, order and shape. Python 2 wrote long integers with an L: `(10L, 28L, 28L)`."""
_TYPE = re.compile(r"[<>=|]?([a-zA-Z])(\d*)")
_KINDS = {"b": (1,), "u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}
_SAVE = "save it anew with numpy.save (.npy) or numpy.savez (.npz)"
_COPY = "copy it or download it again, or save it anew"
NUMBER_CLASSES = "number the classes from 0, as numpy.unique(labels, return_inverse=True)[1] does"

Numbers = npt.NDArray[Any]
Meanings = Mapping[str, str]
"""What arrays are, for people, by their names in the archive: `arr_0` is the `training images`."""


class BrokenFileError(Exception):
    """A file breaks a rule: which one, what was found, and what to do. Its reader knows the place."""

    def __init__(self, rule: str, given: str, remedy: str) -> None:
        self.rule = rule
        self.given = given
        self.remedy = remedy
        super().__init__(rule, given, remedy)

    def at(self, place: str) -> UserError:
        """The error as a user reads it."""
        return UserError(self.rule, given=Shown(self.given), place=place, remedy=self.remedy)


@dataclass(frozen=True)
class _Header:
    """`n_bytes` is what the whole file has, if the header is true."""

    dtype: np.dtype[Any]
    fortran_order: bool
    shape: tuple[int, ...]
    n_bytes: int


def read_npy(stream: IO[bytes], n_bytes: int, *, text: bool = False, mapped: bool = False) -> Numbers:
    """The one array of a `.npy` file of `n_bytes`, from its start; it may hold `text`. Raises BrokenFileError.

    A `mapped` array is the file itself in memory, for reading while nothing writes to it: it takes no memory that the
    system could not have back.
    """
    header = _header(stream, text=text)
    _check(header, n_bytes)
    if mapped:
        order = "F" if header.fortran_order else "C"
        start = n_bytes - math.prod(header.shape) * header.dtype.itemsize
        return np.asarray(np.memmap(cast("Any", stream), header.dtype, "r", start, header.shape, order))
    return _array(stream, header)


def read_npz(
    stream: IO[bytes], n_bytes: int, expected: Callable[[list[str]], Meanings], text: Collection[str] = ()
) -> dict[str, Numbers]:
    """The arrays of a `.npz` file of `n_bytes`.

    `expected` is given the names in the archive, and says what each array is, or raises BrokenFileError. Arrays whose
    meaning is in `text` may hold text. Raises BrokenFileError, its rule naming the array.
    """
    _check_directory(stream, n_bytes)
    try:
        with zipfile.ZipFile(stream) as archive:
            meanings, members = _members(archive, expected)
            _check_members(archive, members, meanings, text)
            return {name: _member(archive, info, meanings[name], text) for name, info in members.items()}
    except _UNREADABLE as error:
        raise _damaged(error) from error


def names_in(stream: IO[bytes], n_bytes: int) -> list[str]:
    """The names of the arrays of a `.npz` file of `n_bytes`. Raises BrokenFileError."""
    _check_directory(stream, n_bytes)
    try:
        with zipfile.ZipFile(stream) as archive:
            return [info.filename.removesuffix(".npy") for info in archive.infolist()]
    except _UNREADABLE as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> BrokenFileError:
    what = f"a damaged one ({error or type(error).__name__})"
    return BrokenFileError("must be an undamaged npz archive", what, _COPY)


# What zipfile and zlib raise for damaged archives. NotImplementedError is a RuntimeError, UnicodeError a ValueError.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError, struct.error)


def _members(
    archive: zipfile.ZipFile, expected: Callable[[list[str]], Meanings]
) -> tuple[Meanings, dict[str, zipfile.ZipInfo]]:
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()):
        raise BrokenFileError("must hold each array once", "two arrays of one name", _SAVE)
    meanings = expected(list(infos))
    for name in meanings:
        info = infos[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise BrokenFileError(f"{name} must be stored or deflated, and not encrypted", "another way of packing",
                                  "save it with numpy.savez or numpy.savez_compressed")  # fmt: skip
    return meanings, {name: infos[name] for name in meanings}


def _check_members(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], meanings: Meanings, text: Collection[str]
) -> None:
    """Compare what each array declares with what the archive declares, and bound the sum, before any is unpacked."""
    values = 0
    for name, info in members.items():
        with _named(name, meanings[name]), archive.open(info) as stream:
            header = _header(stream, text=meanings[name] in text)
            _check(header, info.file_size)
        values += math.prod(header.shape)
    unpacked = sum(info.file_size for info in members.values())
    if values > MAX_VALUES or unpacked > MAX_FILE_BYTES:
        given = f"{count(values)} values in {size(unpacked)}"
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values in {size(MAX_FILE_BYTES)}", given, _FEWER)


_FEWER = "use fewer examples, or save images as uint8"


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meaning: str, text: Collection[str]) -> Numbers:
    with _named(info.filename.removesuffix(".npy"), meaning), archive.open(info) as stream:
        return _array(stream, _header(stream, text=meaning in text))


@contextlib.contextmanager
def _named(name: str, meaning: str) -> Generator[None, None, None]:
    """Errors from within name the array."""
    try:
        yield
    except BrokenFileError as error:
        raise BrokenFileError(f"{name} ({meaning}) {error.rule}", error.given, error.remedy) from error


def _header(stream: IO[bytes], *, text: bool = False) -> _Header:
    """What the header of an array declares, after a check of its shape and its type."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3) or start[7] != 0:
        raise _no_npy(start)
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    written = stream.read(min(length, _MAX_HEADER + 1))
    match = _HEADER.fullmatch(written)
    if len(written) != length or match is None:
        rule = f"must be a plain array with an npy header of at most {_MAX_HEADER} bytes"
        raise BrokenFileError(rule, f"a header {written[:40]!r}", _SAVE)
    shape = tuple(int(word) for word in re.findall(rb"\d+", match[3]))
    dtype = _dtype(match[1].decode("latin-1"), text=text)
    values = math.prod(shape)
    if values > MAX_VALUES:
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values", f"shape {_shape(shape)}", _FEWER)
    return _Header(dtype, match[2] == b"True", shape, 8 + width + length + values * dtype.itemsize)


def _no_npy(start: bytes) -> BrokenFileError:
    rule = "must be an array in NumPy's npy format"
    if start[:4] == b"PK\x03\x04":
        return BrokenFileError(rule, "a zip archive", "name it .npz if it is one of numpy.savez")
    return BrokenFileError(rule, f"a start of {start[:6]!r}" if start else "nothing", _SAVE)


def _dtype(descr: str, *, text: bool) -> np.dtype[Any]:
    match = _TYPE.fullmatch(descr)
    kind, n_bytes = (match[1], int(match[2][:4] or 0)) if match else ("", 0)
    if text and kind == "U" and 0 < n_bytes <= _MAX_TEXT:
        return np.dtype(descr)
    if n_bytes not in _KINDS.get(kind, ()):
        what = "Python objects" if kind == "O" else f"dtype {descr!r}"
        remedy = "save it as float32 or whole numbers: array.astype('float32')"
        if kind in ("U", "S"):
            remedy = f"save numbers in place of text; for labels, {NUMBER_CLASSES}"
        raise BrokenFileError("must hold plain numbers, whole or floating-point", what, remedy)
    return np.dtype(descr)


def _check(declared: _Header, n_bytes: int) -> None:
    if 0 in declared.shape or not declared.shape:
        raise BrokenFileError("must not be empty", f"shape {_shape(declared.shape)}", "check how it was saved")
    if declared.n_bytes != n_bytes:
        rule = f"must have the {declared.n_bytes} bytes that its header declares"
        raise BrokenFileError(rule, f"{n_bytes} bytes", _COPY)


def _array(stream: IO[bytes], header: _Header) -> Numbers:
    """The values after a header, read in chunks straight into their place."""
    data = np.empty(math.prod(header.shape) * header.dtype.itemsize, np.uint8)
    view, position = data.data, 0
    while position < len(data):
        read = cast("Any", stream).readinto(view[position : position + _CHUNK_BYTES])
        if not read:
            raise BrokenFileError(f"must have {len(data)} bytes of values", f"{position} bytes", _COPY)
        position += read
    if header.dtype.kind == "U" and (data.view(header.dtype.byteorder + "u4") > _LAST_CHARACTER).any():
        raise BrokenFileError("must hold text of Unicode characters", "other values", _SAVE)
    return data.view(header.dtype).reshape(header.shape, order="F" if header.fortran_order else "C")


def _check_directory(stream: IO[bytes], n_bytes: int) -> None:
    """Refuse an archive whose directory is larger than a handful of arrays needs: zipfile reads it whole.

    The end record is the last 22 bytes, a comment of at most 65,535 bytes may follow it, and a zip64 locator of 20
    bytes goes before it in archives that are larger than we read (APPNOTE 4.3.15 and 4.3.16).
    """
    tail_bytes = min(n_bytes, 22 + 65_535 + 20)
    stream.seek(n_bytes - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise _no_npz(stream, tail[at + 1 :] if at >= 0 else b"")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > _MAX_DIRECTORY or b"PK\x06\x07" in tail[max(at - 20, 0) : at]:
        raise BrokenFileError("must be an npz archive of a few arrays", f"a directory of {size(directory)}",
                              "save fewer arrays in it")  # fmt: skip
    stream.seek(0)


def _no_npz(stream: IO[bytes], cut_end: bytes) -> BrokenFileError:
    rule = "must be an undamaged npz archive"
    stream.seek(0)
    start = stream.read(6)
    if start == b"\x93NUMPY":
        return BrokenFileError(rule, "a single array in NumPy's npy format", "name it .npy")
    if start.startswith(b"PK\x03\x04") or cut_end:
        return BrokenFileError(rule, "one whose end is missing", _COPY)
    return BrokenFileError(rule, f"a start of {start!r}", _SAVE)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length)[:24] for length in shape[:6]) or "()"
