"""Arrays of images and of labels from a file: checked, and brought into the form that pools have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.npy import NUMBER_CLASSES, BrokenFileError, Numbers
from paribus.data.pool import Labels

MAX_PIXELS = 65_536
"""Pixels of one image: as many inputs as a network can have."""
MAX_CLASSES = 1000
_NEARLY = 0.01
"""Values outside [0, 1] by at most this much look like rounding errors, and the remedy is to clip them."""


@dataclass(frozen=True, eq=False)
class ImageValues:
    """`values` (example, pixel) uint8 or float32, C-contiguous, and the divisor that brings them into [0, 1]."""

    values: npt.NDArray[Any]
    divisor: float


def image_values(array: Numbers, what: str) -> ImageValues:
    """Values of images, (example, pixel): whole numbers from 0 to 255, booleans, or floating-point numbers in [0, 1].

    Whole numbers and booleans become bytes. Raises BrokenFileError, its rule naming the array as `what`.
    """
    pixels = array.shape[1]
    if pixels > MAX_PIXELS:
        raise BrokenFileError(f"{what} must have at most {MAX_PIXELS} pixels each", f"{pixels} pixels",
                              "make the images smaller")  # fmt: skip
    if array.dtype.kind == "b":
        return ImageValues(np.ascontiguousarray(np.minimum(array.view(np.uint8), 1)), 1.0)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        _check_floats(low, high, what)
        return ImageValues(np.ascontiguousarray(array, dtype=np.float32), 1.0)
    if low < 0 or high > 255:
        raise BrokenFileError(f"{what} must be from 0 to 255 where they are whole numbers", f"{low} to {high}",
                              "scale them to that, or to floating-point numbers from 0 to 1")  # fmt: skip
    return ImageValues(np.ascontiguousarray(array, dtype=np.uint8), 255.0)


def _check_floats(low: np.floating[Any], high: np.floating[Any], what: str) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BrokenFileError(f"{what} must hold finite numbers only", "NaN or infinity",
                              "replace them, or leave out the images that have them")  # fmt: skip
    if low >= 0 and high <= 1:
        return
    if low >= -_NEARLY and high <= 1 + _NEARLY:
        remedy = "clip them: numpy.clip(images, 0, 1)"
    elif low >= 0 and high <= 255:
        remedy = "divide by 255, or save them as uint8"
    elif low >= -1 and high <= 1:
        remedy = "bring them from [-1, 1] into [0, 1]: (images + 1) / 2"
    else:
        remedy = "bring them into [0, 1]: (images - images.min()) / (images.max() - images.min())"
    rule = f"{what} must lie within [0, 1] where they are floating-point"
    raise BrokenFileError(rule, f"{low!s} to {high!s}", remedy)


def label_values(array: Numbers, examples: int, what: str) -> Labels:
    """Labels as int64 (example,), from one row or one column of whole numbers from 0 (floating-point ones, too).

    Raises BrokenFileError, its rule naming the array as `what`.
    """
    if array.size != max(array.shape):
        one_hot = array.ndim == 2 and examples in array.shape and bool((array != 0).sum() == examples)
        axis = 1 if array.shape[0] == examples else 0
        remedy = f"take numpy.argmax(labels, axis={axis})" if one_hot else "give each example one class"
        raise BrokenFileError(f"{what} must be one row of labels", f"shape {array.shape}", remedy)
    if array.size != examples:
        raise BrokenFileError(f"{what} must have one label for each of the {examples} images (columns)",
                              f"{array.size} labels", "check that images and labels belong together")  # fmt: skip
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and not (np.isfinite(flat).all() and (flat == np.floor(flat)).all()):
        raise BrokenFileError(f"{what} must be whole numbers", "fractions, NaN or infinity", NUMBER_CLASSES)
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or high >= MAX_CLASSES:
        rule = f"{what} must be between 0 and {MAX_CLASSES - 1}"
        raise BrokenFileError(rule, f"{low} to {high}", NUMBER_CLASSES)
    return flat.astype(np.int64)
