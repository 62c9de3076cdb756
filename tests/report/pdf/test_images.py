from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from paribus.report.blocks import Montage, Strip
from paribus.report.montage import strip
from paribus.report.pdf.images import LEAST_PT, cut, fits, png, sheet
from paribus.report.pdf.tables import UPRIGHT_PT

IMAGES = np.random.default_rng(0).random((20, 8 * 8))


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


def montage(count: int, *, across: int | None = None, width: int = 66) -> Montage:
    row = Strip("unit 1", strip(IMAGES[:count], (8, 8), per_row=across), "a unit", count, 0)
    columns = () if across else tuple(str(10 * i) for i in range(count))
    return Montage("made", "Made up", columns, (row, row), width, width, across)


def test_a_short_strip_is_drawn_whole() -> None:
    layout = sheet(montage(5), UPRIGHT_PT)
    (band,) = layout.bands
    assert band.heads == ("0", "10", "20", "30", "40")
    assert cut(montage(5).strips[0], band) == png(montage(5).strips[0].uri)
    assert layout.label + 5 * layout.width <= UPRIGHT_PT


def test_a_long_strip_goes_on_in_the_next_row_rather_than_shrink_to_nothing() -> None:
    made = montage(20)
    layout = sheet(made, UPRIGHT_PT)
    assert len(layout.bands) > 1
    assert layout.width >= LEAST_PT - 1e-6
    assert [head for band in layout.bands for head in band.heads] == list(made.columns)
    assert all(layout.label + (band.last - band.first) * layout.width <= UPRIGHT_PT for band in layout.bands)
    whole = pixels(png(made.strips[0].uri))
    parts = [pixels(cut(made.strips[0], band)) for band in layout.bands]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_a_grid_is_never_cut() -> None:
    layout = sheet(montage(20, across=8), UPRIGHT_PT)
    assert not layout.bands
    assert layout.across == 8
    assert layout.label + 8 * layout.width <= UPRIGHT_PT


def test_only_a_narrow_montage_stands_beside_another() -> None:
    assert fits(montage(3), UPRIGHT_PT / 2)
    assert not fits(montage(10), UPRIGHT_PT / 2)


def test_only_png_is_taken() -> None:
    with pytest.raises(ValueError, match="PNG"):
        png("data:image/svg+xml,<svg/>")
