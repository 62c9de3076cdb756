"""When training labels mislead: where the test curve peaks, where it ends, what was memorised, which remedy helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.analysis.contrasts import ArmAtRule, Contrast, contrast
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import MEMORISING_RISE
from paribus.spec.metrics import METRICS


@dataclass(frozen=True)
class PeakAndLast:
    """A monitored arm's test accuracy: the best epoch and the last one measured, and `drop` from one to the other.

    The peak is biased upwards: it is chosen on the examples that it is measured on. `onset` is the epoch at which wrong
    labels begin to be memorised, where the study measures that after each epoch. `monitored_examples` is None where all
    test examples were evaluated.
    """

    arm: str
    peak: Estimate
    peak_epoch: Estimate
    last: Estimate
    last_epoch: Estimate
    drop: Estimate
    memorised: Estimate
    mislabelled: Estimate
    onset: Estimate
    monitored_examples: int | None


@dataclass(frozen=True)
class Ranked:
    """An arm's place in a ranking; `contrast` is the arm minus the control (None for the control itself)."""

    arm: str
    rule: str
    estimate: Estimate
    contrast: Contrast | None


def noisy_arms(results: Results) -> tuple[str, ...]:
    """The arms whose training labels are wrong in part, by their recipe or by what was measured."""
    return tuple(
        arm
        for arm in results.arms
        if results.recipe(arm).data.label_noise is not None
        or any(name == "memorised" for run in results.of(arm) for _, name in run.measurements)
    )


def peaks(results: Results) -> tuple[PeakAndLast, ...]:
    """Every arm whose test accuracy was monitored, in the study's order."""
    return tuple(
        _peak(results, arm) for arm in results.arms if results.monitored(arm) and results.recipe(arm).has_classes
    )


def ranking(results: Results, metric: str, rule: str | None = None) -> tuple[Ranked, ...]:
    """The arms from best to worst mean at `rule` (each at its deploy rule where none is given); unknown ones last.

    Raises ValueError for a metric that has no better or worse.
    """
    direction = METRICS[metric].direction
    if not direction:
        raise ValueError(f"metric {metric} has no better or worse")
    control = results.study.control
    reference = ArmAtRule(control, rule or results.deploy(control))
    ranked: list[Ranked] = []
    for name in results.arms:
        arm = ArmAtRule(name, rule or results.deploy(name))
        against = None if name == control else contrast(results, metric, arm, reference)
        ranked.append(Ranked(name, arm.rule, estimate(results.values(name, arm.rule, metric)), against))
    return tuple(sorted(ranked, key=lambda entry: _place(entry.estimate, direction)))


def _place(got: Estimate, direction: int) -> tuple[bool, float]:
    return (got.mean is None, 0.0 if got.mean is None else -direction * got.mean)


def _peak(results: Results, arm: str) -> PeakAndLast:
    finished = {run.replicate: _ends(run) for run in results.finished(arm)}
    ends = [finished.get(replicate) for replicate in results.study.replicates.indices]
    return PeakAndLast(
        arm=arm,
        peak=estimate(None if e is None else e.peak for e in ends),
        peak_epoch=estimate(None if e is None else e.peak_epoch for e in ends),
        last=estimate(None if e is None else e.last for e in ends),
        last_epoch=estimate(None if e is None else e.last_epoch for e in ends),
        drop=estimate(None if e is None else e.peak - e.last for e in ends),
        memorised=_at_end(results, arm, "memorised"),
        mislabelled=_at_end(results, arm, "mislabelled"),
        onset=estimate(
            None if run is None else onset(run)
            for run in (results.run(arm, replicate) for replicate in results.study.replicates.indices)
        ),
        monitored_examples=results.recipe(arm).test.monitor_examples,
    )


def onset(run: Run) -> int | None:
    """The first epoch at which the share of wrong labels that are predicted is `MEMORISING_RISE` above its least value
    so far; None where that never happens, or was not measured."""
    curve = run.curves.get("train_accuracy_wrong")
    if curve is None or not len(curve):
        return None
    above = np.flatnonzero(curve - np.fmin.accumulate(curve) >= MEMORISING_RISE)
    return int(above[0]) + 1 if len(above) else None


@dataclass(frozen=True)
class _Ends:
    """The peak of a curve, its epoch (the earliest of equals), the last value and its epoch."""

    peak: float
    peak_epoch: int
    last: float
    last_epoch: int


def _ends(run: Run) -> _Ends | None:
    curve = run.curves.get("test_accuracy")
    finite = np.flatnonzero(np.isfinite(curve)) if curve is not None else np.empty(0, np.int64)
    if curve is None or not len(finite):
        return None
    best = int(finite[np.argmax(curve[finite])])
    return _Ends(float(curve[best]), best + 1, float(curve[finite[-1]]), int(finite[-1]) + 1)


def _at_end(results: Results, arm: str, metric: str) -> Estimate:
    """A measurement at the arm's last epoch, or at its deploy rule where the last one is not kept."""
    got = estimate(results.values(arm, "last", metric))
    return got if got.n else estimate(results.values(arm, results.deploy(arm), metric))
