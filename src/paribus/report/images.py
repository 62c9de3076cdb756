"""Single examples as PNG data URIs: grey and colour images, each with words of its own."""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from paribus.report.montage import strip

MAX_SIDE: Final = 112
"""Larger images are reduced to this many pixels a side: enough to see what they show."""
MIN_SIDE: Final = 84
"""Small images are enlarged by a whole factor to at least this many CSS pixels."""
COLOURS: Final = 3


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether examples of this shape can be drawn: (height, width), or (channel, height, width) of 1 or 3 channels."""
    return len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, COLOURS))


def shown_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """The width and height in CSS pixels at which an image of this shape is shown."""
    height, width = shape[-2:]
    longest = max(height, width)
    if longest > MAX_SIDE:
        return round(width * MAX_SIDE / longest), round(height * MAX_SIDE / longest)
    scale = max(1, -(-MIN_SIDE // longest))
    return width * scale, height * scale


def image(values: npt.NDArray[np.floating], shape: tuple[int, ...]) -> str:
    """One example (feature,) as a PNG data URI. [0, 1] is shown as black to white; values beyond that, as the image's
    own range is."""
    inside = np.asarray(values, np.float64)
    low, high = float(inside.min()), float(inside.max())
    if low < 0 or high > 1:
        inside = (inside - low) / ((high - low) or 1.0)
    height, width = shape[-2:]
    if len(shape) == 2 or shape[0] == 1:
        if max(height, width) <= MAX_SIDE:
            return strip(inside[None], (height, width), gap=0)
        return _reduced(inside.reshape(height, width), shape)
    return _reduced(inside.reshape(shape).transpose(1, 2, 0), shape)


def _reduced(pixels: npt.NDArray[np.float64], shape: tuple[int, ...]) -> str:
    """Pixels (row, column) or (row, column, colour) in [0, 1] as a PNG, reduced where they are many."""
    drawn = Image.fromarray((255 * np.clip(pixels, 0, 1)).round().astype(np.uint8))
    if max(shape[-2:]) > MAX_SIDE:
        drawn = drawn.resize(shown_size(shape), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
