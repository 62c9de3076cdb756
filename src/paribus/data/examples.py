"""Arrays of images from a file: checked, and brought into the form that pools have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.npy import BrokenFileError, Numbers

MAX_PIXELS = 65_536
"""Pixels of one image: as many inputs as a network can have."""
_NEARLY = 0.01
"""Values outside [0, 1] by at most this much look like rounding errors, and the remedy is to clip them."""


@dataclass(frozen=True, eq=False)
class ImageValues:
    """`values` (example, pixel) uint8 or float32, C-contiguous, and the divisor that brings them into [0, 1]."""

    values: npt.NDArray[Any]
    divisor: float


def image_values(array: Numbers, what: str, *, bounded: bool = True) -> ImageValues:
    """Values of images, (example, pixel): whole numbers from 0 to 255, booleans, or floating-point numbers in [0, 1].

    Where they are not `bounded`, floating-point numbers may be any. Whole numbers and booleans become bytes. Raises
    BrokenFileError, its rule naming the array as `what`.
    """
    pixels = array.shape[1]
    if pixels > MAX_PIXELS:
        raise BrokenFileError(f"{what} must have at most {MAX_PIXELS} pixels each", f"{pixels} pixels",
                              "make the images smaller")  # fmt: skip
    if array.dtype.kind == "b":
        return ImageValues(np.ascontiguousarray(np.minimum(array.view(np.uint8), 1)), 1.0)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        _check_floats(low, high, what, bounded=bounded)
        return ImageValues(np.ascontiguousarray(array, dtype=np.float32), 1.0)
    if low < 0 or high > 255:
        raise BrokenFileError(f"{what} must be from 0 to 255 where they are whole numbers", f"{low} to {high}",
                              "scale them to that, or to floating-point numbers from 0 to 1")  # fmt: skip
    return ImageValues(np.ascontiguousarray(array, dtype=np.uint8), 255.0)


def _check_floats(low: np.floating[Any], high: np.floating[Any], what: str, *, bounded: bool) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BrokenFileError(f"{what} must hold finite numbers only", "NaN or infinity",
                              "replace them, or leave out the images that have them")  # fmt: skip
    if low >= 0 and high <= 1:
        return
    if not bounded:
        if max(-low, high) > np.finfo(np.float32).max:
            raise BrokenFileError(f"{what} must fit into 32 bits", f"{low!s} to {high!s}", "make them smaller")
        return
    if low >= -_NEARLY and high <= 1 + _NEARLY:
        remedy = "clip them: numpy.clip(images, 0, 1)"
    elif low >= 0 and high <= 255:
        remedy = "divide by 255, or save them as uint8"
    elif low >= -1 and high <= 1:
        remedy = "bring them from [-1, 1] into [0, 1]: (images + 1) / 2"
    else:
        remedy = "bring them into [0, 1]: (images - images.min()) / (images.max() - images.min())"
    remedy += ', or set data.scale to "standardise" or "none"'
    rule = f"{what} must lie within [0, 1] where they are floating-point"
    raise BrokenFileError(rule, f"{low!s} to {high!s}", remedy)
