"""Corruptions made on purpose: noisy features for a trained network to be shown.

Each takes its random numbers from the caller, who derives them from a run's streams (`paribus.seeding`), and does not
change its input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from paribus.data.pool import Features
from paribus.seeding import Draws, normal_quantile
from paribus.spec.recipe import Denoising

Kind = Literal["uniform", "gaussian", "zeroed", "block"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_BLOCK_VALUES = 2**20


@dataclass(frozen=True)
class Condition:
    """One way to corrupt features within [0, 1].

    uniform: noise from -`amount` to `amount` is added, and the sum is clipped to [0, 1]. gaussian: the same with normal
    noise of standard deviation `amount`. zeroed: each feature is set to zero with probability `amount`. block: a block
    of an image is set to zero, at a random place, whose sides are the image's times the square root of `amount`.
    """

    kind: Kind
    amount: float

    @property
    def name(self) -> str:
        """As measurements name it: `uniform-0.4`, `zeroed-0.5`."""
        return f"{self.kind}-{self.amount:g}"

    def applied(self, inputs: Features, shape: tuple[int, ...], draws: Draws) -> Features:
        """`inputs` (example, feature) in [0, 1], corrupted and still in [0, 1]; `shape` is that of one example.

        Each feature has a draw of its own, a block two for its place. The first examples are corrupted alike however
        many follow.
        """
        if self.kind == "block":
            return self._under_block(inputs, shape, draws)
        corrupted = np.empty_like(inputs)
        rows = max(1, _BLOCK_VALUES // inputs.shape[1])
        for start in range(0, len(inputs), rows):
            block = inputs[start : start + rows]
            corrupted[start : start + rows] = self._corrupted(block, _uniform(draws, *block.shape))
        return corrupted

    def _corrupted(self, inputs: Features, drawn: Features) -> Features:
        if self.kind == "zeroed":
            return np.where(drawn < np.float32(self.amount), np.float32(0), inputs)
        if self.kind == "gaussian":
            middles = drawn.astype(np.float64) + 2.0**-25  # of the steps of 2**-24, so that none is 0
            drawn = (self.amount * normal_quantile(middles)).astype(np.float32)
        elif self.kind == "uniform":
            drawn -= np.float32(0.5)
            drawn *= np.float32(2 * self.amount)
        else:
            raise ValueError(f"no corruption {self.kind}")
        drawn += inputs
        return np.clip(drawn, 0, 1, out=drawn)

    def _under_block(self, inputs: Features, shape: tuple[int, ...], draws: Draws) -> Features:
        """Every channel of an image has the block at the same place; each place within the image is equally likely."""
        height, width = shape[-2:]
        sides = [round(side * math.sqrt(self.amount)) for side in (height, width)]
        images = inputs.reshape(len(inputs), -1, height, width).copy()
        for image, drawn in zip(images, _uniform(draws, len(inputs), 2).tolist(), strict=True):
            top, left = (
                int(u * (whole - side + 1)) for u, whole, side in zip(drawn, (height, width), sides, strict=True)
            )
            image[:, top : top + sides[0], left : left + sides[1]] = 0
        return images.reshape(inputs.shape)


def _uniform(draws: Draws, examples: int, features: int) -> Features:
    """Float32 numbers (example, feature) in [0, 1), multiples of 2**-24.

    Each word of 64 bits gives two: the highest 24 bits of its lower half, then those of its upper half. Every example
    begins a new word; of three features in two words, the last half is not used.
    """
    words = draws.bits(examples * -(-features // 2)).reshape(examples, -1)
    halves = words.astype("<u8", copy=False).view("<u4")[:, :features]
    return (halves >> np.uint32(8)) * np.float32(2.0**-24)


def conditions(denoising: Denoising) -> tuple[Condition, ...]:
    """The conditions of a recipe, kind by kind, each in its order of severities."""
    return tuple(Condition(kind, amount) for kind in KINDS for amount in getattr(denoising, kind))
