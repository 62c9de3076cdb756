"""Images that are zero for a good part, and the steps of a product that may be left out for it.

A product with zero adds nothing to a finite sum. Where the rows of a tile are all zero, the step is left out, and no
bit of the sum is another. Images that are zero in the same places are put into one tile, so that there is more to leave
out; neighbouring pixels are so anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from paribus.training.compiling import compiled
from paribus.training.tiles import DEPTH, FEW

WORTH: Final = 0.4
"""The share of zeros from which it pays to leave steps out: with fewer, wide first layers took as long as before."""
SAMPLE: Final = 300
"""Images that tell in what images differ most."""
COMPONENTS: Final = 3
"""Principal components by which they are compared."""


@dataclass(frozen=True)
class Zeros:
    """Of images (image, pixel): `place` (image,) as `like_by_like` says, and `lit` (image, group): 1 where one of `FEW`
    pixels is not zero."""

    place: npt.NDArray[np.int64]
    lit: npt.NDArray[np.uint8]


def zeros_of(images: npt.NDArray[Any]) -> Zeros | None:
    """None where too little is zero."""
    place = like_by_like(images)
    if place is None:
        return None
    groups = np.arange(0, images.shape[1], FEW)
    return Zeros(place, np.logical_or.reduceat(images != 0, groups, axis=1).astype(np.uint8))


def like_by_like(images: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """Each image's place (image,) in an order in which neighbours are zero in the same pixels; None as `zeros_of`.

    They are compared in what most of a sample's differences lie in, its principal components, by a k-d tree.
    """
    some = (images[:: -(-len(images) // SAMPLE)] != 0).astype(np.float32)
    if len(some) < 2 * COMPONENTS or 1 - some.mean() < WORTH:
        return None
    centred = some - some.mean(0)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    axes = centred.T @ vectors[:, -COMPONENTS:]
    parts = np.array_split(images, -(-len(images) // 1000))
    seen = np.concatenate([(part != 0).astype(np.float32) @ axes for part in parts])
    place = np.empty(len(images), np.int64)
    place[KDTree(seen, leafsize=FEW).indices] = np.arange(len(images))
    return place


def chosen(rows: int, inner: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Room for the steps that are not left out for groups of rows: their numbers, and how many there are.

    (group, step) and (group, part): each `DEPTH` steps along the inner side are numbered anew, from their own place on.
    """
    groups = -(-rows // FEW)
    return np.zeros((groups, inner), np.uint8), np.zeros((groups, -(-inner // DEPTH)), np.int64)


class Choice(NamedTuple):
    """What is chosen of a batch, as compiled code takes it.

    Whether steps are left out at all; its rows (row,), like by like; and, as `chosen` says, the pixels left to groups
    of these, and the rows left to groups of pixels, for a weight's gradient.
    """

    known: Any
    rows_of: Any
    pixels: Any
    pixel_counts: Any
    rows: Any
    row_counts: Any


def choice(of: Zeros | None, rows: int, pixels: int) -> Choice:
    """Room for the choice of one batch."""
    known = of is not None
    return Choice(known, np.zeros(rows, np.int64), *chosen(rows * known, pixels), *chosen(pixels * known, rows))


@compiled
def choose_pixels(images: Any, order: Any, place: Any, rows_of: Any, which: Any, counts: Any) -> None:
    """The rows of a batch that `order` (row,) takes from `images`, like by like in `rows_of` (row,), and the pixels in
    which each group of them is not zero."""
    rows, pixels = len(order), images.shape[1]
    rows_of[:rows] = np.argsort(place[order])
    lit = np.empty(pixels, np.uint8)
    for group in range((rows + FEW - 1) // FEW):
        lit[:] = 0
        for row in range(group * FEW, min(rows, group * FEW + FEW)):
            image = images[order[rows_of[row]]]
            for pixel in range(pixels):
                lit[pixel] |= image[pixel] != 0
        for part in range(counts.shape[1]):
            begin = part * DEPTH
            at = begin
            for pixel in range(begin, min(begin + DEPTH, pixels)):
                which[group, at] = pixel - begin
                at += lit[pixel]
            counts[group, part] = at - begin


@compiled
def choose_rows(lit: Any, order: Any, which: Any, counts: Any) -> None:
    """The rows of a batch that are not zero in each group of pixels."""
    groups = lit.shape[1]
    counts[:] = 0
    for row in range(len(order)):
        own, part, number = lit[order[row]], row // DEPTH, np.uint8(row % DEPTH)
        for group in range(groups):
            at = counts[group, part]
            which[group, part * DEPTH + at] = number
            counts[group, part] = at + own[group]
