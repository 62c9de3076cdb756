"""What takes the place of missing values, with figures of the training examples only."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Features, Pool, Split
from paribus.errors import Shown, UserError
from paribus.spec.data import Missing

_BLOCK_ROWS: Final = 4096


@functools.lru_cache(maxsize=16)
def missing_counts(pool: Pool) -> npt.NDArray[np.int64]:
    """How many values of each feature (feature,) are missing: NaN. Bytes are never missing."""
    if pool.values.dtype.kind != "f":
        return np.zeros(pool.values.shape[1], np.int64)
    found = np.zeros(pool.values.shape[1], np.int64)
    for start in range(0, len(pool), _BLOCK_ROWS):
        found += np.isnan(pool.values[start : start + _BLOCK_ROWS]).sum(axis=0)
    return found


def refuse_missing(pool: Pool, names: Sequence[str], place: str) -> None:
    """Raises UserError for the first missing value of a pool; `names` are those of its features, or empty."""
    counts = missing_counts(pool)
    if not counts.any():
        return
    row = int(np.flatnonzero(np.isnan(pool.values).any(axis=1))[0])
    feature = int(np.flatnonzero(np.isnan(pool.values[row]))[0])
    where = f"row {row if pool.source_rows is None else pool.source_rows[row]} (rows count from 0)"
    column = f"column {names[feature]}" if names else f"feature {feature}"
    columns = int((counts > 0).sum())
    more = f"; {columns} {'column has' if columns == 1 else 'columns have'} missing values"
    raise UserError(
        "must have no missing values",
        given=Shown(f"one in {where}, {column}{more}"),
        place=place,
        remedy='set data.missing to "median", "mean" or "most-frequent", or leave those rows out',
    )


def fitted(missing: Missing, train: Split, categorical: Sequence[slice], names: Sequence[str] = ()) -> Features:
    """The value (feature,) that stands for each feature's missing ones.

    It is the median, mean or most frequent value (of equally frequent ones the lowest) of the known training values,
    computed in float64 and rounded to float32. The features of a categorical column get the most frequent category,
    the first of equally frequent ones. Raises UserError where a feature has no known training value.
    """
    values = train.pool.values[train.rows].astype(np.float64)
    known = ~np.isnan(values)
    unknown = np.flatnonzero(~known.any(axis=0))
    if len(unknown):
        column = f"column {names[unknown[0]]}" if names else f"feature {unknown[0]}"
        raise UserError("must have a value in at least one training example", given=Shown(f"none in {column}"),
                        place="data.missing", remedy="leave that column out with data.inputs")  # fmt: skip
    match missing:
        case "median":
            fill = np.nanmedian(values, axis=0)
        case "mean":
            fill = np.nanmean(values, axis=0)
        case "most-frequent":
            fill = np.array([_most_frequent(column[there]) for column, there in zip(values.T, known.T, strict=True)])
        case "refuse":
            raise ValueError("missing values are refused, not replaced")
    for block in categorical:
        fill[block] = 0
        fill[block.start + int(np.argmax(np.nansum(values[:, block], axis=0)))] = 1
    return fill.astype(np.float32)


def _most_frequent(values: npt.NDArray[np.float64]) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[np.argmax(counts)])


def filled(pool: Pool, fill: Features) -> Pool:
    """A pool with `fill` (feature,) in place of its missing values, and a fingerprint of its own."""
    return _filled(pool, fill.tobytes())


@functools.lru_cache(maxsize=32)
def _filled(pool: Pool, fill: bytes) -> Pool:
    values = pool.values
    if missing_counts(pool).any():
        values = np.where(np.isnan(values), np.frombuffer(fill, np.float32), values)
    own = hashlib.sha256(f"{pool.fingerprint} filled {fill.hex()}".encode()).hexdigest()
    return replace(pool, values=values, fingerprint=own)
