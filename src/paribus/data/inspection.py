"""What can be found out about examples before training: by counting, and by comparing contents."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.data.imputation import missing_counts
from paribus.data.pool import Pool, Scaling, Split
from paribus.spec.inspection import MAX_LISTED, EqualRows, Inspection, Overlap, SplitName

Hashes = npt.NDArray[np.uint64]
Doubles = npt.NDArray[np.float64]
_BLOCK_VALUES = 1 << 20
_BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Inspected:
    """What is looked at: the splits as they were found, with missing values, and the training split as it is used.

    `test` is None where there is none, or where it is not read before the test set is opened. `pools` are those of the
    source that have been read.
    """

    train: Split
    validation: Split | None
    test: Split | None
    used: Split
    scaling: Scaling
    classes: int
    pools: Sequence[Pool]


def inspected(what: Inspected) -> Inspection:
    """The facts about one replicate's examples."""
    splits: dict[SplitName, Split] = {"train": what.train}
    if what.validation is not None:
        splits["validation"] = what.validation
    if what.test is not None:
        splits["test"] = what.test
    hashes: dict[SplitName, Hashes] = {name: content_hashes(split.pool)[split.rows] for name, split in splits.items()}
    conflicting, conflicts = _conflicts(splits, hashes)
    counts = {name: _class_counts(split, what.classes) for name, split in splits.items()}
    columns = _columns(what.used, what.scaling) if len(what.used.pool.shape) == 1 else _Columns()
    missing = np.sum([missing_counts(pool) for pool in what.pools], axis=0)
    most = [int(feature) for feature in np.argsort(-missing, kind="stable")[:MAX_LISTED] if missing[feature]]
    return Inspection(
        train_counts=counts["train"],
        validation_counts=counts.get("validation", ()),
        test_counts=counts.get("test", ()),
        overlaps=tuple(_overlaps(splits, hashes)),
        conflicting=conflicting,
        conflicts=conflicts,
        constant_features=len(columns.constant),
        constant=columns.constant[:MAX_LISTED],
        scale_ratio=columns.scale_ratio,
        narrow=columns.narrow,
        wide=columns.wide,
        largest_input=columns.largest_input,
        largest_feature=columns.largest_feature,
        missing_values=int(missing.sum()),
        missing_features=int((missing > 0).sum()),
        missing=tuple((feature, int(missing[feature])) for feature in most),
        zeros_and_ones=zeros_and_ones(what.used.pool),
        test_seen=what.test is not None,
    )


@functools.lru_cache(maxsize=16)
def zeros_and_ones(pool: Pool) -> bool:
    """Whether a pool has bytes that look like features already, and are divided by 255 all the same."""
    return pool.divisor != 1 and bool(pool.values.max() == 1)


def _class_counts(split: Split, classes: int) -> tuple[int, ...]:
    if split.true_labels is None:
        return ()
    return tuple(np.bincount(split.true_labels, minlength=classes).tolist())


# Equal contents


