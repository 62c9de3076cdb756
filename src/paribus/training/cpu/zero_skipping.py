"""Examples that are zero in many features, and the steps of a matmul that can be skipped because of it.

In `x @ w` a step k adds `x[row, k] * w[k, column]` to every sum of a tile. If `x[row, k]` is zero for all rows of the
tile, the step adds zeros, which changes no finite sum: it can be skipped, and no bit differs. Two groupings make
all-zero steps frequent:

- forward, `x @ w`: a tile has rows of the batch, and a step is a feature. Rows that are zero in the same features are
  put into one tile (see `similarity_rank`).
- weight gradient, `x.T @ g`: a tile has neighbouring features, and a step is an example of the batch. Neighbouring
  features, such as pixels of an image's margin, are zero together anyway.

Example, with tiles of 2 rows and x = [[0, 3, 0, 1], [0, 2, 0, 0]]: the tile's forward steps are the features 1 and 3.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from paribus.training.cpu.compiling import compiled, llvm_intrinsic
from paribus.training.cpu.matmul import INNER_BLOCK
from paribus.training.cpu.sparse_matmul import SKIP_ROWS

MIN_ZERO_SHARE: Final = 0.3
"""The share of zeros from which skipping pays. With this share, layers of 32 units took 4 % less time and of 128 units
16 %; with half of the features zero, a sixth and more than a quarter."""
SAMPLE_EXAMPLES: Final = 128
"""Examples whose principal components are computed."""
COMPONENTS: Final = 3
"""Principal components by which examples are compared."""
Z_ORDER_BITS: Final = 10
"""Bits of each coordinate on the curve along which examples are ordered."""
RANK_BITS: Final = 32
"""Bits of a similarity rank: ranks are fractions of 2**32."""
STEPS_PER_BYTE: Final = 8
"""Steps that one byte of a bitmap describes, a bit each; step numbers are written 8 at a time."""
_EVERY_BYTE: Final = 0x0101010101010101
"""Times n, it is n in each of 8 bytes."""

_bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
_BIT_COUNTS: Final = _bits.sum(1, dtype=np.int64)
"""How many bits of a byte are set, (byte value,). Example: 2 for 0b00010010."""
_BIT_NUMBERS: Final = np.argsort(1 - _bits, axis=1, kind="stable").astype(np.uint8).view(np.int64)[:, 0].copy()
"""Which bits are set, lowest first, one per byte of an int64, (byte value,). For 0b00010010: 1, 4, then the others."""


class ZeroPattern(NamedTuple):
    """Where examples (example, feature) are nonzero.

    `rank` (example,) is from `similarity_rank`, `feature_bits` (example, byte) from `nonzero_bits`, and
    `feature_groups` (example, group) from `nonzero_groups`.
    """

    rank: npt.NDArray[np.int64]
    feature_bits: npt.NDArray[np.uint8]
    feature_groups: npt.NDArray[np.uint8]


NO_PATTERN: Final = ZeroPattern(np.zeros(0, np.int64), np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))
"""For calls without skipping: of the right types, and empty."""


def zero_pattern(examples: npt.NDArray[Any]) -> ZeroPattern | None:
    """Where `examples` (example, feature) are nonzero; None where skipping would not pay."""
    rank = similarity_rank(examples)
    if rank is None:
        return None
    return ZeroPattern(rank, nonzero_bits(examples), nonzero_groups(examples))


def nonzero_bits(examples: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A bitmap (..., byte) of where `examples` (..., feature) are nonzero: feature f is bit f % 8 of byte f // 8."""
    return np.packbits(examples != 0, axis=-1, bitorder="little")


