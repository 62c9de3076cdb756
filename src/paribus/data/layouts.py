"""From an array with any order of axes to one row of features for each example.

Which axis has the examples is taken from `data.inputs.layout`, or from the number of targets where that leaves no
doubt; where it does, the array is refused.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.examples import MAX_PIXELS, image_values
from paribus.data.npy import BrokenFileError, Numbers
from paribus.data.wanted import Wanted, in_row, numbers_equal

LOG = logging.getLogger("paribus.data")
_CHANNELS = (1, 3)
"""Channels of an image that says nothing of its layout."""
_BLOCK_ROWS = 4096
_IMAGE_SIDE = 4
"""The smallest square of pixels that is taken for an image in an archive whose arrays have no names."""


@dataclass(frozen=True, eq=False)
class Examples:
    """`values` (example, feature) uint8 or float32, C-contiguous, their divisor, and the shape of one example."""

    values: npt.NDArray[Any]
    divisor: float
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.values)


def examples_of(array: Numbers, target_shape: tuple[int, ...] | None, wanted: Wanted, what: str) -> Examples:
    """The examples of `array`, which messages call `what`.

    `target_shape` is that of their targets, None where there are none. Raises BrokenFileError where the layout is in
    doubt, or where the values are none that a network can see.
    """
    axes = possible_axes(array, target_shape, wanted, what)
    if len(axes) > 1:
        raise in_doubt(array, what)
    return examples_along(axes[0], array, wanted, what)


def examples_along(
    axis: int, array: Numbers, wanted: Wanted, what: str, *, columns_are_images: bool = False
) -> Examples:
    """The examples of `array` that lie along its first (0) or last (-1) axis.

    `columns_are_images` where columns of 16, 25, 36, ... values are square images, as in archives without names. Raises
    BrokenFileError where the values are none that a network can see.
    """
    array = array.reshape(-1, 1) if array.ndim == 1 else array
    rows = np.moveaxis(array, axis, 0)
    if rows.ndim == 4:
        rows = _channels_first(rows, wanted, what)
    elif (wanted.inputs.layout or "").startswith("channels"):
        raise BrokenFileError(f"{what} must have four axes to have channels", _shown(array.shape),
                              'take data.inputs.layout out, or say "rows" or "columns"')  # fmt: skip
    shape = _image_shape(rows, wanted, what, in_columns=columns_are_images and axis == -1)
    flat = rows.reshape(len(rows), -1)
    if shape is None:
        return table_values(flat, what)
    images = image_values(flat, what, bounded=wanted.bounded)
    return Examples(images.values, images.divisor, shape)


def possible_axes(
    array: Numbers, target_shape: tuple[int, ...] | None, wanted: Wanted, what: str
) -> tuple[int] | tuple[int, int]:
    """The axes that may be that of the examples: 0, the first one, or -1, the last one.

    Raises BrokenFileError where none can be. Arguments are those of `examples_of`.
    """
    if not 1 <= array.ndim <= 4:
        given = _shown(array.shape) if array.ndim else "a single number"
        raise BrokenFileError(f"{what} must have one to four axes", given,
                              "give each example one row: array.reshape(len(array), -1)")  # fmt: skip
    sizes, layout = _sizes(target_shape), wanted.inputs.layout
    shape = array.shape if array.ndim > 1 else (*array.shape, 1)
    if layout is not None:
        axis = -1 if layout == "columns" else 0
        if sizes and shape[axis] not in sizes:
            raise _other_count(array, sizes, what, f'correct data.inputs.layout, which is "{layout}"')
        return (axis,)
    if not sizes:
        return (0, -1) if array.ndim == 2 and shape[0] < shape[1] else (0,)
    for examples in sizes:
        first, last = shape[0] == examples, shape[-1] == examples
        if first or last:
            return (0, -1) if first and last else (0,) if first else (-1,)
    raise _other_count(array, sizes, what, "check that inputs and targets belong together")


def in_doubt(array: Numbers, what: str) -> BrokenFileError:
    """The refusal of an array whose examples may lie along two axes."""
    return BrokenFileError(f"{what} must show on which axis the examples are", _shown(array.shape), _SAY_LAYOUT)


def _sizes(target_shape: tuple[int, ...] | None) -> Sequence[int]:
    """The numbers of examples that the targets allow, the likeliest first."""
    if target_shape is None:
        return ()
    if math.prod(target_shape) == max(target_shape, default=0):
        return (math.prod(target_shape),)
    return tuple(dict.fromkeys(target_shape[:2]))


_SAY_LAYOUT = 'say data.inputs.layout = "rows" (an example a row) or "columns" (an example a column)'


def _other_count(array: Numbers, sizes: Sequence[int], what: str, remedy: str) -> BrokenFileError:
    rule = f"{what} must have one example for each of the {sizes[0]} targets"
    return BrokenFileError(rule, _shown(array.shape), remedy)


def _channels_first(rows: Numbers, wanted: Wanted, what: str) -> Numbers:
    """(example, channel, row, column) from either order of axes; (example, row, column) where there is one channel."""
    layout: str | None = wanted.inputs.layout
    if layout not in ("channels-last", "channels-first"):
        first, last = rows.shape[1] in _CHANNELS, rows.shape[3] in _CHANNELS
        if first == last:
            raise BrokenFileError(f"{what} must show on which axis the channels are", _shown(rows.shape),
                                  'say data.inputs.layout = "channels-last" or "channels-first"')  # fmt: skip
        layout = "channels-first" if first else "channels-last"
    images = rows if layout == "channels-first" else np.moveaxis(rows, 3, 1)
    return images[:, 0] if images.shape[1] == 1 else images


def _image_shape(rows: Numbers, wanted: Wanted, what: str, *, in_columns: bool) -> tuple[int, ...] | None:
    """The shape of one image, None where an example is not an image."""
    shape, features = wanted.inputs.shape, math.prod(rows.shape[1:])
    if shape is not None:
        if math.prod(shape) != features:
            raise BrokenFileError(f"{what} must have {' x '.join(map(str, shape))} values for each example, as "
                                  "data.inputs.shape says", f"{features}", "correct data.inputs.shape")  # fmt: skip
        return tuple(shape)
    if rows.ndim > 2:
        return rows.shape[1:]
    side = math.isqrt(features)
    if in_columns and side * side == features and side >= _IMAGE_SIDE:
        return side, side
    if rows.dtype == np.uint8 and side * side == features and side >= _IMAGE_SIDE and rows.max() > 1:
        LOG.warning("%s: bytes in %d columns are read as a table, and are not divided by 255; "
                    "if they are images, say data.inputs.shape = [%d, %d]", what, features, side, side)  # fmt: skip
    return None


def table_values(array: Numbers, what: str) -> Examples:
    """Numbers of a table (example, feature): bytes and booleans as uint8, all others as float32; NaN is a missing one.

    Raises BrokenFileError for infinite numbers, and for those that are too large for a float32.
    """
    features = array.shape[1]
    if features > MAX_PIXELS:
        raise BrokenFileError(f"{what} must have at most {MAX_PIXELS} features", f"{features}", "use fewer of them")
    if array.dtype.kind == "b":
        return Examples(np.ascontiguousarray(np.minimum(array.view(np.uint8), 1)), 1.0, (features,))
    if array.dtype == np.uint8:
        return Examples(np.ascontiguousarray(array), 1.0, (features,))
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, dtype=np.float32)
    infinite = _infinite_rows(values)
    if len(infinite):
        column = int(np.flatnonzero(np.isinf(values[infinite[0]]))[0])
        raise BrokenFileError(f"{what} must hold finite numbers that fit into 32 bits",
                              f"{array[infinite[0], column]} in column {column}, {in_row(infinite)}",
                              "correct it, or save it as NaN where it is missing")  # fmt: skip
    if array.dtype.kind in "iu" and numbers_equal(array).any():
        LOG.warning("%s: column %d has whole numbers that are equal once they are rounded to 32-bit floating-point "
                    "numbers; take it out if it holds identifiers", what,
                    int(np.flatnonzero(numbers_equal(array))[0]))  # fmt: skip
    return Examples(values, 1.0, (features,))


def _infinite_rows(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The rows of `values` (example, feature) with an infinite number, found block by block."""
    starts = range(0, len(values), _BLOCK_ROWS)
    found = [start + np.flatnonzero(np.isinf(values[start : start + _BLOCK_ROWS]).any(axis=1)) for start in starts]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _shown(shape: tuple[int, ...]) -> str:
    return f"shape {' x '.join(str(length) for length in shape) or '()'}"
