"""Arrays from `.npy` and `.npz` files of unknown origin: everything that is declared is checked before it is read.

Nothing executes (`allow_pickle=False`, headers matched and not evaluated), and nothing grows: sizes, shapes and the
archive's directory are bounded first, so that neither a zip bomb nor a header that promises the world costs memory.
The format is NumPy's (NEP 1, `numpy.lib.format`).
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from paribus.errors import Shown, UserError
from paribus.units import count, size

MAX_FILE_BYTES = 2**31 - 1
MAX_VALUES = 2**29
"""Values in one file: 2 GiB as float32."""
_MAX_HEADER = 1024
_MAX_DIRECTORY = 2**16
_HEADER = re.compile(
    rb"\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(?:True|False),\s*'shape':\s*\(([\d, ]*)\),?\s*\}\s*"
)
_TYPE = re.compile(r"[<>=|]?([a-zA-Z])(\d*)")
_KINDS = {"u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}

Numbers = npt.NDArray[Any]


class BrokenFileError(Exception):
    """A file breaks a rule: which, and what was found. Its reader knows the place and the remedy."""

    def __init__(self, rule: str, given: str) -> None:
        self.rule = rule
        self.given = given
        super().__init__(rule, given)

    def at(self, place: str, remedy: str) -> UserError:
        """The complaint as a user reads it."""
        return UserError(self.rule, given=Shown(self.given), place=place, remedy=remedy)


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    n_bytes: int
    """Of the whole file that this header declares."""


def read_npy(stream: IO[bytes], n_bytes: int) -> Numbers:
    """The one array of a `.npy` file of `n_bytes`, from its start. Raises BrokenFileError."""
    _check(_header(stream), n_bytes)
    stream.seek(0)
    return _array(stream)


def read_npz(stream: IO[bytes], n_bytes: int, wanted: Mapping[str, str]) -> dict[str, Numbers]:
    """The arrays of a `.npz` file of `n_bytes`, all of which must be `wanted` (name to what it is for people).

    Raises BrokenFileError, its rule naming the array.
    """
    _check_directory(stream, n_bytes)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _members(archive, wanted)
            _check_members(archive, members, wanted)
            return {name: _member(archive, info, wanted[name]) for name, info in members.items()}
    except _UNREADABLE as error:
        what = f"a damaged one ({error or type(error).__name__})"
        raise BrokenFileError("must be an npz archive in good order", what) from error


# What zipfile and zlib raise for damaged archives. NotImplementedError is a RuntimeError, UnicodeError a ValueError.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError, struct.error)


def _members(archive: zipfile.ZipFile, wanted: Mapping[str, str]) -> dict[str, zipfile.ZipInfo]:
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if sorted(infos) != sorted(wanted) or len(archive.infolist()) != len(wanted):
        found = ", ".join(repr(name)[1:-1] for name in list(infos)[:8]) or "none"
        names = list(wanted)
        raise BrokenFileError(f"must hold the arrays {names[0]} to {names[-1]} and no other", found)
    for name in wanted:
        info = infos[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise BrokenFileError(f"{name} must be stored or deflated, and not encrypted", "another way of packing")
    return {name: infos[name] for name in wanted}


def _check_members(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], wanted: Mapping[str, str]) -> None:
    """Compare what each array declares with what the archive declares, and bound the sum, before any is unpacked."""
    values = 0
    for name, info in members.items():
        with _named(name, wanted[name]), archive.open(info) as stream:
            header = _header(stream)
            _check(header, info.file_size)
        values += math.prod(header.shape)
    unpacked = sum(info.file_size for info in members.values())
    if values > MAX_VALUES or unpacked > MAX_FILE_BYTES:
        given = f"{count(values)} values in {size(unpacked)}"
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values in {size(MAX_FILE_BYTES)}", given)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meaning: str) -> Numbers:
    with _named(info.filename.removesuffix(".npy"), meaning), archive.open(info) as stream:
        return _array(stream)


@contextlib.contextmanager
def _named(name: str, meaning: str) -> Generator[None, None, None]:
    """Complaints from within name the array."""
    try:
        yield
    except BrokenFileError as error:
        raise BrokenFileError(f"{name} ({meaning}) {error.rule}", error.given) from error


def _header(stream: IO[bytes]) -> _Header:
    """What the header of an array declares, after a look at its shape and its kind of number."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3) or start[7] != 0:
        raise BrokenFileError(
            "must be an array in NumPy's npy format", "nothing" if not start else f"a start of {start[:6]!r}"
        )
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    text = stream.read(min(length, _MAX_HEADER + 1))
    match = _HEADER.fullmatch(text)
    if len(text) != length or match is None:
        raise BrokenFileError(
            "must be a plain array with an npy header of at most 1024 bytes", f"a header {text[:40]!r}"
        )
    shape = tuple(int(word) for word in match[2].decode().replace(",", " ").split())
    item = _item_bytes(match[1].decode("latin-1"))
    values = math.prod(shape)
    if values > MAX_VALUES:
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values", f"shape {_shape(shape)}")
    return _Header(shape, 8 + width + length + values * item)


def _item_bytes(descr: str) -> int:
    match = _TYPE.fullmatch(descr)
    kind, n_bytes = (match[1], int(match[2][:4] or 0)) if match else ("", 0)
    if n_bytes not in _KINDS.get(kind, ()):
        what = "Python objects" if kind == "O" else f"dtype {descr!r}"
        raise BrokenFileError("must hold plain numbers, whole or floating", what)
    return n_bytes


def _check(declared: _Header, n_bytes: int) -> None:
    if 0 in declared.shape or not declared.shape:
        raise BrokenFileError("must not be empty", f"shape {_shape(declared.shape)}")
    if declared.n_bytes != n_bytes:
        raise BrokenFileError(f"must have the {declared.n_bytes} bytes that its header declares", f"{n_bytes} bytes")


def _array(stream: IO[bytes]) -> Numbers:
    try:
        return np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_MAX_HEADER)
    except ValueError as error:
        raise BrokenFileError("must be an array in NumPy's npy format", str(error)) from error


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
        raise BrokenFileError("must be an npz archive in good order", "no archive" if at < 0 else "a truncated one")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > _MAX_DIRECTORY or b"PK\x06\x07" in tail[max(at - 20, 0) : at]:
        raise BrokenFileError("must be an npz archive of a few arrays", f"a directory of {size(directory)}")
    stream.seek(0)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length)[:24] for length in shape[:6]) or "()"