@functools.lru_cache(maxsize=16)
def content_hashes(pool: Pool) -> Hashes:
    """A hash of 64 bits (example,) of each example's features: equal for equal ones, -0 and 0 among them.

    Each word of eight bytes is mixed with a number of its place (the finaliser of SplitMix64, Steele et al. 2014), and
    a row's hash is the sum of its mixed words. Of a million different rows, two have one hash with a probability of
    3e-8. NaN, a missing value, equals NaN.
    """
    examples, features = pool.values.shape
    width = -(-features * pool.values.itemsize // 8)
    places = _mixed(np.arange(1, width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    found = np.empty(examples, np.uint64)
    rows = max(1, _BLOCK_VALUES // max(width, 1))
    for start in range(0, examples, rows):
        block = pool.values[start : start + rows]
        if block.dtype.kind == "f":
            block = np.where(np.isnan(block), np.float32(np.nan), block + np.float32(0))  # -0 + 0 is 0
        padded = np.zeros((len(block), width * 8), np.uint8)
        content = np.ascontiguousarray(block).view(np.uint8).reshape(len(block), -1)
        padded[:, : content.shape[1]] = content
        found[start : start + rows] = _mixed(padded.view(np.uint64) ^ places).sum(axis=1, dtype=np.uint64)
    return found


def _mixed(words: Hashes) -> Hashes:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _overlaps(splits: Mapping[SplitName, Split], hashes: Mapping[SplitName, Hashes]) -> Iterator[Overlap]:
    """For each two splits, the examples of the later one that stand in the earlier one, too."""
    pairs: Iterator[tuple[SplitName, SplitName]] = itertools.combinations(splits, 2)
    for first, second in pairs:
        known, places = np.unique(hashes[first], return_index=True)
        at = np.minimum(np.searchsorted(known, hashes[second]), len(known) - 1)
        equal = np.flatnonzero(known[at] == hashes[second])
        if len(equal):
            shown = tuple(
                _pair(splits, first, int(places[at[position]]), second, int(position))
                for position in equal[:MAX_LISTED]
            )
            yield Overlap(first, second, len(equal), shown)


def _conflicts(
    splits: Mapping[SplitName, Split], hashes: Mapping[SplitName, Hashes]
) -> tuple[int, tuple[EqualRows, ...]]:
    """How many examples have the features of an example of another class, and the first few such pairs."""
    labels = [split.true_labels for split in splits.values() if split.true_labels is not None]
    if len(labels) < len(splits):
        return 0, ()
    all_labels, all_hashes = np.concatenate(labels), np.concatenate(list(hashes.values()))
    _, group = np.unique(all_hashes, return_inverse=True)
    first_of_group = np.empty(group.max() + 1, np.int64)
    first_of_group[group[::-1]] = np.arange(len(group))[::-1]
    differs = all_labels != all_labels[first_of_group[group]]
    mixed = np.zeros(len(first_of_group), bool)
    mixed[group[differs]] = True
    names = list(splits)
    lengths = np.array([len(split) for split in splits.values()])
    begins = np.cumsum(lengths) - lengths

    def found_in(place: int) -> tuple[SplitName, int]:
        split = int(np.searchsorted(begins, place, side="right")) - 1
        return names[split], place - int(begins[split])

    shown = tuple(
        _pair(splits, *found_in(int(first_of_group[group[place]])), *found_in(int(place)))
        for place in np.flatnonzero(differs)[:MAX_LISTED]
    )
    return int(mixed[group].sum()), shown


def _pair(
    splits: Mapping[SplitName, Split], first: SplitName, first_position: int, second: SplitName, second_position: int
) -> EqualRows:
    return EqualRows(
        first,
        int(splits[first].source_rows[first_position]),
        second,
        int(splits[second].source_rows[second_position]),
    )


# Columns of a table


@dataclass(frozen=True)
class _Columns:
    constant: tuple[int, ...] = ()
    scale_ratio: float | None = None
    narrow: int = 0
    wide: int = 0
    largest_input: float | None = None
    largest_feature: int = 0


def _columns(train: Split, scaling: Scaling) -> _Columns:
    """Of the features of a table, as a network sees them in training."""
    first = train.take(slice(1)).inputs[0].astype(np.float64)
    low, high = np.full_like(first, np.inf), np.full_like(first, -np.inf)
    binary = np.ones(len(first), bool)
    total, squares, buffer = np.zeros_like(first), np.zeros_like(first), np.empty((_BLOCK_ROWS, len(first)))
    for start in range(0, len(train), _BLOCK_ROWS):
        values = train.take(slice(start, start + _BLOCK_ROWS)).inputs
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        if binary.any():
            some = values[:, binary]
            binary[binary] = ((some == 0) | (some == 1)).all(axis=0)
        shifted = np.subtract(values, first, out=buffer[: len(values)])
        total += shifted.sum(axis=0)
        squares += np.square(shifted, out=shifted).sum(axis=0)
    centre = np.zeros_like(first) if scaling.centre is None else scaling.centre.astype(np.float64)
    factor = np.ones_like(first) if scaling.factor is None else scaling.factor.astype(np.float64)
    variance = np.maximum(squares / len(train) - np.square(total / len(train)), 0)
    deviation = np.sqrt(variance) * factor
    largest = np.maximum(np.abs(low - centre), np.abs(high - centre)) * factor
    constant = low == high
    judged = np.flatnonzero(~constant & ~binary & (deviation > 0))
    found = tuple(np.flatnonzero(constant).tolist())
    if not len(judged):
        return _Columns(found)
    narrow, wide = int(judged[np.argmin(deviation[judged])]), int(judged[np.argmax(deviation[judged])])
    at = int(judged[np.argmax(largest[judged])])
    return _Columns(found, float(deviation[wide] / deviation[narrow]), narrow, wide, float(largest[at]), at)
