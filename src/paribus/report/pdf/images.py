"""Strips and galleries at print size: how large an image is on paper, and which images stand in one row."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Final

from PIL import Image

from paribus.report.blocks import Gallery, Montage, Strip
from paribus.report.pdf.tables import text_width

PT_A_PIXEL: Final = 0.6
"""Points on paper for a CSS pixel of the page: 64 pixels are 14 mm."""
LEAST_PT: Final = 26.0
"""An image of fewer points a side (9 mm) shows nothing; rather fewer images stand in a row."""
LABEL_PT: Final = 8.0
GAP_PT: Final = 8.0


@dataclass(frozen=True)
class Band:
    """Images `first` to `last` (excluded) of every strip of a montage, and their columns' titles."""

    first: int
    last: int
    heads: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A montage on paper: an image's `width` and `height` and the labels' `label` width in points, band by band.

    Without bands, each strip is a grid of `across` images a row, drawn whole.
    """

    width: float
    height: float
    label: float
    across: int
    rows: int
    bands: tuple[Band, ...] = ()

    @property
    def total(self) -> float:
        """The height of the whole."""
        return self.height * self.rows


def sheet(montage: Montage, room: float) -> Sheet:
    """How a montage is laid out in `room` points."""
    labels = [line for strip in montage.strips for line in (strip.label, strip.faint) if line]
    label = min(max((text_width(line, LABEL_PT) for line in labels), default=0.0) + 12.0, room / 3) if labels else 0.0
    count = max(strip.count for strip in montage.strips)
    across = min(montage.across or count, count)
    width, height = montage.width * PT_A_PIXEL, montage.height * PT_A_PIXEL
    shrunk = min(1.0, (room - label - GAP_PT) / (across * width))
    if montage.across is not None or shrunk * min(width, height) >= LEAST_PT or across == 1:
        bands = () if montage.across is not None else (Band(0, count, montage.columns),)
        rows = sum(-(-strip.count // across) for strip in montage.strips)
        return Sheet(width * shrunk, height * shrunk, label, across, rows, bands)
    factor = min(1.0, LEAST_PT / min(width, height))
    width, height = width * factor, height * factor
    fit = max(1, int((room - label - GAP_PT) / width))
    fit = math.ceil(count / math.ceil(count / fit))  # bands of equal length
    bands = tuple(Band(at, min(at + fit, count), montage.columns[at : at + fit]) for at in range(0, count, fit))
    return Sheet(width, height, label, fit, len(bands) * len(montage.strips), bands)


def fits(montage: Montage, room: float) -> bool:
    """Whether a montage fits in `room` points without more rows, its images large enough to see."""
    layout = sheet(montage, room)
    return len(layout.bands) <= 1 and min(layout.width, layout.height) >= LEAST_PT


def gallery_size(gallery: Gallery, room: float) -> tuple[float, float, int]:
    """The width and height of each image of a gallery in points, and how many stand in a row."""
    factor = min(PT_A_PIXEL, room / gallery.width)
    width, height = gallery.width * factor, gallery.height * factor
    return width, height, max(1, int((room + GAP_PT) / (max(width, LEAST_PT) + GAP_PT)))


def png(uri: str) -> bytes:
    """The bytes of a PNG data URI. Raises ValueError for anything else."""
    kind, _, content = uri.partition(",")
    if kind != "data:image/png;base64":
        raise ValueError("an image of a report is a PNG data URI")
    return base64.b64decode(content, validate=True)


def cut(strip: Strip, band: Band) -> bytes:
    """The images of a strip that stand in a band, as PNG."""
    if (band.first, band.last) == (0, strip.count):
        return png(strip.uri)
    with Image.open(io.BytesIO(png(strip.uri))) as whole:
        side = whole.width / strip.count
        box = (round(band.first * side), 0, round(min(band.last, strip.count) * side), whole.height)
        buffer = io.BytesIO()
        whole.crop(box).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
