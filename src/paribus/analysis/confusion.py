"""Which classes are taken for which: confusion matrices over replicates, and the pairs that are confused most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.outputs import Classified, Doubles, Ints
from paribus.analysis.results import Results
from paribus.spec.inspection import SplitName


@dataclass(frozen=True, eq=False)
class Confusion:
    """An arm's examples by true and by predicted class: `counts` is (replicate, true, predicted).

    `replicates` has the indices of the replicates that it counts.
    """

    arm: str
    rule: str
    split: SplitName
    classes: tuple[str, ...]
    replicates: tuple[int, ...]
    counts: Ints

    @property
    def mean_counts(self) -> Doubles:
        """Examples (true, predicted) as the mean over replicates."""
        return self.counts.mean(axis=0)

    @property
    def shares(self) -> Doubles:
        """Fractions (true, predicted) of each true class, the mean over the replicates that have examples of it.

        NaN in the row of a class that has no example.
        """
        totals = self.counts.sum(axis=2, keepdims=True)
        present = totals > 0
        each = np.where(present, self.counts / np.maximum(totals, 1), 0.0)
        known = present.sum(axis=0)
        return np.where(known > 0, each.sum(axis=0) / np.maximum(known, 1), np.nan)


@dataclass(frozen=True)
class ConfusedPair:
    """Examples of the class `true` that are predicted to be `predicted`.

    `count` is their number by replicate, `share` the fraction of the true class that they are.
    """

    arm: str
    true: str
    predicted: str
    count: Estimate
    share: Estimate


def confusion(found: Classified) -> Confusion:
    """The confusion matrix of each replicate, from its outputs."""
    size = len(found.classes)
    counts = np.stack(
        [
            np.bincount(one.labels * size + one.predicted, minlength=size * size).reshape(size, size)
            for one in found.replicates
        ]
    )
    replicates = tuple(one.replicate for one in found.replicates)
    return Confusion(found.arm, found.rule, found.split, found.classes, replicates, counts.astype(np.int64))


def recorded_confusion(results: Results, arm: str) -> Confusion | None:
    """The matrices of the test split that runs recorded as counts, for runs whose outputs were not kept."""
    rule, dataset = results.deploy(arm), results.dataset(arm)
    counts = {
        run.replicate: np.asarray(arrays["counts"], np.int64)
        for run in results.finished(arm)
        if (arrays := run.artifact(rule, "confusion")) is not None
    }
    if dataset is None or not counts:
        return None
    return Confusion(arm, rule, "test", dataset.classes, tuple(counts), np.stack(list(counts.values())))


def most_confused(matrices: Sequence[Confusion], limit: int) -> tuple[tuple[ConfusedPair, ...], ...]:
    """The `limit` pairs of classes that are confused most often over all arms, each as one entry an arm.

    Arms must have the same classes; pairs that no arm confuses are left out. Equal ones have the order of the classes.
    """
    if not matrices:
        return ()
    classes = matrices[0].classes
    total = sum((one.mean_counts for one in matrices), np.zeros((len(classes), len(classes))))
    np.fill_diagonal(total, 0.0)
    order = np.argsort(-total, axis=None, kind="stable")[:limit]
    places = [divmod(int(at), len(classes)) for at in order if total.flat[at] > 0]
    return tuple(tuple(_pair(one, true, predicted) for one in matrices) for true, predicted in places)


def _pair(matrix: Confusion, true: int, predicted: int) -> ConfusedPair:
    counts, totals = matrix.counts[:, true, predicted], matrix.counts[:, true].sum(axis=1)
    shares = [float(c / t) if t else None for c, t in zip(counts, totals, strict=True)]
    names = matrix.classes
    return ConfusedPair(matrix.arm, names[true], names[predicted], estimate(float(c) for c in counts), estimate(shares))
