"""The splits of a source, before label noise and limits: its own, or those that a study asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from paribus.data.given_splits import by_column, by_index
from paribus.data.pool import Pool, Rows, Split, whole
from paribus.data.source import Parts, Source
from paribus.data.splitting import Assignment, Drawn, assigned, split_draws
from paribus.errors import UserError, nearest
from paribus.seeding import Draws, Streams
from paribus.spec.data import Data
from paribus.spec.split import SPLIT_KINDS


def is_assigned(data: Data) -> bool:
    """Whether the study, and not the source, says which examples are for training, validation and test."""
    split = data.split
    return split.by in SPLIT_KINDS or (split.by == "given" and (split.column or split.index) is not None)


def check_split(source: Source, data: Data) -> None:
    """Raises UserError where the source has no split of that name, and cannot be split in that way."""
    by, splits = data.split.by, source.splits
    if data.split.within is not None:
        check_split(source, _outer(data))
        return
    if by in splits or ("all" in splits and is_assigned(data)):
        return
    if "all" in splits and by == "given":
        remedy = "add column or index, which say what each example is for"
    elif is_assigned(data):
        remedy = f"use {' or '.join(splits)}: it has its own splits"
    else:
        names = [*splits, *(SPLIT_KINDS if "all" in splits else ())]
        remedy = f'use "{names[0]}"' if len(names) == 1 else nearest(by, names)
    raise UserError(f"must be a split of {source.name}", given=by, place="data.split.by", remedy=remedy)


def check_undivided(source: Source, parts: Parts, data: Data) -> None:
    """Raises UserError where a study splits a source that turned out to have splits of its own."""
    if is_assigned(data) and not parts.undivided:
        raise UserError(f"must be a split of {source.name}, which has its own", given=data.split.by,
                        place="data.split.by", remedy=nearest(data.split.by, source.splits))  # fmt: skip


def _outer(data: Data) -> Data:
    """The same data with the split that the folds are within."""
    within = data.split.within
    if within is None:
        raise ValueError("these folds are within no other split")
    return data.model_copy(update={"split": within.as_split()})


def folded_part(source: Source, data: Data, folder: Path, streams: Streams) -> Parts:
    """What the folds within another split divide, undivided: no test example of that split is in it.

    Of a split that the source has itself, the training examples, with those that it would draw for validation. Of any
    other, the examples for training and for validation, the same in every replicate.
    """
    outer = _outer(data)
    columns = dict.fromkeys(name for name in (data.split.column, outer.split.column) if name is not None)
    if len(columns) > 1:
        raise UserError(
            "must be the column of the folds, as one column can be split by",
            given=outer.split.column,
            place="data.split.within.column",
            remedy="name one column",
        )
    column = next(iter(columns), None)
    parts = source.read(data.model_copy(update={"split": outer.split.model_copy(update={"column": column})}))
    if not is_assigned(outer):
        return replace(parts, validation=None, drawn_validation=0, test=None, undivided=True)
    first = Streams.of_replicate(streams.split.seed, 0)
    rows = _assignment(parts, outer, folder, first)
    both = np.sort(np.concatenate([rows.train, rows.validation]))
    values = None if parts.split_values is None else parts.split_values[both]
    return replace(parts, train=_part(parts.train, both.tobytes()), split_values=values)


@dataclass(frozen=True, eq=False)
class ReplicateSplits:
    """The splits of one replicate; test examples are not read yet."""

    train: Split
    validation: Split | None
    test: TestExamples | None


@dataclass(frozen=True, eq=False)
class TestExamples:
    """How many test examples there are, and how to read them; `on_disk` as `TestPool` has it."""

    examples: int
    read: Callable[[], Split]
    on_disk: bool = False


def own_splits(parts: Parts, streams: Streams) -> ReplicateSplits:
    """The splits that a source has, with as many validation examples drawn as it says."""
    test = parts.test
    tested = None if test is None else TestExamples(test.examples, lambda: whole(test.read()), test.on_disk)
    train = whole(parts.train)
    if parts.drawn_validation:
        validation_draws = split_draws(streams, Drawn.VALIDATION)
        return ReplicateSplits(*held_out(train, parts.drawn_validation, validation_draws), tested)
    return ReplicateSplits(train, None if parts.validation is None else whole(parts.validation), tested)


def divided(parts: Parts, data: Data, folder: Path, streams: Streams) -> ReplicateSplits:
    """The splits of an undivided pool.

    Test examples get a pool of their own, and training and validation share another: what is handed to a worker or to
    a user's code has no test example in it. By folds, every example is for training in some replicate; so all
    replicates share the whole pool, and can train together.
    """
    pool = parts.train
    rows = _assignment(parts, data, folder, streams)
    if data.split.by == "folds":
        seen, tested = pool, lambda: _rows_of(pool, rows.test)
        train, validation = rows.train, rows.validation
    else:
        both = np.sort(np.concatenate([rows.train, rows.validation]))
        seen, tested = _part(pool, both.tobytes()), lambda: whole(_part(pool, rows.test.tobytes()))
        train, validation = np.searchsorted(both, rows.train), np.searchsorted(both, rows.validation)
    return ReplicateSplits(
        _rows_of(seen, train),
        _rows_of(seen, validation) if len(validation) else None,
        TestExamples(len(rows.test), tested) if len(rows.test) else None,
    )


def _assignment(parts: Parts, data: Data, folder: Path, streams: Streams) -> Assignment:
    split, pool, values = data.split, parts.train, parts.split_values
    if split.index is not None:
        return by_index(split.index, len(pool), folder)
    if split.column is not None and values is None:
        raise UserError("must be a column of the data, and these have none", given=split.column,
                        place="data.split.column", remedy="take it out")  # fmt: skip
    if split.by == "given" and values is not None:
        return by_column(split, values)
    return assigned(split, len(pool), pool.labels, values, streams, parts.classes)


@functools.lru_cache(maxsize=8)
def _part(pool: Pool, rows: bytes) -> Pool:
    """Some rows of a pool as a pool; one for each choice of rows, so that runs share it."""
    return pool.part(np.frombuffer(rows, np.int64))


def _rows_of(pool: Pool, rows: Rows) -> Split:
    return whole(pool).take(rows)


def held_out_examples(data: Data, source: Source, train: Split, validation: Split | None) -> int:
    """How many training examples `data.split.validation` holds out.

    Raises UserError where the split has validation examples of its own, and where one of both would be empty.
    """
    share, place = data.split.validation, "data.split.validation"
    if validation is not None:
        raise UserError("must be 0 where the split has validation examples of its own", given=share, place=place,
                        remedy=f"take it out: {data.split.by} of {source.name} has them")  # fmt: skip
    examples = round(share * len(train))
    if not 0 < examples < len(train):
        raise UserError("must hold out at least one example and leave one", given=share, place=place,
                        remedy=f"choose a share of {len(train)} examples")  # fmt: skip
    return examples


def held_out(split: Split, examples: int, random: Draws) -> tuple[Split, Split]:
    """A split without, and with only, `examples` of its examples drawn at random; both in drawn order."""
    order = random.permutation(len(split))
    return split.take(order[:-examples]), split.take(order[-examples:])
