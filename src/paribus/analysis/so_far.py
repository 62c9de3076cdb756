"""What can be said of a run before it has ended: no finding yet, but worth watching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paribus.analysis.thresholds import OVERFIT_EPOCHS, OVERFIT_RISE, OVERFIT_WINDOW


@dataclass(frozen=True)
class Rise:
    """A loss above its lowest so far: `epoch` is that of its smoothed minimum `lowest`, `last` is where it is now."""

    epoch: int
    lowest: float
    last: float


def rise(epochs: Sequence[int], losses: Sequence[float]) -> Rise | None:
    """Whether a validation loss has clearly risen since its minimum, as `findings.overfitting` judges at the end.

    `epochs` need not be all epochs. Smoothed: the mean over `OVERFIT_WINDOW` of them. None before `OVERFIT_EPOCHS`.
    """
    if len(losses) < 2 * OVERFIT_WINDOW or epochs[-1] < OVERFIT_EPOCHS:
        return None
    smooth = np.convolve(losses, np.full(OVERFIT_WINDOW, 1 / OVERFIT_WINDOW), mode="valid")
    lowest = int(np.argmin(smooth))
    if smooth[-1] <= smooth[lowest] * (1 + OVERFIT_RISE):
        return None
    return Rise(epochs[lowest + OVERFIT_WINDOW // 2], float(smooth[lowest]), float(smooth[-1]))
