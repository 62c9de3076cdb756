"""Tensors on disk: safetensors files, each named by the SHA-256 of its bytes and never changed."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from paribus.store import disk
from paribus.store.records import Tensors
from paribus.store.refusals import damaged, missing, translated_errors

SUFFIX = ".safetensors"
MAX_FILE_BYTES = 1 << 32
MAX_HEADER_BYTES = 1 << 20
"""Far more than a network's names and shapes need: a larger header is an attack."""

_NAME = re.compile(r"[0-9a-f]{64}")
_KINDS = "biuf"


@final
class TensorFolder:
    """A folder of tensor files.

    Only the workspace's one writer puts and discards; anyone reads. `prepare` is called before the first file is
    written: it makes the folder, or refuses.
    """

    def __init__(self, folder: Path, prepare: Callable[[], None]) -> None:
        self.folder = folder
        self._prepare = prepare
        self._synced: set[str] = set()
        self._pending: set[str] = set()
        self._folder_unsynced = False

    def path(self, name: str) -> Path:
        """The path of the file of that name. Raises ValueError for what cannot be a name."""
        if not is_name(name):
            raise ValueError(f"must be a SHA-256 in hexadecimal digits, got {name!r}")
        return self.folder / (name + SUFFIX)

    def names(self) -> list[str]:
        """All stored names, sorted."""
        return sorted(path.stem for path in self._entries() if path.suffix == SUFFIX and is_name(path.stem))

    def put(self, tensors: Tensors) -> str:
        """Store named arrays (boolean, integer or real, any shape) and return the name of their file.

        The same content is stored once. The file's bytes are durable on return; its entry in the folder is durable
        after `require`. Raises TypeError for an array of another kind, StorageError where the disk is full.
        """
        content = _bytes(tensors)
        name = hashlib.sha256(content).hexdigest()
        self._prepare()
        self._pending.add(name)
        if name not in self._synced:
            path = self.path(name)
            with translated_errors(path):
                if _holds(path, content):
                    disk.sync(path)  # an earlier process may have been killed before its own sync
                else:
                    disk.write_beside(path, content)
            self._folder_unsynced = True
            self._synced.add(name)
        return name

    def get(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays of a stored file. Raises StorageError, naming the file, where it is missing or damaged."""
        path = self.path(name)
        content = _read(path)
        found = hashlib.sha256(content).hexdigest()
        if found != name:
            raise damaged(path, f"its SHA-256 is {found}")
        if int.from_bytes(content[:8], "little") > min(MAX_HEADER_BYTES, len(content)):
            raise damaged(path, "its header is too large")
        try:
            return load(content)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"not safetensors as paribus writes them: {error}") from error

    def require(self, names: Iterable[str]) -> None:
        """Make stored names durable, so that rows may name them. Raises StorageError where one is not stored."""
        for name in names:
            if name not in self._synced:
                path = self.path(name)
                if not path.is_file():
                    raise missing(path)
                with translated_errors(path):
                    disk.sync(path)
                self._synced.add(name)
                self._folder_unsynced = True
        if self._folder_unsynced:
            with translated_errors(self.folder):
                disk.sync(self.folder)
            self._folder_unsynced = False

    def release(self, names: Collection[str]) -> None:
        """Committed rows name these files now: `discard` need not spare them any more."""
        self._pending.difference_update(names)

    def discard(self, names: Iterable[str]) -> None:
        """Delete files that no row names any more, except those put for rows that are not committed yet."""
        with translated_errors(self.folder):
            for name in names:
                if name not in self._pending:
                    self._synced.discard(name)
                    disk.remove(self.path(name))

    def sweep(self, named: Collection[str]) -> None:
        """Delete what a crash left: temporary files, and tensor files whose names are not in `named`."""
        with translated_errors(self.folder):
            for path in self._entries():
                stored = path.suffix == SUFFIX and is_name(path.stem)
                if path.suffix == disk.TEMPORARY or (stored and path.stem not in named):
                    disk.remove(path)

    def _entries(self) -> list[Path]:
        with translated_errors(self.folder):
            return sorted(self.folder.iterdir()) if self.folder.is_dir() else []


def is_name(text: str) -> bool:
    """Whether `text` can name a tensor file."""
    return _NAME.fullmatch(text) is not None


def _bytes(tensors: Tensors) -> bytes:
    """The file's content: safetensors, which lays the same arrays out in the same way whatever their order."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key, value in tensors.items():
        array = np.asarray(value, order="C")
        if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
            raise TypeError(f"tensor {key!r} must hold booleans, integers or real numbers, got {array.dtype}")
        arrays[key] = array
    return save(arrays)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _read(path: Path) -> bytes:
    with translated_errors(path):
        try:
            found = path.stat()
        except FileNotFoundError:
            raise missing(path) from None
        if not stat.S_ISREG(found.st_mode) or not 8 <= found.st_size <= MAX_FILE_BYTES:
            raise damaged(path, f"{found.st_size} bytes are no tensor file")
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise missing(path) from None