def similarity_rank(examples: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """A rank (example,) by which `examples` (example, feature) with zeros in the same features are neighbours.

    The i-th of n examples in that order has the rank i * 2**32 // n. None where skipping would not pay: fewer zeros
    than `MIN_ZERO_SHARE`, or too few examples.

    The masks `examples != 0` are projected on the first principal components of a sample of them, and ordered along a
    Z-order curve through these points, on which near points are mostly neighbours.
    """
    sample = (examples[:: -(-len(examples) // SAMPLE_EXAMPLES)] != 0).astype(np.float32)
    if len(sample) < 2 * COMPONENTS or 1 - sample.mean() < MIN_ZERO_SHARE:
        return None
    centred = sample - sample.mean(0)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    axes = centred.T @ vectors[:, -COMPONENTS:]
    chunks = np.array_split(examples, -(-len(examples) // 1000))
    projected = np.concatenate([(chunk != 0).astype(np.float32) @ axes for chunk in chunks])
    rank = np.empty(len(examples), np.int64)
    rank[np.argsort(_z_order(projected), kind="stable")] = (np.arange(len(examples)) << RANK_BITS) // len(examples)
    return rank


def _z_order(points: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The places (point,) of `points` (point, axis) on a Z-order curve (Morton 1966).

    Along each axis, a point's rank among all gets `Z_ORDER_BITS` bits, and the bits of all axes take turns. Example for
    two axes and two bits: the ranks 0b10 and 0b01 give the place 0b0110.
    """
    ranks = np.argsort(np.argsort(points, axis=0), axis=0) * (1 << Z_ORDER_BITS) // len(points)
    places, axes = np.zeros(len(points), np.int64), points.shape[1]
    for bit in range(Z_ORDER_BITS):
        for axis in range(axes):
            places |= ((ranks[:, axis] >> bit) & 1) << (bit * axes + axis)
    return places


def nonzero_groups(examples: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Where groups of `SKIP_ROWS` neighbouring features are not all zero, (example, group): 255, or else 0."""
    nonzero = examples != 0
    groups = np.zeros((len(examples), -(-examples.shape[1] // SKIP_ROWS)), bool)
    for first in range(SKIP_ROWS):  # whole columns at a time, which is faster than groups of few features
        some = nonzero[:, first::SKIP_ROWS]
        groups[:, : some.shape[1]] |= some
    return -groups.astype(np.uint8)


def step_lists(rows: int, steps: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Buffers for one list of step numbers per tile: (numbers (tile, step), counts (tile, block)).

    Each block of `INNER_BLOCK` = 256 steps has a list of its own, which counts from the block's first step, so that a
    number fits a byte. The list of block i begins at column 256 * i. Example: a tile with the steps 3, 200, 300 has
    3 and 200 in columns 0 and 1, 44 in column 256, and the counts 2 and 1. A row has `STEPS_PER_BYTE` spare columns,
    because numbers are written 8 at a time.
    """
    tiles = -(-rows // SKIP_ROWS)
    return np.zeros((tiles, steps + STEPS_PER_BYTE), np.uint8), np.zeros((tiles, -(-steps // INNER_BLOCK)), np.int64)


class NonzeroSteps(NamedTuple):
    """The steps of one batch that are not skipped, as compiled code takes them.

    `enabled` says whether steps are skipped at all. `row_order` (row,) is the batch's rows by similarity; row i of the
    forward tile t is `row_order[t * SKIP_ROWS + i]`. `features` and `feature_counts` list the features of each forward
    tile, `examples` and `example_counts` the rows of the batch of each tile of a weight gradient, as `step_lists` says.
    """

    enabled: Any
    row_order: Any
    features: Any
    feature_counts: Any
    examples: Any
    example_counts: Any


def nonzero_steps(pattern: ZeroPattern | None, rows: int, features: int) -> NonzeroSteps:
    """Buffers for the steps of one batch, to be filled by `find_nonzero_steps`; empty without a `pattern`."""
    enabled = pattern is not None
    row_order = np.zeros(rows, np.int64)
    return NonzeroSteps(
        enabled, row_order, *step_lists(rows * enabled, features), *step_lists(features * enabled, rows)
    )


@compiled
def find_nonzero_steps(pattern: Any, order: Any, steps: Any) -> None:
    """Fill `steps`, a `NonzeroSteps`, for the batch `order` (row,) of the examples that `pattern` describes."""
    find_nonzero_features(
        pattern.feature_bits, order, pattern.rank, steps.row_order, steps.features, steps.feature_counts
    )
    find_nonzero_examples(pattern.feature_groups, order, steps.examples, steps.example_counts)


@compiled
def find_nonzero_features(feature_bits: Any, order: Any, rank: Any, row_order: Any, numbers: Any, counts: Any) -> None:
    """Order the rows of the batch `order` (row,) by `rank` into `row_order`, and list each tile's nonzero features.

    A feature is listed if it is nonzero in any row of the tile: the bitmaps of the rows are combined by OR.
    """
    rows, size = len(order), feature_bits.shape[1]
    _order_by_rank(rank, order, row_order)
    bitmap = np.empty(size, np.uint8)
    for tile in range((rows + SKIP_ROWS - 1) // SKIP_ROWS):
        bitmap[:] = 0
        for row in range(tile * SKIP_ROWS, min(rows, tile * SKIP_ROWS + SKIP_ROWS)):
            bitmap |= feature_bits[order[row_order[row]]]
        _list_set_bits(bitmap, numbers[tile], counts[tile])


@compiled
def _order_by_rank(rank: Any, order: Any, row_order: Any) -> None:
    """Sort the rows of a batch approximately by the ranks of their examples, in linear time.

    It is a counting sort with as many buckets as rows: bucket b takes the ranks from b / rows to (b + 1) / rows of all.
    Rows of one bucket keep their order.
    """
    rows = len(order)
    buckets = np.empty(rows, np.int64)
    positions = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        buckets[row] = rank[order[row]] * rows >> RANK_BITS
        positions[buckets[row] + 1] += 1
    for bucket in range(rows):
        positions[bucket + 1] += positions[bucket]
    for row in range(rows):
        row_order[positions[buckets[row]]] = row
        positions[buckets[row]] += 1


@compiled
def find_nonzero_examples(feature_groups: Any, order: Any, numbers: Any, counts: Any) -> None:
    """List the rows of the batch `order` (row,) that are nonzero in each group of features.

    `feature_groups` (example, group) is 255 or 0, so that AND with a row's bit gives this bit or 0.
    """
    rows, groups = len(order), feature_groups.shape[1]
    bitmaps = np.zeros(((rows + STEPS_PER_BYTE - 1) // STEPS_PER_BYTE, groups), np.uint8)
    for row in range(rows):
        nonzero, bitmap = feature_groups[order[row]], bitmaps[row // STEPS_PER_BYTE]
        bit = np.uint8(1 << row % STEPS_PER_BYTE)
        for group in range(groups):
            bitmap[group] |= nonzero[group] & bit
    for group in range(groups):
        _list_set_bits(bitmaps[:, group], numbers[group], counts[group])


@compiled
def _list_set_bits(bitmap: Any, numbers: Any, counts: Any) -> None:
    """List the bits that are set in `bitmap` (byte,) as step numbers, in the layout of `step_lists`.

    There is no branch per bit: a table gives the set bits of a byte as 8 numbers, all 8 are written, and the next
    byte's are written right after the valid ones. What lies behind a list's end is never read.
    """
    for block in range(len(counts)):
        begin, count = block * INNER_BLOCK // STEPS_PER_BYTE, 0
        for byte in range(begin, min(len(bitmap), begin + INNER_BLOCK // STEPS_PER_BYTE)):
            at = numbers.ctypes.data + block * INNER_BLOCK + count
            _store_eight((at, _BIT_NUMBERS[bitmap[byte]] + (byte - begin) * STEPS_PER_BYTE * _EVERY_BYTE))
            count += _BIT_COUNTS[bitmap[byte]]
        counts[block] = count


def _emit_store_eight(builder: Any, address: Any, numbers: Any) -> None:
    builder.store(numbers, builder.inttoptr(address, ir.IntType(64).as_pointer())).align = 1


_store_eight = llvm_intrinsic(2, _emit_store_eight)
