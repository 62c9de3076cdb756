"""When training labels mislead: where the test curve peaks, where it ends, what was memorised, which remedy helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.analysis.contrasts import Contrast, Side, contrast
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results, Run
from paribus.spec.metrics import METRICS


@dataclass(frozen=True)
class PeakAndLast:
    """A monitored arm's test accuracy: the best epoch and the last one measured, and `drop` from one to the other.

    The peak is an optimist's figure: it is chosen on the very images that it is measured on, and no rule that a user
    may deploy by reaches it. `monitored_images` is None where all test images were looked at.
    """

    arm: str
    peak: Estimate
    peak_epoch: Estimate
    last: Estimate
    last_epoch: Estimate
    drop: Estimate
    memorised: Estimate
    mislabelled: Estimate
    monitored_images: int | None


@dataclass(frozen=True)
class Ranked:
    """An arm's place in a ranking; `contrast` is the arm minus the control (None for the control itself)."""

    arm: str
    rule: str
    estimate: Estimate
    contrast: Contrast | None


def peaks(results: Results) -> tuple[PeakAndLast, ...]:
    """Every arm whose test accuracy was monitored, in the study's order."""
    return tuple(
        _peak(results, arm) for arm in results.arms if results.monitored(arm) and results.recipe(arm).has_labels
    )


def ranking(results: Results, metric: str, rule: str | None = None) -> tuple[Ranked, ...]:
    """The arms from best to worst mean at `rule` (each at its deploy rule where none is given); unknown ones last.

    Raises ValueError for a metric that has no better or worse.
    """
    direction = METRICS[metric].direction
    if not direction:
        raise ValueError(f"metric {metric} has no better or worse")
    control = results.study.control
    reference = Side(control, rule or results.deploy(control))
    ranked: list[Ranked] = []
    for arm in results.arms:
        side = Side(arm, rule or results.deploy(arm))
        against = None if arm == control else contrast(results, metric, side, reference)
        ranked.append(Ranked(arm, side.rule, estimate(results.values(arm, side.rule, metric)), against))
    return tuple(sorted(ranked, key=lambda entry: _place(entry.estimate, direction)))


def _place(got: Estimate, direction: int) -> tuple[bool, float]:
    return (got.mean is None, 0.0 if got.mean is None else -direction * got.mean)


def _peak(results: Results, arm: str) -> PeakAndLast:
    finished = {run.replicate: _ends(run) for run in results.finished(arm)}
    ends = [finished.get(replicate) for replicate in range(results.study.replicates)]
    best, best_at, last, last_at = (estimate(None if e is None else e[i] for e in ends) for i in range(4))
    return PeakAndLast(
        arm=arm,
        peak=best,
        peak_epoch=best_at,
        last=last,
        last_epoch=last_at,
        drop=estimate(None if e is None else e[0] - e[2] for e in ends),
        memorised=_at_end(results, arm, "memorised"),
        mislabelled=_at_end(results, arm, "mislabelled"),
        monitored_images=results.recipe(arm).test.monitor_images,
    )


def _ends(run: Run) -> tuple[float, float, float, float] | None:
    """Peak, its epoch (the earliest of equals), the last value and its epoch."""
    curve = run.curves.get("test_accuracy")
    finite = np.flatnonzero(np.isfinite(curve)) if curve is not None else np.empty(0, np.int64)
    if curve is None or not len(finite):
        return None
    best = int(finite[np.argmax(curve[finite])])
    return float(curve[best]), best + 1.0, float(curve[finite[-1]]), float(finite[-1] + 1)


def _at_end(results: Results, arm: str, metric: str) -> Estimate:
    """A measurement at the arm's last epoch, or at its deploy rule where the last one is not kept."""
    got = estimate(results.values(arm, "last", metric))
    return got if got.n else estimate(results.values(arm, results.deploy(arm), metric))
