"""A `.npy` file of one array without targets: images, grey or colour, or the rows of a table."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Final

import numpy as np

from paribus.data import files
from paribus.data.archive import ALLOWED
from paribus.data.assembly import FoundSplit, Origin, assembled
from paribus.data.files import FoundFile
from paribus.data.layouts import examples_of
from paribus.data.npy import BrokenFileError, Numbers, read_npy
from paribus.data.once import read_once
from paribus.data.source import Parts, Source
from paribus.data.wanted import Wanted, refuse_keys
from paribus.spec.data import Data


class NpyFile(Source):
    """Examples that are undivided."""

    splits = ("all",)

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self._file = file

    def fingerprint(self) -> str:
        return files.fingerprint(self._file)

    def read(self, data: Data) -> Parts:
        return read_once(functools.partial(_parts, self._file), Wanted.of(data))


MAPPED_BYTES: Final = 2**26
"""A file of at least this many bytes is mapped while it is read: of numbers that are converted, as float64 is to
float32, no second copy is in memory."""


@functools.lru_cache(maxsize=4)
def _parts(file: FoundFile, wanted: Wanted) -> Parts:
    origin = Origin(file.path.name, file.shown, files.fingerprint(file))
    try:
        refuse_keys(wanted, "an array in a file of its own", allowed=[key for key in ALLOWED if key != "key"])
        for key, value in (("data.target", ", ".join(wanted.target)), ("data.split.column", wanted.column)):
            if value:
                raise BrokenFileError(f"must have what {key} names beside the inputs", "one array only",
                                      "save inputs and targets in one file: numpy.savez(file, X=X, y=y)")  # fmt: skip
        with files.opened(file) as stream:
            array = read_npy(stream, file.n_bytes, mapped=file.n_bytes >= MAPPED_BYTES)
            what = "the images" if array.ndim > 2 else "the table"
            parts = assembled({"all": FoundSplit(examples_of(array, None, wanted, what), None)}, wanted.task, origin)
            return _detached(parts, array)
    except BrokenFileError as error:
        raise error.at(file.shown) from error


def _detached(parts: Parts, array: Numbers) -> Parts:
    """`parts` whose values are not part of the file: it may be written to while a study trains."""
    pool = parts.train
    if not np.may_share_memory(pool.values, array):
        return parts
    return replace(parts, train=replace(pool, values=np.array(pool.values)))
