"""Training inputs that are changed at random, anew in each epoch (`spec.augmentation` says how).

What is drawn depends on a run's `augmentation` stream, the epoch and an example's place in the epoch's order, and on
nothing else; each operation has draws of its own, so that arms which differ in one of them share the others.

Moving pixels and setting them to zero is exact, and bytes stay bytes. Noise and mixing make float32 of them, four bytes
for each.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Features, Rows, Scaling, Split
from paribus.seeding import Draws, Stream, draws, normal_quantile
from paribus.spec.augmentation import Augmentation

Values = npt.NDArray[Any]
_BLOCK_VALUES: Final = 2**19
"""Features that are worked on at a time: they stay in a core's cache."""
_LEVELS: Final = 2**16
"""Each feature's draw is one of this many equally likely ones, four to a word of 64 bits."""


class _Drawn(IntEnum):
    """What random numbers are for; each has its own, so that one changes no other."""

    SHIFT = 0
    FLIP = 1
    NOISE = 2
    ZEROED = 3
    PARTNERS = 4
    SHARES = 5


@final
class Augmenter:
    """Makes one stream's training inputs, epoch by epoch.

    `train` is its training split, with `shape` of one example, and `scaling` what its networks see it by.
    """

    def __init__(
        self, augmentation: Augmentation, train: Split, shape: tuple[int, ...], scaling: Scaling, stream: Stream
    ) -> None:
        self._augmentation, self._pool, self._stream = augmentation, train.pool, stream
        self._is_image = is_image(shape)
        self._shape = shape if len(shape) == 3 else (1, *shape)
        self._zero = None if self._is_image else scaling.centre
        self._unit = None if self._is_image or scaling.factor is None else np.float32(1) / scaling.factor
        self._range = _range(train) if self._is_image and augmentation.noise.present else None
        self.dtype = dtype_of(augmentation, train.pool.values.dtype, shape)

    def fill(self, into: Values, rows: Rows, epoch: int) -> None:
        """Write the inputs of an epoch's examples, `rows` (example,) of the pool in the epoch's order, to `into`
        (example, feature) of type `dtype`: bytes as the pool has them, or float32 divided by its divisor."""
        own, count = self._augmentation, len(rows)
        flipped = self._draws(_Drawn.FLIP, epoch).bits(count) >> np.uint64(63) == 1 if own.flip != "none" else None
        moves = self._draws(_Drawn.SHIFT, epoch).integers(2 * own.shift + 1, 2 * count).reshape(count, 2)
        noise, zeroed = self._draws(_Drawn.NOISE, epoch), self._draws(_Drawn.ZEROED, epoch)
        # whole words of draws for every block but the last
        at_once = max(4, _BLOCK_VALUES // into.shape[1] // 4 * 4)
        for start in range(0, count, at_once):
            part = slice(start, start + at_once)
            values = self._pool.values[rows[part]]
            if flipped is not None:
                images = values.reshape(-1, *self._shape)
                images[flipped[part]] = images[flipped[part]][..., ::-1]
            if own.shift:
                values = _moved(values.reshape(-1, *self._shape), moves[part], own.shift).reshape(values.shape)
            if values.dtype != self.dtype:
                values = np.divide(values, np.float32(self._pool.divisor), dtype=np.float32)
            if own.noise.present:
                self._add_noise(values, noise)
            if own.zeroed:
                self._zero_some(values, zeroed)
            into[part] = values
        if own.mixup:
            self._mix(into, epoch)

    def pairs(self, count: int, epoch: int) -> tuple[npt.NDArray[np.int64], Features]:
        """The place (example,) in an epoch's order of the example that each one is mixed with, and the share (example,)
        that stays its own."""
        partners = self._draws(_Drawn.PARTNERS, epoch).permutation(count)
        own = self._augmentation.mixup
        return partners, self._draws(_Drawn.SHARES, epoch).beta(own, own, count).astype(np.float32)

    def _mix(self, values: Features, epoch: int) -> None:
        partners, shares = self.pairs(len(values), epoch)
        others = values[partners]
        others *= (np.float32(1) - shares)[:, None]
        values *= shares[:, None]
        values += others

    def _add_noise(self, values: Features, noise: Draws) -> None:
        own = self._augmentation.noise
        added = _noise_table(own.gaussian, own.uniform)[_sixteen_bits(noise, *values.shape)]
        if self._unit is not None:
            added *= self._unit
        values += added
        if self._range is not None:
            np.clip(values, *self._range, out=values)

    def _zero_some(self, values: Values, zeroed: Draws) -> None:
        drawn, below = _sixteen_bits(zeroed, *values.shape), round(self._augmentation.zeroed * _LEVELS)
        if values.dtype == np.uint8:
            values *= drawn >= below  # ten times as fast as choosing
        else:
            np.copyto(values, 0 if self._zero is None else self._zero, where=drawn < below)

    def _draws(self, what: _Drawn, epoch: int) -> Draws:
        return draws(self._stream, "augmentation", epoch, int(what))


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether an example of this shape is an image: (height, width) or (channel, height, width)."""
    return len(shape) in (2, 3)


def dtype_of(augmentation: Augmentation, values: np.dtype[Any], shape: tuple[int, ...]) -> np.dtype[Any]:
    """The type of the inputs that are made of `values`: float32 where they are no longer whole."""
    exact = not augmentation.noise.present and not augmentation.mixup
    whole = exact and (is_image(shape) or not augmentation.zeroed)
    return values if whole else np.dtype(np.float32)


def _moved(images: Values, moves: npt.NDArray[np.int64], shift: int) -> Values:
    """`images` (example, channel, height, width), each moved down and to the right by `moves` (example, 2) - `shift`.

    Each image lies in a frame of zeros, `shift` wide, and its new pixels are a window of that frame: moved by 0, the
    window begins at (`shift`, `shift`), and moved down by 1, at (`shift` - 1, `shift`).
    """
    count, channels, height, width = images.shape
    framed = np.zeros((count, channels, height + 2 * shift, width + 2 * shift), images.dtype)
    framed[..., shift : shift + height, shift : shift + width] = images
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(2, 3))
    down, right = (2 * shift - moves).T
    return windows[np.arange(count), :, down, right]


def _sixteen_bits(random: Draws, *shape: int) -> npt.NDArray[np.uint16]:
    """Whole numbers from 0 to 2**16 - 1, four from each word of 64 bits, the lowest bits first."""
    count = int(np.prod(shape))
    words = random.bits(-(-count // 4)).astype("<u8", copy=False)
    return words.view("<u2")[:count].reshape(shape)


@lru_cache(maxsize=16)
def _noise_table(gaussian: float, uniform: float) -> Features:
    """The noise that each draw of 16 bits stands for, in order: the middles of 2**16 equally likely parts of the
    distribution. The largest normal number is 4.3, and their standard deviation is 1 within 1e-4."""
    middles = (np.arange(_LEVELS) + 0.5) / _LEVELS
    numbers = gaussian * normal_quantile(middles) if gaussian else uniform * (2 * middles - 1)
    table = numbers.astype(np.float32)
    table.setflags(write=False)
    return table


def _range(train: Split) -> tuple[float, float] | None:
    """The range of an image's features: that of bytes, or [0, 1] where all training images lie in it; else None."""
    if train.pool.values.dtype == np.uint8:
        return 0.0, 255.0 / train.pool.divisor
    at_once = max(1, _BLOCK_VALUES // train.pool.values.shape[1])
    blocks = (train.pool.values[train.rows[i : i + at_once]] for i in range(0, len(train), at_once))
    within = all(block.min() >= 0 and block.max() <= 1 for block in blocks)
    return (0.0, 1.0) if within else None
