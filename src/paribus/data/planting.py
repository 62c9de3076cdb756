"""Wrong labels that are planted to be found: the same ones in every split and every replicate."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels, Pool
from paribus.errors import UserError
from paribus.seeding import Stream, draws
from paribus.spec.data import Planted

PURPOSE = "label_noise"


def planted_rows(planted: Planted, examples: int) -> npt.NDArray[np.bool_]:
    """Which of so many rows get a wrong label, (row,).

    Row i has the i-th uniform number u of a stream with the seed, and is chosen where after <= u < after + share. So a
    row's number depends on the seed and the row alone, and the rows of two parts of [0, 1) are different.
    """
    drawn = draws(Stream(planted.seed, 0), PURPOSE, 0).uniform(examples)
    return (planted.after <= drawn) & (drawn < planted.after + planted.share)


def planted_labels(labels: Labels, planted: Planted, classes: int) -> Labels:
    """`labels` (row,) with a uniformly drawn other class in each of the planted rows; two classes at least."""
    steps = 1 + draws(Stream(planted.seed, 0), PURPOSE, 1).integers(classes - 1, len(labels))
    return np.where(planted_rows(planted, len(labels)), (labels + steps) % classes, labels)


def with_planted(pool: Pool, planted: Planted, classes: int) -> Pool:
    """A pool with planted labels; one for each choice of them, so that runs share it.

    Without labels it is the pool itself, which `spec.fit` refuses. Raises UserError for a single class.
    """
    if pool.labels is None:
        return pool
    if classes < 2:
        raise UserError("needs at least two classes", given=classes, place="data.planted", remedy="take it out")
    return _planted(pool, planted.share, planted.seed, planted.after, classes)


@functools.lru_cache(maxsize=16)
def _planted(pool: Pool, share: float, seed: int, after: float, classes: int) -> Pool:
    assert pool.labels is not None
    name = f"{pool.fingerprint} planted {share!r} {seed} {after!r}"
    fingerprint = hashlib.sha256(name.encode()).hexdigest()
    planted = Planted(share=share, seed=seed, after=after)
    return replace(pool, labels=planted_labels(pool.labels, planted, classes), fingerprint=fingerprint)
