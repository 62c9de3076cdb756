from __future__ import annotations

import numpy as np
import pytest

from paribus.report.page import themes
from paribus.report.palette import DARK, LIGHT, arm_colours, arm_dashes, diverging


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#ffffff"), (DARK, "#1c1e22")])
def test_every_arm_colour_stands_out_from_its_ground(colours: tuple[str, ...], ground: str) -> None:
    assert min(contrast(colour, ground) for colour in colours) >= 3.0


def test_the_last_label_of_a_numeric_axis_stays_within_the_drawing() -> None:
    assert all(theme["axisXQuantitative"]["labelBound"] for theme in themes().values())


def test_arms_beyond_the_colours_differ_by_their_dashes() -> None:
    looks = list(zip(arm_colours(20), map(tuple, arm_dashes(20)), strict=True))
    assert len(set(looks)) == 20


def test_the_diverging_scale_is_neutral_in_the_middle() -> None:
    scale = diverging(63).astype(int)
    assert np.ptp(scale[31]) <= 2
