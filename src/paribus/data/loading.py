"""From what a study file says about data to the splits of one replicate."""

from __future__ import annotations

import functools
import logging
import math
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

import numpy as np

from paribus.data import scaling
from paribus.data.corruption import replaced_labels
from paribus.data.pool import Pool, Split, Splits, TestSet, whole
from paribus.data.registry import find
from paribus.data.source import Parts, Source, TestPool
from paribus.errors import UserError, nearest
from paribus.seeding import Draws, Stream, Streams, draws
from paribus.spec.data import Data, Limit
from paribus.spec.dataset import Dataset

LOG = logging.getLogger("paribus.data")


class _Drawn(IntEnum):
    """What is drawn from the stream for splits. Each has draws of its own, so that a limit changes no split."""

    VALIDATION = 0
    TRAIN_LIMIT = 1
    VALIDATION_LIMIT = 2
    TEST_LIMIT = 3


def load_splits(data: Data, folder: Path, streams: Streams) -> Splits:
    """The splits of one replicate: drawn, labels replaced, held out, limited, and scaling fitted, in this order.

    `folder` is where a relative path of `data.source` begins. Validation examples that belong to the split keep their
    labels; a share that `data.split.validation` holds out is drawn after label noise, so that it is as noisy as the
    training labels. A limit takes a random sample, of which a smaller limit's is a part. Arms of one replicate that
    agree in `data` have the same splits, and all replicates have the same test set.

    Label noise does nothing where there are no labels: `spec.fit` refuses it. Raises UserError where the data cannot be
    read, or where the source has no such split or cannot hold out that share.
    """
    source = find(data.source, folder)
    parts = _read(source, data)
    train, validation = _own_splits(parts, streams)
    held_out_of = len(train) + (0 if validation is None else len(validation))
    if data.label_noise is not None and train.labels is not None:
        noisy = replaced_labels(train.labels, share=data.label_noise.share, classes=len(parts.classes),
                                draws=draws(streams.label_noise, "label_noise"))  # fmt: skip
        train = replace(train, labels=noisy)
    if data.split.validation:
        examples = _held_out_examples(data, source, train, validation)
        train, validation = _held_out(train, examples, _draws(streams, _Drawn.VALIDATION))
    train = _sample(train, data.limit.train, _draws(streams, _Drawn.TRAIN_LIMIT))
    if validation is not None:
        validation = _sample(validation, data.limit.validation, _draws(streams, _Drawn.VALIDATION_LIMIT))
    test = None if parts.test is None else _test_set(parts.test, data.limit, streams)
    dataset = Dataset(
        source=data.source,
        features=math.prod(parts.train.shape),
        shape=parts.train.shape,
        classes=parts.classes,
        train=len(train),
        validation=0 if validation is None else len(validation),
        test=0 if test is None else test.examples,
        held_out_of=held_out_of,
    )
    return Splits(train, validation, test, scaling.fitted(data.scale, train), dataset)


def fingerprint(data: Data, folder: Path) -> str:
    """The SHA-256 that names the source's content; a built-in source is not read for it.

    `folder` is where a relative path of `data.source` begins. Raises UserError where there is no such source or file.
    """
    return find(data.source, folder).fingerprint()


def _read(source: Source, data: Data) -> Parts:
    """The source's pools with the divisor that `data.scale` asks for."""
    if data.split.by not in source.splits:
        remedy = f'use "{source.splits[0]}"' if len(source.splits) == 1 else nearest(data.split.by, source.splits)
        raise UserError(f"must be a split of {source.name}", given=data.split.by, place="data.split.by", remedy=remedy)
    parts = source.read(data)
    if data.scale != "none":
        _warn_of_zeros_and_ones(parts.train)
        return parts
    test = parts.test
    return replace(
        parts,
        train=_undivided(parts.train),
        validation=None if parts.validation is None else _undivided(parts.validation),
        test=None if test is None else TestPool(test.examples, lambda: _undivided(test.read())),
    )


@functools.lru_cache(maxsize=16)
def _undivided(pool: Pool) -> Pool:
    """A pool whose features are its values; one for each pool, so that runs share it."""
    return replace(pool, divisor=1.0)


@functools.lru_cache(maxsize=16)
def _warn_of_zeros_and_ones(pool: Pool) -> None:
    """Warn, once for each pool, of bytes that look like features already and are divided by 255 all the same."""
    if pool.divisor != 1 and pool.values.max() == 1:
        LOG.warning(
            "%s: its values are 0 and 1 only, and are divided by 255, as all images of bytes are; "
            'set data.scale to "none" to use them as they are, or save them as booleans',
            pool.name,
        )


def _own_splits(parts: Parts, streams: Streams) -> tuple[Split, Split | None]:
    train = whole(parts.train)
    if parts.drawn_validation:
        return _held_out(train, parts.drawn_validation, _draws(streams, _Drawn.VALIDATION))
    return train, None if parts.validation is None else whole(parts.validation)


def _held_out_examples(data: Data, source: Source, train: Split, validation: Split | None) -> int:
    share, place = data.split.validation, "data.split.validation"
    if validation is not None:
        raise UserError("must be 0 where the split has validation examples of its own", given=share, place=place,
                        remedy=f"take it out: {data.split.by} of {source.name} has them")  # fmt: skip
    examples = round(share * len(train))
    if not 0 < examples < len(train):
        raise UserError("must hold out at least one example and leave one", given=share, place=place,
                        remedy=f"choose a share of {len(train)} examples")  # fmt: skip
    return examples


def _draws(streams: Streams, what: _Drawn) -> Draws:
    """Draws for `what`. The sample of the test set is that of replicate 0 in all replicates."""
    stream = Stream(streams.split.seed, 0) if what is _Drawn.TEST_LIMIT else streams.split
    return draws(stream, "split", int(what))


def _held_out(split: Split, examples: int, random: Draws) -> tuple[Split, Split]:
    """A split without, and with only, `examples` of its examples drawn at random; both in drawn order."""
    order = random.permutation(len(split))
    return split.take(order[:-examples]), split.take(order[-examples:])


def _sample(split: Split, examples: int | None, random: Draws) -> Split:
    """At most `examples` of a split, drawn at random, in the split's order: files may be sorted by class.

    The sample is the beginning of one random order, so a smaller one is a part of every larger one.
    """
    if examples is None or examples >= len(split):
        return split
    return split.take(np.sort(random.permutation(len(split))[:examples]))


def _test_set(test: TestPool, limit: Limit, streams: Streams) -> TestSet:
    def read(examples: int) -> Split:
        return _sample(whole(test.read()), examples, _draws(streams, _Drawn.TEST_LIMIT))

    return TestSet(min(test.examples, limit.test or test.examples), read)
