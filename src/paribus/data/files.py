"""A user's data file: where it is, whether it has changed, and its SHA-256."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import stat
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from paribus.data.npy import MAX_FILE_BYTES
from paribus.errors import Shown, UserError, unreadable
from paribus.units import size


@dataclass(frozen=True)
class FoundFile:
    """A file as it was when it was looked for: what is read from it may be kept under this value.

    `inode`, `n_bytes` and `modified_ns` change when the file is replaced or written to.
    """

    path: Path
    inode: int
    n_bytes: int
    modified_ns: int

    @property
    def shown(self) -> str:
        """The path as a message shows it."""
        return printable(self.path)


def found(name: str, folder: Path, key: str = "data.source") -> FoundFile:
    """The file `name`, without opening it; a relative path begins at `folder`, `~` is the user's home folder.

    `key` is the key of the study that names it.

    Raises UserError where there is no such file, or where it is empty or too large.
    """
    remedy = f"correct {key}, or put the file there"
    try:
        path = Path(name).expanduser()
        if not path.is_absolute():
            folder = folder.absolute()
            remedy = f"correct {key}, or put the file into {printable(folder)}, where it is looked for"
            path = folder / path
        status = path.stat()
    except OSError as error:
        raise unreadable(error, place=printable(name), remedy=remedy) from error
    except (ValueError, RuntimeError) as error:
        raise UserError("must be a file that can be read", given=Shown(str(error)), place=printable(name),
                        remedy=remedy) from error  # fmt: skip
    return _regular(path, status, remedy)


def found_in(entry: os.DirEntry[str]) -> FoundFile:
    """The file of a folder's entry, as `found` finds it: for folders of many files. Raises UserError as it does."""
    remedy = "take it out of the folder"
    try:
        return _regular(Path(entry.path), entry.stat(), remedy)
    except OSError as error:
        raise unreadable(error, place=printable(entry.path), remedy=remedy) from error


def _regular(path: Path, status: os.stat_result, remedy: str) -> FoundFile:
    """Raises UserError for what is not a file, or is empty or too large."""
    if not stat.S_ISREG(status.st_mode):
        raise UserError("must be a file", given=Shown("a folder or device"), place=printable(path), remedy=remedy)
    if not 0 < status.st_size <= MAX_FILE_BYTES:
        raise UserError(
            f"must have at least one byte and at most {size(MAX_FILE_BYTES)}",
            given=Shown(size(status.st_size)),
            place=printable(path),
            remedy=remedy,
        )
    return _as_found(path, status)


def folder_named(name: str, folder: Path) -> Path | None:
    """The path of the folder `name`, looked for as `found` looks for files; None where it is not a folder."""
    try:
        path = Path(name).expanduser()
        path = path if path.is_absolute() else folder.absolute() / path
        return path if path.is_dir() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _as_found(path: Path, status: os.stat_result) -> FoundFile:
    return FoundFile(path, status.st_ino, status.st_size, status.st_mtime_ns)


def printable(path: str | Path) -> str:
    """A path as a message shows it, whatever characters it has."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(path))


@contextlib.contextmanager
def opened(file: FoundFile) -> Generator[io.BufferedReader, None, None]:
    """The file's bytes. Raises UserError where it cannot be read, or has changed by the time that the block ends."""
    try:
        stream = file.path.open("rb")
    except OSError as error:
        raise unreadable(error, place=file.shown, remedy="give yourself the right to read it") from error
    with stream:
        try:
            yield stream
        except OSError as error:
            raise unreadable(error, place=file.shown, remedy="copy it to another disk") from error
        if _as_found(file.path, os.fstat(stream.fileno())) != file:
            raise UserError("must not change while it is read", given=Shown("a file that changed"),
                            place=file.shown, remedy="try again when nothing writes to it")  # fmt: skip


@functools.lru_cache(maxsize=8)
def fingerprint(file: FoundFile) -> str:
    """The SHA-256 of the file's bytes."""
    with opened(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
