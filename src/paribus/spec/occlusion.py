"""Occlusion maps: which patches of held-out images are hidden from the selected networks, one at a time."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Strict

from paribus.spec.fields import Count, Frozen

MAX_POSITIONS = 4096
"""Positions of a patch in one image, at most."""


class Occlusion(Frozen):
    """Hide a square of `patch` x `patch` pixels of an image, and look at how the prediction changes; 0 hides nothing.

    The square moves by `stride` pixels, by default by its own side. So `examples` held-out images are treated, the
    first ones of each class in turn. A hidden pixel has its mean over the training images.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014), section 4.2.
    """

    patch: Annotated[int, Strict(), Ge(0), Le(10_000)] = 0
    stride: Count | None = None
    examples: Annotated[int, Strict(), Ge(1), Le(100)] = 8

    @property
    def name(self) -> str:
        """As artifacts name it: `occlusion/4-2-8`."""
        return f"occlusion/{self.patch}-{self.step}-{self.examples}"

    @property
    def step(self) -> int:
        """Pixels between two positions of the square."""
        return self.stride or max(1, self.patch)

    def positions(self, side: int) -> tuple[int, ...]:
        """Where the square begins along a side of so many pixels; the last one ends with the image.

        Example: a patch of 4 in 10 pixels begins at 0, 4 and 6.
        """
        last = side - self.patch
        return tuple(dict.fromkeys([*range(0, last + 1, self.step), last]))
