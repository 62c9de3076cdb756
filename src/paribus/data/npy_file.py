"""A `.npy` file of images without labels: one array (image, row, column), as numpy.save writes it."""

from __future__ import annotations

import functools
import math

from paribus.data import files
from paribus.data.examples import image_values
from paribus.data.files import FoundFile
from paribus.data.npy import BrokenFileError, Numbers, read_npy
from paribus.data.pool import Pool
from paribus.data.source import Parts, Source
from paribus.spec.data import Data

_RULE = "must have the shape (image, row, column) of grey images"


class NpyFile(Source):
    """All images are for training."""

    splits = ("all",)

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self._file = file

    def fingerprint(self) -> str:
        return files.fingerprint(self._file)

    def read(self, data: Data) -> Parts:
        del data  # there is one split only
        return Parts(_pool(self._file))


@functools.lru_cache(maxsize=4)
def _pool(file: FoundFile) -> Pool:
    try:
        with files.opened(file) as stream:
            array = read_npy(stream, file.n_bytes)
        if array.ndim != 3:
            raise BrokenFileError(_RULE, f"shape {array.shape}", _remedy(array))
        images = image_values(array.reshape(len(array), -1), "the images")
    except BrokenFileError as error:
        raise error.at(file.shown) from error
    return Pool(file.path.name, images.values, images.divisor, None, array.shape[1:], files.fingerprint(file))


def _remedy(array: Numbers) -> str:
    if array.ndim == 4 and array.shape[-1] == 1:
        return "take the last axis out: images[..., 0]"
    if array.ndim == 4 and array.shape[1] == 1:
        return "take the second axis out: images[:, 0]"
    if array.ndim == 4 and array.shape[-1] in (3, 4):
        return "make them grey: images[..., :3].mean(axis=-1), rounded if they are bytes"
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        rows, columns = (side, side) if side * side == array.shape[1] else ("rows", "columns")
        return f"give each image its shape: images.reshape(-1, {rows}, {columns})"
    return "save it in this shape"
