from __future__ import annotations

import numpy as np

from paribus.analysis.occlusion import pixel_map


def test_a_pixel_has_the_mean_over_the_squares_that_cover_it() -> None:
    change = np.array([[1.0, 3.0], [5.0, 7.0]])
    found = pixel_map(change, np.array([0, 1]), np.array([0, 1]), 2, 3, 3)
    np.testing.assert_array_equal(found, [[1, 2, 3], [3, 4, 5], [5, 6, 7]])


def test_a_pixel_that_no_square_covers_has_no_value() -> None:
    found = pixel_map(np.array([[2.0]]), np.array([0]), np.array([0]), 1, 1, 2)
    np.testing.assert_array_equal(found, [[2.0, np.nan]])
