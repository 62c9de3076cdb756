"""Corruptions made on purpose: wrong labels to train on, noisy pixels to show to a trained network.

Each takes its generator from the caller, who derives it from the seed (`paribus.seeding`), and leaves its input alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.data.pool import Images, Labels
from paribus.spec.recipe import Denoising


def replaced_labels(labels: Labels, *, share: float, classes: int, rng: np.random.Generator) -> Labels:
    """`labels` (image,) with `share` of them, rounded to whole images, replaced by a uniformly drawn class.

    The original class may be drawn, so a share of `share * (classes - 1) / classes` ends up wrong on average. From
    equal generators a larger share replaces the same labels in the same way, and further ones: arms that differ in
    `share` alone stay comparable.
    """
    order = rng.permutation(len(labels))
    drawn = rng.integers(0, classes, size=len(labels), dtype=np.int64)
    chosen = order[: round(share * len(labels))]
    noisy = labels.copy()
    noisy[chosen] = drawn[chosen]
    return noisy


@dataclass(frozen=True)
class Condition:
    """One way to spoil images: `uniform` noise of half-width `amount`, or a share `amount` of pixels `zeroed`."""

    kind: Literal["uniform", "zeroed"]
    amount: float

    @property
    def name(self) -> str:
        """As measurements name it: `uniform-0.4`, `zeroed-0.5`."""
        return f"{self.kind}-{self.amount:g}"

    def applied(self, images: Images, rng: np.random.Generator) -> Images:
        """`images` (image, pixel) in [0, 1], spoiled and still in [0, 1]. Every pixel is drawn by itself."""
        drawn = rng.random(images.shape, dtype=np.float32)
        if self.kind == "zeroed":
            return np.where(drawn < np.float32(self.amount), np.float32(0), images)
        drawn -= np.float32(0.5)
        drawn *= np.float32(2 * self.amount)
        return np.clip(images + drawn, np.float32(0), np.float32(1))


def conditions(denoising: Denoising) -> tuple[Condition, ...]:
    """The conditions of a recipe, in its order: uniform noises first, then zeroed pixels."""
    return (
        *(Condition("uniform", amount) for amount in denoising.uniform),
        *(Condition("zeroed", amount) for amount in denoising.zeroed),
    )
