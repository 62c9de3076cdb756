"""Colours that colour-blind readers can tell apart, on light paper and on dark; one per arm, throughout a page.

The hues are those of M. Okabe and K. Ito, "Color Universal Design" (2008), black and yellow left out because each
vanishes on one of the two grounds; each is shifted in lightness for the ground that it stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

LIGHT: Final = ("#0072B2", "#D55E00", "#009E73", "#B5548F", "#B07D00", "#2E2E33", "#3B9BD6")
DARK: Final = ("#4FA8DE", "#F0803C", "#2FC79B", "#DE92C2", "#E6B93D", "#F2F2EE", "#9AD3F5")
DASHES: Final[tuple[tuple[int, ...], ...]] = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3))
"""Taken in turn when there are more arms than colours."""
SHAPES: Final = ("circle", "triangle-down", "square", "diamond", "triangle-up", "cross")
"""Of the marks at selected epochs, one a selection rule, in turn."""
GLYPHS: Final = ("●", "▼", "■", "◆", "▲", "✚")
"""The same marks as characters, for legends."""


def arm_colours(count: int, ground: Sequence[str] = LIGHT) -> list[str]:
    """A colour for each of `count` arms in the study's order."""
    return [ground[i % len(ground)] for i in range(count)]


def arm_lines(count: int) -> list[str]:
    """A border style for each of `count` arms, as near to its dash pattern as style sheets come."""
    return [("solid", "dashed", "dotted", "double")[(i // len(LIGHT)) % len(DASHES)] for i in range(count)]


def arm_dashes(count: int) -> list[list[int]]:
    """A dash pattern for each of `count` arms: solid until the colours are used up."""
    return [list(DASHES[(i // len(LIGHT)) % len(DASHES)]) for i in range(count)]


def diverging(levels: int = 255) -> npt.NDArray[np.uint8]:
    """Blue through near-white to orange for signed values: (level, 3), zero in the middle."""
    anchors = np.array([[5, 48, 97], [67, 147, 195], [247, 247, 247], [230, 126, 60], [127, 39, 4]], dtype=np.float64)
    at = np.linspace(0.0, 1.0, levels)
    channels = [np.interp(at, np.linspace(0.0, 1.0, len(anchors)), anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def grey(levels: int = 255) -> npt.NDArray[np.uint8]:
    """Black to white: (level, 3)."""
    return np.repeat(np.linspace(0, 255, levels).round().astype(np.uint8)[:, None], 3, axis=1)
