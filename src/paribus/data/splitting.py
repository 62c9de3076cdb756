"""Which examples of an undivided source are for training, validation and test.

Every function works on the number of examples and, where it needs them, their labels or the values of one column. The
test split comes from the draws of replicate 0, so that it is the same in every replicate: no replicate trains on, or
selects by, what another one is tested on. Folds are the exception that a user asks for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels, Rows
from paribus.errors import Shown, UserError
from paribus.seeding import Draws, Stream, Streams, draws
from paribus.spec.split import Split

Values = npt.NDArray[Any]
"""(example,) values of one column: groups, times or split names, as numbers, text or dates."""
Counts = npt.NDArray[np.int64]


class Drawn(IntEnum):
    """What is drawn from the stream for splits. Each has draws of its own, so that a limit changes no split."""

    VALIDATION = 0
    TRAIN_LIMIT = 1
    VALIDATION_LIMIT = 2
    TEST_LIMIT = 3
    TEST = 4
    FOLDS = 5


def split_draws(streams: Streams, what: Drawn) -> Draws:
    """Draws for `what`. The test split, and the sample of it, are those of replicate 0 in all replicates."""
    same = what in (Drawn.TEST, Drawn.TEST_LIMIT)
    return draws(Stream(streams.split.seed, 0) if same else streams.split, "split", int(what))


@dataclass(frozen=True, eq=False)
class Assignment:
    """The rows of each split (example,), in the order of the source. No row is in two splits; some may be in none."""

    train: Rows
    validation: Rows
    test: Rows


def assigned(
    split: Split,
    examples: int,
    labels: Labels | None,
    values: Values | None,
    streams: Streams,
    classes: Sequence[str] = (),
) -> Assignment:
    """The splits that `split` asks for, by one of `SPLIT_KINDS`, of that many examples.

    `labels` (example,) are their classes, None where there are none; `values` (example,) are those of `split.column`;
    `classes` are the names of the classes, for messages.
    Raises UserError where a split would be empty or cannot be made of these examples.
    """
    if split.by == "time":
        return _by_time(split, times_of(split, values))
    if split.by == "folds":
        return _folds(split, examples, labels, values, streams, classes)
    n_validation, n_test = _sizes(split, examples)
    picking = _picking(split, labels, values, classes)
    everything = np.arange(examples, dtype=np.int64)
    test = picking.picked(everything, n_test, split_draws(streams, Drawn.TEST), splits_left=1 + bool(n_validation))
    return _with_validation(picking, n_validation, test, examples, streams)


def _with_validation(picking: _Picking, n_validation: int, test: Rows, examples: int, streams: Streams) -> Assignment:
    """Validation is drawn from what the test split leaves, and the others are for training."""
    rest = _others(examples, test)
    validation = picking.picked(rest, n_validation, split_draws(streams, Drawn.VALIDATION), splits_left=1)
    return Assignment(_others(examples, np.concatenate([test, validation])), validation, test)


def _others(examples: int, rows: Rows) -> Rows:
    kept = np.ones(examples, bool)
    kept[rows] = False
    return np.flatnonzero(kept)


def _wanted(share: float, examples: int) -> int:
    """`share` of `examples`, rounded to the nearest whole number; a half is rounded up. 0.1 is a tenth exactly."""
    return math.floor(Fraction(str(share)) * examples + Fraction(1, 2))


def _sizes(split: Split, examples: int, n_test: int | None = None) -> tuple[int, int]:
    """How many examples are for validation and for test, where `n_test` does not say it already."""
    sizes = _wanted(split.validation, examples), _wanted(split.test, examples) if n_test is None else n_test
    for key, share, size in (("validation", split.validation, sizes[0]), ("test", split.test, sizes[1])):
        if share and not size:
            raise UserError("must hold out at least one example", given=share, place=f"data.split.{key}",
                            remedy=f"choose a larger share of {examples} examples")  # fmt: skip
    if sum(sizes) >= examples:
        key = "validation" if split.validation else "test"
        raise UserError("must leave at least one example for training", given=getattr(split, key),
                        place=f"data.split.{key}", remedy=f"choose a smaller share of {examples} examples")  # fmt: skip
    return sizes


class _Picking(Protocol):
    """A way to draw some of the rows that are left."""

    def picked(self, rows: Rows, wanted: int, random: Draws, *, splits_left: int) -> Rows:
        """About `wanted` of `rows`, sorted, none if that is 0; `splits_left` splits must find examples in the rest."""
        ...


def _picking(split: Split, labels: Labels | None, values: Values | None, classes: Sequence[str]) -> _Picking:
    if split.by == "group" or (split.by == "folds" and split.column is not None):
        return _OfGroups(split, groups_of(split, values))
    if split.by == "stratified" and labels is None:
        raise UserError("needs classes, and these data have none", given=split.by, place="data.split.by",
                        remedy='use "random"')  # fmt: skip
    if labels is not None and (split.by == "stratified" or (split.by == "folds" and split.stratify)):
        return _OfClasses(split, labels, classes)
    return _AtRandom()


class _AtRandom:
    def picked(self, rows: Rows, wanted: int, random: Draws, *, splits_left: int) -> Rows:
        del splits_left  # sizes have been checked
        return rows[np.sort(random.permutation(len(rows))[:wanted])]


class _OfClasses:
    """Each class gives the same share of its examples, within one example."""

    def __init__(self, split: Split, labels: Labels, classes: Sequence[str]) -> None:
        self._labels, self._counts = labels, np.bincount(labels)
        least = 2 if split.by == "folds" else 1 + bool(split.validation) + bool(split.test)
        few = np.flatnonzero((self._counts > 0) & (self._counts < least))
        if len(few):
            has = "1 example" if self._counts[few[0]] == 1 else f"{self._counts[few[0]]} examples"
            name = classes[few[0]] if classes else f"number {few[0]}"
            raise UserError(
                f"needs at least {least} examples of each class, and class {name} has {has}",
                given=split.by,
                place="data.split.by",
                remedy="set data.split.stratify to false" if split.by == "folds" else 'use "random"',
            )

    def picked(self, rows: Rows, wanted: int, random: Draws, *, splits_left: int) -> Rows:
        labels = self._labels[rows]
        most = np.bincount(labels, minlength=len(self._counts)) - splits_left
        counts = _allocated(self._counts, wanted, most)
        order = random.permutation(len(rows))
        chosen = [order[labels[order] == label][:count] for label, count in enumerate(counts)]
        return rows[np.sort(np.concatenate(chosen))]


def _allocated(counts: Counts, total: int, most: Counts) -> Counts:
    """`total` divided among classes in proportion to their `counts`, by largest remainders: within one of it each.

    Only a class whose `most` is lower gets less. Of equal remainders the first class is served first.
    """
    most = np.maximum(most, 0)
    quotas = [Fraction(total * int(count), int(counts.sum())) for count in counts]
    given = np.minimum([math.floor(quota) for quota in quotas], most).astype(np.int64)
    while given.sum() < total and (given < most).any():
        open_classes = np.flatnonzero(given < most).tolist()
        given[max(open_classes, key=lambda c: (quotas[c] - int(given[c]), -c))] += 1
    return given


class _OfGroups:
    """Groups in random order are taken until they have as nearly the wanted examples as whole groups allow."""

    def __init__(self, split: Split, groups: Labels) -> None:
        self._split, self._groups = split, groups
        count, least = len(np.unique(groups)), 1 + bool(split.validation) + bool(split.test)
        if count < least:
            raise _too_few(split, "groups", count, least)

    def picked(self, rows: Rows, wanted: int, random: Draws, *, splits_left: int) -> Rows:
        if not wanted:
            return rows[:0]
        _, groups = np.unique(self._groups[rows], return_inverse=True)
        sizes = np.bincount(groups)
        if len(sizes) <= splits_left:
            raise _too_few(self._split, "groups outside the test split", len(sizes), splits_left + 1)
        order = random.permutation(len(sizes))
        sums = np.cumsum(sizes[order])[: len(sizes) - splits_left]
        taken = order[: int(np.argmin(np.abs(sums - wanted))) + 1]
        return rows[np.isin(groups, taken)]


def _by_time(split: Split, times: npt.NDArray[np.float64]) -> Assignment:
    """Training examples are the earliest and test examples the latest; examples of equal time are in one split.

    A split begins at the change of time that is nearest to its share.
    """
    n_validation, n_test = _sizes(split, len(times))
    parts = 1 + bool(n_validation) + bool(n_test)
    order = np.argsort(times, kind="stable")
    changes = np.flatnonzero(np.diff(times[order])) + 1  # the positions at which a later time begins
    if len(changes) + 1 < parts:
        raise _too_few(split, "different times", len(changes) + 1, parts)
    test_from = len(times)
    if n_test:
        test_from = _nearest(changes[parts - 2 :], test_from - n_test)
    validation_from = test_from
    if n_validation:
        validation_from = _nearest(changes[changes < test_from], test_from - n_validation)
    train, validation, test = np.split(order, [validation_from, test_from])
    return Assignment(np.sort(train), np.sort(validation), np.sort(test))


def _nearest(positions: Rows, wanted: int) -> int:
    return int(positions[np.argmin(np.abs(positions - wanted))])


def _folds(
    split: Split,
    examples: int,
    labels: Labels | None,
    values: Values | None,
    streams: Streams,
    classes: Sequence[str],
) -> Assignment:
    """Replicate r is tested on fold r mod K of round r // K: the test examples of a round's replicates are a partition.

    Each round draws its own folds. Those of classes are dealt out class by class, so that each fold has its share of
    every class within one example.
    """
    folds, replicate = split.folds or 2, streams.split.index
    if folds > examples:
        raise UserError(f"must be at most the number of examples, {examples}", given=folds, place="data.split.folds",
                        remedy="make it smaller")  # fmt: skip
    picking = _picking(split, labels, values, classes)
    random = draws(Stream(streams.split.seed, replicate // folds), "split", int(Drawn.FOLDS))
    if split.column is not None:
        fold_of = _folds_of_groups(split, groups_of(split, values), folds, random)
    else:
        order = random.permutation(examples)
        if labels is not None and split.stratify:
            order = order[np.argsort(labels[order], kind="stable")]
        fold_of = np.empty(examples, np.int64)
        fold_of[order] = np.arange(examples) % folds
    test = np.flatnonzero(fold_of == replicate % folds)
    n_validation, _ = _sizes(split, examples, len(test))
    return _with_validation(picking, n_validation, test, examples, streams)


def _folds_of_groups(split: Split, groups: Labels, folds: int, random: Draws) -> Labels:
    """The fold of each example: groups, the largest first and equal ones in random order, go to the smallest fold."""
    sizes = np.bincount(groups)
    if len(sizes) < folds:
        raise _too_few(split, "groups", len(sizes), folds)
    order = random.permutation(len(sizes))
    of_group, filled = np.empty(len(sizes), np.int64), np.zeros(folds, np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")].tolist():
        fold = int(np.argmin(filled))
        of_group[group] = fold
        filled[fold] += sizes[group]
    return of_group[groups]


# The values of a column


def groups_of(split: Split, values: Values | None) -> Labels:
    """The group of each example (example,) as a number from 0 on, in the sorted order of the values.

    Raises UserError where a value is missing.
    """
    known = _present(split, values, "a group")
    sortable = known if known.dtype.kind != "O" else np.array([str(value) for value in known.tolist()])
    _, groups = np.unique(sortable, return_inverse=True)
    return groups.astype(np.int64)


def times_of(split: Split, values: Values | None) -> npt.NDArray[np.float64]:
    """The time of each example (example,): numbers as they are, dates in seconds.

    Text is read as a number, or as a date of ISO 8601 (2026-11-25, 2026-11-25T08:30). Raises UserError for any other
    text, where a value is missing, and where some times have a time zone and others do not.
    """
    known = _present(split, values, "a time")
    if known.dtype.kind == "M":
        return known.astype("datetime64[us]").astype(np.int64) / 1e6
    if known.dtype.kind in "biuf":
        times = known.astype(np.float64)
    else:
        times = _parsed_times(split, [str(value).strip() for value in known.tolist()])
    if not np.isfinite(times).all():
        raise refused_value(split, "must have a finite time in every row", ~np.isfinite(times), known)
    return times


def _parsed_times(split: Split, texts: list[str]) -> npt.NDArray[np.float64]:
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        pass
    moments, shown = list[datetime](), np.array(texts)
    for row, text in enumerate(texts):
        here = np.arange(len(texts)) == row
        try:
            moments.append(datetime.fromisoformat(text))
        except ValueError:
            rule = "must have a number or a date such as 2026-11-25 in every row"
            raise refused_value(split, rule, here, shown) from None
        if (moments[row].tzinfo is None) != (moments[0].tzinfo is None):
            raise refused_value(split, "must have a time zone in all of its times or in none", here, shown)
    return np.array([(m if m.tzinfo else m.replace(tzinfo=UTC)).timestamp() for m in moments])


def _present(split: Split, values: Values | None, what: str) -> Values:
    if values is None:
        raise ValueError(f"the values of column {split.column} were not read")
    missing = is_missing(values)
    if missing.any():
        raise refused_value(split, f"must have {what} in every row", missing, values)
    return values


def is_missing(values: Values) -> npt.NDArray[np.bool_]:
    """Which values of a column are not there: NaN, None, or text of spaces only."""
    if values.dtype.kind in "fM":
        return np.isnan(values)
    if values.dtype.kind in "OU":
        return np.array([v is None or v != v or (isinstance(v, str) and not v.strip()) for v in values.tolist()], bool)
    return np.zeros(len(values), bool)


def refused_value(split: Split, rule: str, wrong: npt.NDArray[np.bool_], values: Values) -> UserError:
    """The refusal of the first of the `wrong` (example,) values of the column."""
    rows = np.flatnonzero(wrong)
    value = values[rows[0]]
    given = "nothing" if is_missing(values[rows[:1]])[0] else repr(value.item() if hasattr(value, "item") else value)
    more = f", and {len(rows) - 1} more like it" if len(rows) > 1 else ""
    return UserError(rule, given=Shown(f"{given} in row {rows[0]} of column {split.column} (rows count from 0){more}"),
                     place="data.split.column", remedy="correct the file, or name another column")  # fmt: skip


def _too_few(split: Split, what: str, there: int, needed: int) -> UserError:
    return UserError(f"must have at least {needed} {what}", given=Shown(f"{there} in column {split.column}"),
                     place="data.split.column", remedy="name another column, or ask for fewer splits")  # fmt: skip
