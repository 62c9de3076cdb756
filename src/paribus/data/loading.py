"""From what a study file says about data to the splits of one replicate."""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from paribus.data import imputation, scaling
from paribus.data.dividing import (
    TestExamples,
    check_split,
    check_undivided,
    divided,
    folded_part,
    held_out,
    held_out_examples,
    is_assigned,
    own_splits,
)
from paribus.data.given_splits import index_fingerprint
from paribus.data.imputation import missing_counts, refuse_missing
from paribus.data.inspection import Inspected, inspected, zeros_and_ones
from paribus.data.label_noise import noisy_labels
from paribus.data.planting import with_planted
from paribus.data.pool import Features, Pool, Split, Splits, TestSet
from paribus.data.registry import find
from paribus.data.source import Parts, Source
from paribus.data.splitting import Drawn, split_draws
from paribus.seeding import Draws, Streams
from paribus.spec.data import Data, Limit
from paribus.spec.dataset import Dataset

LOG = logging.getLogger("paribus.data")


def load_splits(data: Data, folder: Path, streams: Streams) -> Splits:
    """The splits of one replicate: drawn, labels replaced, held out, limited, filled in and scaled, in this order.

    `folder` is where a relative path of `data.source` begins. Validation examples that belong to the split keep their
    labels, unless `label_noise.validation` says otherwise; a share that `data.split.validation` holds out of a split
    that has none is drawn after label noise, so that it is as noisy as the training labels. A limit takes a random
    sample, of which a smaller limit's is a part. Arms of one replicate that agree in `data` have the same splits, and
    all replicates have the same test set, except by folds.

    Label noise does nothing where there are no labels: `spec.fit` refuses it. Raises UserError where the data cannot be
    read, or where the source has no such split or cannot hold out that share.
    """
    source = find(data.source, folder)
    parts = _read(source, data, folder, streams)
    found = divided(parts, data, folder, streams) if is_assigned(data) else own_splits(parts, streams)
    train, validation = found.train, found.validation
    held_out_of = len(train) + (0 if validation is None else len(validation))
    if data.label_noise is not None and train.labels is not None:
        noisy = partial(noisy_labels, noise=data.label_noise, classes=len(parts.classes), stream=streams.label_noise)
        if validation is not None and data.label_noise.validation:
            validation = replace(validation, labels=noisy(validation, train=train))
        train = replace(train, labels=noisy(train, train=train))
    if data.split.validation and not is_assigned(data):
        examples = held_out_examples(data, source, train, validation)
        train, validation = held_out(train, examples, split_draws(streams, Drawn.VALIDATION))
    train = _sample(train, data.limit.train, split_draws(streams, Drawn.TRAIN_LIMIT))
    if validation is not None:
        validation = _sample(validation, data.limit.validation, split_draws(streams, Drawn.VALIDATION_LIMIT))
    fill = _fill(data, parts, train)
    used = train if fill is None else _filled(train, fill)
    test = None if found.test is None else _test_set(found.test, data.limit, streams, fill)
    scales = scaling.fitted(data.scale, used)
    inspection = inspected(
        Inspected(
            train=train,
            validation=validation,
            test=None if found.test is None or found.test.on_disk else _tested(found.test, data.limit, streams),
            used=used,
            scaling=scales,
            classes=len(parts.classes),
            pools=tuple(parts.pools_in_memory()),
        )
    )
    dataset = Dataset(
        source=data.source,
        features=math.prod(parts.train.shape),
        shape=parts.train.shape,
        classes=parts.classes,
        train=len(used),
        validation=0 if validation is None else len(validation),
        test=0 if test is None else test.examples,
        held_out_of=held_out_of,
        targets=parts.targets,
        feature_names=parts.feature_names,
        folds=data.split.folds or 0,
        inspection=inspection,
    )
    if fill is not None and validation is not None:
        validation = _filled(validation, fill)
    return Splits(used, validation, test, scales, dataset, scaling.fitted_targets(data.scale_target, used), fill)


