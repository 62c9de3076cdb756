"""Rows of small images as PNG data URIs: faces, garments, weights, eigenfaces.

A image is stored pixel for pixel with a palette (signed values diverge from zero), and the page enlarges it by a
whole factor without smoothing.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from paribus.report.palette import diverging, grey

GAP = 2
GREYS = 255
SIGNED_LEVELS = 63
"""Levels of a signed image: as many as the eye can distinguish in noise, and a third fewer bytes than 255."""
FRAME = (200, 30, 90)
"""The colour (red, green, blue) of a frame: far from all colours that weights have."""

Images = npt.NDArray[np.floating]


def strip(
    images: Images,
    shape: tuple[int, int],
    *,
    signed: bool = False,
    limit: float | None = None,
    per_row: int | None = None,
    gap: int = GAP,
    framed: Sequence[bool] = (),
) -> str:
    """Images (image, pixel) side by side as one PNG data URI, `per_row` to a row (all in one row by default).

    At least one image. Unsigned images show [0, 1] as black to white. Signed ones show [-limit, limit] from blue to
    orange; `limit` is the largest magnitude in `images` where it is not given. Each image has half a `gap` of clear
    pixels around it; signed images that are `framed` (one flag for each) have a frame there.
    """
    colours = diverging(SIGNED_LEVELS) if signed else grey(GREYS)
    indices = _indices(np.asarray(images, dtype=np.float64), len(colours), signed, limit)
    height, width = shape
    count = len(indices)
    columns = per_row or count
    rows = math.ceil(count / columns)
    before, frame = gap // 2, len(colours) + 1
    canvas = np.full((rows * (height + gap), columns * (width + gap)), len(colours), dtype=np.uint8)
    for i, image in enumerate(indices):
        top, left = (i // columns) * (height + gap) + before, (i % columns) * (width + gap) + before
        if framed and framed[i]:
            canvas[top - before : top + height + gap - before, left - before : left + width + gap - before] = frame
        canvas[top : top + height, left : left + width] = image.reshape(height, width)
    return data_uri(canvas, colours)


def largest(images: Images) -> float:
    """The largest finite magnitude, at least a tiny one: the limit that a group of signed strips shares."""
    finite = np.abs(images[np.isfinite(images)])
    return max(float(finite.max()), 1e-12) if finite.size else 1.0


def robust_limit(images: Images, share: float = 0.995) -> float:
    """The magnitude below which `share` of the pixels lie, so that a few extremes do not grey the rest."""
    finite = np.abs(images[np.isfinite(images)])
    return max(float(np.quantile(finite, share)), 1e-12) if finite.size else 1.0


def data_uri(indices: npt.NDArray[np.uint8], colours: npt.NDArray[np.uint8]) -> str:
    """Palette indices (row, column) as a PNG data URI; the index after the last colour is transparent, the one after
    that the frame."""
    image = Image.fromarray(indices)
    image.putpalette(colours.tobytes() + b"\0\0\0" + (bytes(FRAME) if len(colours) < GREYS else b""))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=9, transparency=len(colours))
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _indices(values: npt.NDArray[np.float64], levels: int, signed: bool, limit: float | None) -> npt.NDArray[np.uint8]:
    """The palette index of every value; of one that is not finite, the transparent one."""
    if signed:
        bound = limit if limit is not None else largest(values)
        values = (values / bound + 1.0) / 2.0
    finite = np.isfinite(values)
    indices = np.clip(np.where(finite, values, 0.0), 0.0, 1.0) * (levels - 1)
    return np.where(finite, indices.round(), levels).astype(np.uint8)
