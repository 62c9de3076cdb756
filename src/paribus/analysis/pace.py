"""How fast the published runs learned beside ours: the epoch at which ours reach the training loss they report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.store.records import Curve


@dataclass(frozen=True)
class Pace:
    """A published training loss and its epoch, beside the first epochs at which our runs are at or below it.

    `ours` has no values unless every finished run comes that far; `lowest` is the mean over runs of the lowest training
    loss of each. `ratio` is how many of our epochs one published epoch is worth, None where that is not known.
    """

    arm: str
    rule: str
    train_loss: float
    theirs: int
    ours: Estimate
    lowest: float

    @property
    def ratio(self) -> float | None:
        return None if self.ours.mean is None or not self.theirs else self.ours.mean / self.theirs

    @property
    def differs(self) -> bool:
        """Whether the interval of our epochs leaves the published one out."""
        interval = self.ours.interval
        return interval is not None and not interval.low <= self.theirs <= interval.high


def paces(results: Results) -> tuple[Pace, ...]:
    """Every published row with a training loss and an epoch, whose arm has finished runs."""
    found: list[Pace] = []
    for entry in results.study.published:
        curves = [run.curves["train_loss"] for run in results.finished(entry.arm)]
        if not curves or not {"train_loss", "epoch"} <= entry.values.keys():
            continue
        loss = entry.values["train_loss"]
        found.append(
            Pace(
                arm=entry.arm,
                rule=entry.rule,
                train_loss=loss,
                theirs=int(entry.values["epoch"]),
                ours=estimate(_reached(curves, loss)),
                lowest=float(np.mean([np.nanmin(curve) for curve in curves])),
            )
        )
    return tuple(found)


def _reached(curves: Sequence[Curve], loss: float) -> list[float]:
    """The first epoch of each curve at or below `loss`; nothing unless all of them come there."""
    first = [int(np.argmax(curve <= loss)) + 1 if np.any(curve <= loss) else None for curve in curves]
    known = [float(epoch) for epoch in first if epoch is not None]
    return known if len(known) == len(curves) else []
