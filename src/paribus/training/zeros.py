"""Images that are zero for a good part, and the steps of a product that may be left out for it.

A product with zero adds nothing to a finite sum. Where the rows of a tile are all zero, the step is left out, and no
bit of the sum is another. Images that are zero in the same places are put into one tile, so that there is more to leave
out; neighbouring pixels are so anyway.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from scipy.spatial import KDTree

from paribus.training.compiling import compiled, written
from paribus.training.tiles import DEPTH, FEW

WORTH: Final = 0.3
"""The share of zeros from which it pays to leave steps out: with so few, layers of 32 units took 4 % less time and of
128 units 16 %; with half of the pixels, a sixth and more than a quarter."""
SAMPLE: Final = 300
"""Images that tell in what images differ most."""
COMPONENTS: Final = 3
"""Principal components by which they are compared."""
WAY: Final = 32
"""How far through all images one has its place is told in parts of 2 to the power of so much."""
OCTET: Final = 8
"""Steps of which one byte tells, a bit each, whether they are left; so many numbers are written at a time."""
_EVERY: Final = 0x0101010101010101

_bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
_LEFT: Final = _bits.sum(1, dtype=np.int64)
"""How many of a byte's bits are set, (byte,)."""
_NUMBERS: Final = np.argsort(1 - _bits, axis=1, kind="stable").astype(np.uint8).view(np.int64)[:, 0].copy()
"""Which ones are, from the lowest on: (byte,), the numbers lying in 8 bytes."""


class Zeros(NamedTuple):
    """Of images (image, pixel): `place` (image,) as `like_by_like` says; `lit` (image, byte) as `lit_pixels` does; and
    `groups` (image, group) as `lit_groups` does."""

    place: npt.NDArray[np.int64]
    lit: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.uint8]


NOTHING_KNOWN: Final = Zeros(np.zeros(0, np.int64), np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))


def zeros_of(images: npt.NDArray[Any]) -> Zeros | None:
    """None where too little is zero."""
    place = like_by_like(images)
    if place is None:
        return None
    return Zeros(place, lit_pixels(images), lit_groups(images))


def lit_pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Where images (..., pixel) are not zero: (..., byte), a bit a pixel, the lowest first."""
    return np.packbits(images != 0, axis=-1, bitorder="little")


def like_by_like(images: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """Each image's place (image,) of 2**`WAY`, neighbours being zero in the same pixels; None as `zeros_of`.

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
    place[KDTree(seen, leafsize=FEW).indices] = (np.arange(len(images)) << WAY) // len(images)
    return place


def lit_groups(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Where `FEW` pixels of images (image, pixel) are not all zero: (image, group), all bits set or none."""
    lit = np.logical_or.reduceat(images != 0, np.arange(0, images.shape[1], FEW), axis=1)
    return -lit.astype(np.uint8)


def chosen(rows: int, inner: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Room for the steps that are not left out for groups of rows: their numbers, and how many there are.

    (group, step) and (group, part): each `DEPTH` steps along the inner side are numbered anew, from their own place on.
    Behind the last ones is room to write in.
    """
    groups = -(-rows // FEW)
    return np.zeros((groups, inner + OCTET), np.uint8), np.zeros((groups, -(-inner // DEPTH)), np.int64)


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
def choose(zeros: Any, order: Any, into: Any) -> None:
    """The `Choice` of the batch that `order` (row,) takes from images of which `zeros` are known."""
    choose_pixels(zeros.lit, order, zeros.place, into.rows_of, into.pixels, into.pixel_counts)
    choose_rows(zeros.groups, order, into.rows, into.row_counts)


@compiled
def choose_pixels(lit: Any, order: Any, place: Any, rows_of: Any, which: Any, counts: Any) -> None:
    """The rows of a batch that `order` (row,) takes from images, like by like in `rows_of` (row,), and the pixels in
    which each group of them is not zero, by `lit` (image, byte)."""
    rows, octets = len(order), lit.shape[1]
    _sort(place, order, rows_of)
    own = np.empty(octets, np.uint8)
    for group in range((rows + FEW - 1) // FEW):
        own[:] = 0
        for row in range(group * FEW, min(rows, group * FEW + FEW)):
            own |= lit[order[rows_of[row]]]
        _choose(own, which[group], counts[group])


@compiled
def _sort(place: Any, order: Any, rows_of: Any) -> None:
    """The rows of a batch by their images' places, near enough: into as many shelves as there are rows."""
    rows = len(order)
    shelves = np.empty(rows, np.int64)
    begins = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        shelves[row] = place[order[row]] * rows >> WAY
        begins[shelves[row] + 1] += 1
    for shelf in range(rows):
        begins[shelf + 1] += begins[shelf]
    for row in range(rows):
        rows_of[begins[shelves[row]]] = row
        begins[shelves[row]] += 1


@compiled
def choose_rows(groups: Any, order: Any, which: Any, counts: Any) -> None:
    """The rows of a batch that are not zero in each group of pixels, by `groups` (image, group)."""
    rows, count = len(order), groups.shape[1]
    own = np.zeros(((rows + OCTET - 1) // OCTET, count), np.uint8)
    for row in range(rows):
        image, into, bit = groups[order[row]], own[row // OCTET], np.uint8(1 << row % OCTET)
        for group in range(count):
            into[group] |= image[group] & bit
    for group in range(count):
        _choose(own[:, group], which[group], counts[group])


@compiled
def _choose(octets: Any, which: Any, counts: Any) -> None:
    """The numbers of the steps whose bits are set in `octets` (byte,), as `chosen` has them.

    What is written behind a part's last one is overwritten, or is not looked at.
    """
    for part in range(len(counts)):
        begin, count = part * DEPTH // OCTET, 0
        for octet in range(begin, min(len(octets), begin + DEPTH // OCTET)):
            at = which.ctypes.data + part * DEPTH + count
            _write_eight((at, _NUMBERS[octets[octet]] + (octet - begin) * OCTET * _EVERY))
            count += _LEFT[octets[octet]]
        counts[part] = count


def _write_octet(builder: Any, address: Any, numbers: Any) -> None:
    builder.store(numbers, builder.inttoptr(address, ir.IntType(64).as_pointer())).align = 1


_write_eight = written(2, _write_octet)
