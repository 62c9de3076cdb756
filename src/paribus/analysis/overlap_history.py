"""How the space that the first layer's weights span comes to overlap with the eigenfaces, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from paribus.analysis.eigenfaces import autoencoders, pca, pca_rank, principal_cosines, row_basis
from paribus.analysis.estimates import estimate
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import EQUAL_VARIANCE
from paribus.analysis.weights import history

MAX_EPOCHS: Final = 10
"""Kept epochs of a run that are looked at, the initial weights and the last among them."""


@dataclass(frozen=True)
class OverlapAtEpoch:
    """The overlap of an arm at one epoch: its mean, lowest and highest over the `n` finished replicates.

    Overlap is as in `eigenfaces.Overlap`, and `chance` the mean of what random spaces of the same dimensions would
    have. Epoch 0 has the initial weights.
    """

    arm: str
    epoch: int
    mean: float
    low: float
    high: float
    chance: float
    n: int


def overlap_history(results: Results) -> tuple[OverlapAtEpoch, ...]:
    """Every autoencoder arm that kept its first layer over the epochs, arm by arm."""
    return tuple(entry for arm in autoencoders(results) for entry in _of_arm(results, arm))


def _of_arm(results: Results, arm: str) -> list[OverlapAtEpoch]:
    by_epoch: dict[int, list[tuple[float, float]]] = {}
    for run in results.finished(arm):
        for epoch, share, chance in _of_run(results, run):
            by_epoch.setdefault(epoch, []).append((share, chance))
    found: list[OverlapAtEpoch] = []
    for epoch, pairs in sorted(by_epoch.items()):
        shares, chances = [share for share, _ in pairs], [chance for _, chance in pairs]
        mean, chance = estimate(shares).mean, estimate(chances).mean
        assert mean is not None
        assert chance is not None
        found.append(OverlapAtEpoch(arm, epoch, mean, min(shares), max(shares), chance, len(pairs)))
    return found


def _of_run(results: Results, run: Run) -> list[tuple[int, float, float]]:
    """(epoch, overlap, chance) at the epochs looked at."""
    faces, kept, rank = pca(run), history(results, run), pca_rank(results, run.arm)
    if faces is None or kept is None or not rank or faces.mse_by_rank[0] <= EQUAL_VARIANCE:
        return []
    basis = row_basis(faces.components[:rank])
    found: list[tuple[int, float, float]] = []
    for place in looked_at(len(kept.epoch)):
        ours = row_basis(kept.weights[place])
        share = float((principal_cosines(ours, basis) ** 2).sum() / len(basis))
        found.append((int(kept.epoch[place]), share, len(ours) / basis.shape[1]))
    return found


def looked_at(kept: int) -> list[int]:
    """Positions of at most `MAX_EPOCHS` of this many kept epochs: the first, the last, the others denser early on."""
    if kept <= MAX_EPOCHS:
        return list(range(kept))
    return sorted({int(i) for i in (np.geomspace(1, kept, MAX_EPOCHS) - 1).round()})
