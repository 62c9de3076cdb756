"""A folder of `.npy` files: the same as an `.npz` archive of arrays with the names of the files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from paribus.data import files
from paribus.data.archive import parts_of
from paribus.data.assembly import Origin
from paribus.data.files import FoundFile
from paribus.data.keys import TEXT_MEANINGS, own_splits, roles_of
from paribus.data.npy import MAX_VALUES, BrokenFileError, Numbers, read_npy
from paribus.data.once import read_once
from paribus.data.source import Parts, Source
from paribus.data.wanted import Wanted
from paribus.spec.data import Data


class ArrayFolder(Source):
    """Arrays in files of their own: `X.npy` and `y.npy`, or `X_train.npy`, `y_train.npy` and so on."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """`names` are those of the folder's `.npy` files. Raises UserError where one of them cannot be found."""
        self.name = folder.name
        self._folder = folder
        self._files = tuple((Path(name).stem, files.found(name, folder)) for name in sorted(names))
        self.splits = own_splits([name for name, _ in self._files])

    def fingerprint(self) -> str:
        content = "".join(f"{name}\0{files.fingerprint(file)}\n" for name, file in self._files)
        return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, data: Data) -> Parts:
        read = functools.partial(_parts, self._folder, self._files, self.fingerprint())
        return read_once(read, Wanted.of(data))


@functools.lru_cache(maxsize=4)
def _parts(folder: Path, found: tuple[tuple[str, FoundFile], ...], fingerprint: str, wanted: Wanted) -> Parts:
    shown = files.printable(folder)
    by_name = dict(found)
    arrays: dict[str, Numbers] = {}
    try:
        roles = roles_of(list(by_name), wanted)
        for name, meaning in roles.meanings().items():
            file = by_name[name]
            try:
                with files.opened(file) as stream:
                    arrays[name] = read_npy(stream, file.n_bytes, text=meaning in TEXT_MEANINGS)
            except BrokenFileError as error:
                raise error.at(file.shown) from error
        if sum(array.size for array in arrays.values()) > MAX_VALUES:
            raise BrokenFileError(f"must hold at most {MAX_VALUES} values", "more in all files", "use fewer examples")
        return parts_of(arrays, roles, wanted, Origin(folder.name, shown, fingerprint))
    except BrokenFileError as error:
        raise error.at(shown) from error
