"""A `.npz` file of labelled images with its splits, as numpy.savez writes arrays that have no names.

arr_0 has the training images and arr_1 their labels; then come those of validation, where there are six arrays, and
those of test. Images have one *column* each: (pixel, image), the pixels of a square image row by row.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from paribus.data import files
from paribus.data.examples import ImageValues, image_values, label_values
from paribus.data.files import FoundFile
from paribus.data.npy import BrokenFileError, Meanings, Numbers, read_npz
from paribus.data.pool import Labels, Pool
from paribus.data.source import Parts, Source, TestPool
from paribus.spec.data import Data

LOG = logging.getLogger("paribus.data")
_SPLITS = {4: ("training", "test"), 6: ("training", "validation", "test")}
"""Number of arrays to the splits that they hold."""


class NpzFile(Source):
    """Training, test and perhaps validation examples, as the file has them."""

    splits = ("given",)

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self._file = file

    def fingerprint(self) -> str:
        return files.fingerprint(self._file)

    def read(self, data: Data) -> Parts:
        del data  # there is one split only
        return _parts(self._file)


@functools.lru_cache(maxsize=4)
def _parts(file: FoundFile) -> Parts:
    try:
        with files.opened(file) as stream:
            arrays = read_npz(stream, file.n_bytes, _meanings)
        found = _parts_of(arrays)
        classes = _classes(found, file)
    except BrokenFileError as error:
        raise error.at(file.shown) from error
    sha256 = files.fingerprint(file)
    pools = {
        split: Pool(
            name=f"{file.path.name}/{split}",
            values=part.images.values,
            divisor=part.images.divisor,
            labels=part.labels,
            shape=part.shape,
            fingerprint=sha256,
        )
        for split, part in found.items()
    }
    test = pools["test"]
    return Parts(
        train=pools["training"],
        classes=tuple(str(number) for number in range(classes)),
        validation=pools.get("validation"),
        test=TestPool(len(test), lambda: test),
    )


def _array_names(splits: Iterable[str]) -> dict[str, str]:
    kinds = [f"{split} {what}" for split in splits for what in ("images", "labels")]
    return {f"arr_{index}": kind for index, kind in enumerate(kinds)}


def _meanings(names: list[str]) -> Meanings:
    """What the arrays of an archive with these names are. Raises BrokenFileError where they are not 4 or 6."""
    for splits in _SPLITS.values():
        expected = _array_names(splits)
        if sorted(names) == sorted(expected):
            return expected
    rule = (
        "must hold arr_0 to arr_3 (images and labels of training, then of test), or arr_0 to arr_5 (validation between)"
    )
    shown = ", ".join(repr(name)[1:-1] for name in names[:8]) or "no array"
    raise BrokenFileError(rule, f"{len(names)} arrays: {shown}" if len(names) > 1 else shown, _remedy(names))


def _remedy(names: list[str]) -> str:
    """How to make a file of four or six arrays of one that has others."""
    numbered = sorted(names) == sorted(f"arr_{index}" for index in range(len(names)))
    if not numbered:
        return "save the arrays in this order and without names: numpy.savez(file, train_x, train_y, test_x, test_y)"
    if len(names) == 1:
        return "add the labels and the test examples, or save images without labels as .npy with numpy.save"
    if len(names) == 2:
        return "add the test images as arr_2 and their labels as arr_3"
    if len(names) in (3, 5):
        return f"add the labels of the test images as arr_{len(names)}"
    return "save four or six arrays"


@dataclass(frozen=True, eq=False)
class _Part:
    """One split of the file: images of `shape`, and their labels."""

    images: ImageValues
    labels: Labels
    shape: tuple[int, int]


def _parts_of(arrays: Mapping[str, Numbers]) -> dict[str, _Part]:
    """The splits by name: `training`, `validation`, `test`."""
    splits = _SPLITS[len(arrays)]
    meanings = _array_names(splits)
    found: dict[str, _Part] = {}
    for index, split in enumerate(splits):
        first, second = f"arr_{2 * index}", f"arr_{2 * index + 1}"
        images, labels = arrays[first], arrays[second]
        shape = _image_shape(images, labels, f"{first} ({meanings[first]})")
        found[split] = _Part(
            image_values(images.T, f"{first} ({meanings[first]})"),
            label_values(labels, images.shape[1], f"{second} ({meanings[second]})"),
            shape,
        )
    _check_alike(list(found.values()))
    return found


def _image_shape(images: Numbers, labels: Numbers, what: str) -> tuple[int, int]:
    """The shape of one image of (pixel, image)."""
    if images.ndim != 2:
        remedy = "save each image as a column: images.reshape(len(images), -1).T"
        if images.ndim == 1 and labels.ndim > 1:
            remedy = "exchange images and labels: images come first"
        raise BrokenFileError(f"{what} must have the shape (pixel, image)", f"shape {images.shape}", remedy)
    pixels, examples = images.shape
    if examples != labels.size and pixels == labels.size == max(labels.shape):
        rule = f"{what} must have one column for each of the {labels.size} labels"
        raise BrokenFileError(rule, f"shape {images.shape}", "transpose the images: images.T")
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise BrokenFileError(f"{what} must have a square number of pixels in each column", f"{pixels} rows",
                              "cut or pad the images to squares")  # fmt: skip
    return side, side


def _check_alike(parts: list[_Part]) -> None:
    """All splits must hold images of one size and kind."""
    first = parts[0]
    for other in parts[1:]:
        if other.shape != first.shape:
            given = f"{first.images.values.shape[1]} and {other.images.values.shape[1]}"
            raise BrokenFileError("images of all splits must have the same number of pixels", given,
                                  "bring them to one size")  # fmt: skip
        if (other.images.values.dtype, other.images.divisor) != (first.images.values.dtype, first.images.divisor):
            rule = "images of all splits must be of one kind: whole numbers, booleans or floating-point numbers"
            given = f"{_kind(first.images)} and {_kind(other.images)}"
            raise BrokenFileError(rule, given, "save them all with the same dtype")


def _kind(images: ImageValues) -> str:
    if images.values.dtype == np.float32:
        return "floating-point numbers"
    return "booleans" if images.divisor == 1 else "whole numbers"


def _classes(parts: Mapping[str, _Part], file: FoundFile) -> int:
    """The number of classes: the highest label of all splits, plus 1. Warns of classes that training does not have."""
    present = np.unique(np.concatenate([part.labels for part in parts.values()]))
    low, high = int(present[0]), int(present[-1])
    if low > 0:
        raise BrokenFileError("labels must count from 0", f"{low} to {high} in all splits together",
                              f"subtract {low} from all labels")  # fmt: skip
    classes = high + 1
    missing = np.setdiff1d(np.arange(classes), parts["training"].labels)
    if len(missing):
        shown = ", ".join(str(number) for number in missing[:5]) + (", ..." if len(missing) > 5 else "")
        LOG.warning("%s: training has no example of %d of the %d classes (%s)",
                    file.shown, len(missing), classes, shown)  # fmt: skip
    return classes
