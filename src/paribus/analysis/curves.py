"""Curves over epochs: the mean of an arm with its range over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Band:
    """A metric of an arm over epochs: arrays of one entry an epoch at which it was measured, epochs numbered from 1.

    `low` and `high` are the smallest and largest replicate, not an interval. `n` is how many finished runs count at
    each epoch.
    """

    arm: str
    metric: str
    epoch: Ints
    mean: Floats
    low: Floats
    high: Floats
    n: Ints


def band(results: Results, arm: str, metric: str) -> Band | None:
    """The band of the finished runs of an arm, up to where the first of them stopped; None where none has the metric.

    Beyond that the mean would jump as runs leave it.
    """
    curves = [run.curves[metric] for run in results.finished(arm) if metric in run.curves]
    shortest = min((len(curve) for curve in curves), default=0)
    if not shortest:
        return None
    stacked = np.array([np.where(np.isfinite(curve), curve, np.nan)[:shortest] for curve in curves])
    n = np.isfinite(stacked).sum(axis=0)
    stacked, epoch, n = stacked[:, n > 0], np.flatnonzero(n) + 1, n[n > 0]
    if not len(epoch):
        return None
    return Band(
        arm,
        metric,
        epoch.astype(np.int64),
        np.nanmean(stacked, axis=0),
        np.nanmin(stacked, axis=0),
        np.nanmax(stacked, axis=0),
        n.astype(np.int64),
    )
