"""The sampling error of the test set: how far a paired difference would be another one on new examples.

All replicates are tested on the same examples, so the spread over replicates says nothing about new ones. A difference
of accuracies is a mean over examples i of d_i, itself the mean over replicates of the difference of the two arms on
example i. Its standard error over examples is sd(d) / sqrt(N): smaller than for two independent test sets, since
both arms fail at the same hard examples, where d_i is 0 (Dietterich 1998).

The interval for new replicates and new examples adds the two variances,

    error^2 = sd^2 / n + sd(d)^2 / N,

with the degrees of freedom of the replicates, n - 1. Those of Satterthwaite (1946) are more, and the interval could be
narrower than the one for these test examples alone; this one never is, and covers at least as often as it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.contrasts import Contrast
from paribus.analysis.estimates import Interval, t_quantile
from paribus.analysis.outputs import class_outputs
from paribus.analysis.results import Results
from paribus.spec.inspection import SplitName

METRIC_SPLITS: Final[dict[str, SplitName]] = {"test_accuracy": "test"}
"""The metrics that are means over the examples of a split which all replicates share."""


@dataclass(frozen=True)
class Sampling:
    """The sampling error of a mean difference: `error` is its standard error over `examples` examples, and `interval`
    the one for new replicates and new examples."""

    error: float
    examples: int
    interval: Interval


@lru_cache(maxsize=32)
def sampling(results: Results, found: Contrast) -> Sampling | None:
    """The sampling error of a contrast; None if its metric is not a mean over shared examples, or outputs are missing.

    Replicates without outputs of both arms are left out; at least two must have them, on the same examples.
    """
    split = METRIC_SPLITS.get(found.metric)
    if split is None or found.mean is None or not found.sd:
        return None
    differences = _by_example(results, found, split)
    if differences is None or differences.shape[0] < 2 or differences.shape[1] < 2:
        return None
    each = differences.mean(axis=0)
    examples = len(each)
    error = float(each.std(ddof=1)) / examples**0.5
    over_replicates = found.sd**2 / found.n
    half = t_quantile(found.n - 1) * (over_replicates + error**2) ** 0.5
    return Sampling(error, examples, Interval(found.mean - half, found.mean + half))


def _by_example(results: Results, found: Contrast, split: SplitName) -> npt.NDArray[np.float64] | None:
    """By how much the first arm is right more often than the second, (replicate, example): -1, 0 or +1."""
    rows: npt.NDArray[np.int64] | None = None
    differences: list[npt.NDArray[np.float64]] = []
    for replicate in results.study.replicates.indices:
        runs = [results.run(end.arm, replicate) for end in (found.first, found.second)]
        if any(run is None or run.state != "done" for run in runs):
            continue
        first, second = (
            None if run is None else class_outputs(run, end.rule, split)
            for run, end in zip(runs, (found.first, found.second), strict=True)
        )
        if first is None or second is None or not np.array_equal(first.rows, second.rows):
            continue
        if rows is not None and not np.array_equal(rows, first.rows):
            return None  # each replicate has a test set of its own
        rows = first.rows
        differences.append(second.wrong.astype(np.float64) - first.wrong)
    return np.stack(differences) if differences else None
