from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from paribus.report.montage import GAP, largest, robust_limit, strip


def opened(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGBA")).astype(int)


def test_pictures_stand_side_by_side_pixel_for_pixel_with_clear_gaps() -> None:
    images = np.array([[0.0, 1.0, 0.5, 0.25], [1.0, 1.0, 0.0, 0.0]])
    seen = opened(strip(images, (2, 2)))
    assert seen.shape == (2 + GAP, 2 * (2 + GAP), 4)
    first = seen[1:3, 1:3]
    assert first[..., 0].tolist() == [[0, 255], [128, 64]] or np.allclose(
        first[..., 0], [[0, 255], [127.5, 63.75]], atol=1
    )
    assert (first[..., 3] == 255).all()
    assert (seen[0, :, 3] == 0).all()


def test_grey_values_outside_their_range_are_clipped_not_wrapped() -> None:
    seen = opened(strip(np.array([[-3.0, 7.0]]), (1, 2), gap=0))
    assert seen[0, :, 0].tolist() == [0, 255]


def test_signed_values_diverge_from_a_neutral_zero() -> None:
    minus, zero, plus = opened(strip(np.array([[-1.0, 0.0, 1.0]]), (1, 3), signed=True, gap=0))[0]
    assert minus[2] > minus[0]
    assert plus[0] > plus[2]
    assert zero[:3].min() > 235


def test_values_that_are_not_finite_are_transparent() -> None:
    seen = opened(strip(np.array([[np.nan, 0.5, np.inf]]), (1, 3), gap=0))
    assert seen[0, :, 3].tolist() == [0, 255, 0]
    seen = opened(strip(np.array([[np.nan, 0.5, np.inf]]), (1, 3), signed=True, gap=0))
    assert seen[0, :, 3].tolist() == [0, 255, 0]


def test_a_grid_has_as_many_rows_as_it_needs() -> None:
    seen = opened(strip(np.zeros((5, 6)), (2, 3), per_row=2, gap=2))
    assert seen.shape[:2] == (3 * 4, 2 * 5)


def test_limits_are_positive_whatever_comes() -> None:
    assert largest(np.zeros(4)) > 0
    assert robust_limit(np.array([np.nan])) == 1.0
    assert robust_limit(np.r_[np.ones(1000), 50.0]) == 1.0
