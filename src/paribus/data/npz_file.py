"""A `.npz` file of arrays, as numpy.savez writes it, with its splits or undivided.

Four arrays without names are those of training and test, six have validation between: `arr_0` has the images and
`arr_1` their labels. Images have one *column* each: (pixel, image), the pixels of a square image row by row. Any other
archive is read by the names of its arrays.
"""

from __future__ import annotations

import functools

from paribus.data import files, unnamed_image_arrays
from paribus.data.archive import parts_of
from paribus.data.assembly import Origin
from paribus.data.files import FoundFile
from paribus.data.keys import TEXT_MEANINGS, Roles, own_splits, roles_of
from paribus.data.npy import BrokenFileError, Meanings, names_in, read_npz
from paribus.data.once import read_once
from paribus.data.source import Parts, Source
from paribus.data.wanted import Wanted
from paribus.spec.data import Data


class NpzFile(Source):
    """Examples with targets, split as the file has them or undivided."""

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self.splits = _splits(file)
        self._file = file

    def fingerprint(self) -> str:
        return files.fingerprint(self._file)

    def read(self, data: Data) -> Parts:
        return read_once(functools.partial(_parts, self._file), Wanted.of(data))


@functools.lru_cache(maxsize=16)
def _splits(file: FoundFile) -> tuple[str, ...]:
    """The splits that the names of the arrays show. Of a file that cannot be read, `read` says why."""
    try:
        with files.opened(file) as stream:
            return own_splits(names_in(stream, file.n_bytes))
    except BrokenFileError:
        return ("given", "all")


@functools.lru_cache(maxsize=4)
def _parts(file: FoundFile, wanted: Wanted) -> Parts:
    origin = Origin(file.path.name, file.shown, files.fingerprint(file))
    roles: list[Roles] = []

    def expected(names: list[str]) -> Meanings:
        roles.append(roles_of(names, wanted))
        return roles[0].meanings()

    try:
        with files.opened(file) as stream:
            arrays = read_npz(stream, file.n_bytes, expected, TEXT_MEANINGS)
        if unnamed_image_arrays.fits(arrays, roles[0], wanted):
            return unnamed_image_arrays.parts_of(arrays, roles[0], wanted, origin)
        return parts_of(arrays, roles[0], wanted, origin)
    except BrokenFileError as error:
        raise error.at(file.shown) from error