def fingerprint(data: Data, folder: Path) -> str:
    """The SHA-256 that names the source's content; a built-in source is not read for it.

    `folder` is where a relative path of `data.source` begins. Raises UserError where there is no such source or file.
    """
    source = find(data.source, folder).fingerprint()
    within = data.split.within
    index = data.split.index if within is None else within.index
    if index is None:
        return source
    return hashlib.sha256(f"{source} {index_fingerprint(index, folder)}".encode()).hexdigest()


def _read(source: Source, data: Data, folder: Path, streams: Streams) -> Parts:
    """The source's pools with the divisor that `data.scale` asks for; without missing values, unless it fills them."""
    check_split(source, data)
    within = data.split.within is not None
    parts = folded_part(source, data, folder, streams) if within else source.read(data)
    check_undivided(source, parts, data)
    if data.planted is not None:
        parts = replace(parts, train=with_planted(parts.train, data.planted, len(parts.classes)))
    if data.missing == "refuse":
        for pool in parts.pools_in_memory():
            refuse_missing(pool, parts.feature_names, source.name)
    if data.scale != "none":
        _warn_of_zeros_and_ones(parts.train)
        return parts
    test = parts.test
    return replace(
        parts,
        train=_as_it_is(parts.train),
        validation=None if parts.validation is None else _as_it_is(parts.validation),
        test=None if test is None else replace(test, read=lambda: _as_it_is(test.read())),
    )


@functools.lru_cache(maxsize=16)
def _as_it_is(pool: Pool) -> Pool:
    """A pool whose features are its values; one for each pool, so that runs share it."""
    return replace(pool, divisor=1.0)


@functools.lru_cache(maxsize=16)
def _warn_of_zeros_and_ones(pool: Pool) -> None:
    """Warn, once for each pool, of bytes that look like features already and are divided by 255 all the same."""
    if zeros_and_ones(pool):
        LOG.warning(
            "%s: its values are 0 and 1 only, and are divided by 255, as all images of bytes are; "
            'set data.scale to "none" to use them as they are, or save them as booleans',
            pool.name,
        )


def _fill(data: Data, parts: Parts, train: Split) -> Features | None:
    """What stands for missing values, None where none is missing."""
    if not any(missing_counts(pool).any() for pool in parts.pools_in_memory()):
        return None
    return imputation.fitted(data.missing, train, parts.categorical, parts.feature_names)


def _filled(split: Split, fill: Features) -> Split:
    return replace(split, pool=imputation.filled(split.pool, fill))


def _sample(split: Split, examples: int | None, random: Draws) -> Split:
    """At most `examples` of a split, drawn at random, in the split's order: files may be sorted by class.

    The sample is the beginning of one random order, so a smaller one is a part of every larger one.
    """
    if examples is None or examples >= len(split):
        return split
    return split.take(np.sort(random.permutation(len(split))[:examples]))


def _tested(test: TestExamples, limit: Limit, streams: Streams, examples: int | None = None) -> Split:
    """So many test examples, or all that the limit leaves, as they were found."""
    return _sample(test.read(), limit.test if examples is None else examples, split_draws(streams, Drawn.TEST_LIMIT))


def _test_set(test: TestExamples, limit: Limit, streams: Streams, fill: Features | None) -> TestSet:
    def read(examples: int) -> Split:
        found = _tested(test, limit, streams, examples)
        return found if fill is None else _filled(found, fill)

    return TestSet(min(test.examples, limit.test or test.examples), read)


def audited_pool(data: Data, folder: Path, seed: int) -> Parts:
    """What the folds of `data` divide, with the labels as they are: one pool, and the names of its classes.

    Missing values are as the source has them. `seed` is the study's, from which a split that the folds are within is
    drawn. Raises UserError where the data cannot be read.
    """
    return _read(find(data.source, folder), data, folder, Streams.of_replicate(seed, 0))
