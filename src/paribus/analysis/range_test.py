"""A learning-rate range test: the training loss against a rate that grows from epoch to epoch, and what it suggests.

Smith, Cyclical Learning Rates for Training Neural Networks, 2017: the rate grows during one run, and the loss first
falls, then levels off, then rises. A function of recorded curves alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from paribus.analysis.faults import first_unstable
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import CONSTANT_LOSS_SHARE
from paribus.spec.schedules import Exponential
from paribus.store.records import Curve

Floats = npt.NDArray[np.float64]
Rule = Literal["decade-below", "steepest", "largest-stable"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)
WINDOW: Final = 5
"""Epochs that the mean loss is averaged over before its slope is taken."""
IN_WORDS: Final[dict[Rule, str]] = {
    "decade-below": "a tenth of the rate at which the first replicate becomes unstable",
    "steepest": f"where the mean loss, averaged over {WINDOW} epochs, falls fastest with the logarithm of the rate",
    "largest-stable": "the largest rate before any replicate becomes unstable",
}


@dataclass(frozen=True, eq=False)
class RangeTest:
    """One arm's test.

    `rates` (epoch,) grow; `mean`, `low` and `high` are the training loss over the replicates that have come that far,
    its mean, lowest and highest. `unstable` is the first rate at which some replicate is (see
    `faults.first_unstable`); `collapsed` the first one, after the lowest mean loss, from
    which the network is no better than a constant output. Both are None where there is none in the range.
    """

    arm: str
    replicates: int
    rates: Floats
    mean: Floats
    low: Floats
    high: Floats
    unstable: float | None
    collapsed: float | None

    def suggestion(self, rule: Rule) -> float | None:
        """The rate that a rule suggests; None where the test does not show it."""
        match rule:
            case "steepest":
                return self._steepest()
            case "largest-stable":
                return self._before(self.unstable)
            case "decade-below":
                return None if self.unstable is None else self.unstable / 10

    def _before(self, rate: float | None) -> float | None:
        """The last rate tried before this one; the largest one where that is None."""
        known = self.rates if rate is None else self.rates[self.rates < rate]
        return float(known[-1]) if len(known) else None

    def _steepest(self) -> float | None:
        smooth, ahead = (
            _smoothed(self.mean),
            self.rates if self.unstable is None else self.rates[self.rates < self.unstable],
        )
        end = min(len(ahead), int(np.nanargmin(smooth)) + 1) if np.isfinite(smooth).any() else 0
        if end < 3:
            return None
        slope = np.gradient(smooth[:end], np.log10(self.rates[:end]))
        best = int(np.argmin(slope))
        return float(self.rates[best]) if slope[best] < 0 else None


def range_tests(results: Results) -> tuple[RangeTest, ...]:
    """The test of each arm; empty for a study whose rates do not all grow, or before a run has begun."""
    schedules = [arm.recipe.schedule for arm in results.study.arms]
    if not all(isinstance(one, Exponential) and one.gamma > 1 for one in schedules):
        return ()
    found = (_test(results, arm) for arm in results.arms)
    return tuple(test for test in found if test is not None)


def _test(results: Results, arm: str) -> RangeTest | None:
    runs = [run for run in results.of(arm) if len(_losses(run)) > 1 or run.state == "diverged"]
    if all(len(_losses(run)) < 2 for run in runs):
        return None
    longest = max(runs, key=lambda run: len(_losses(run)))
    rates = np.asarray(longest.curves["lr"], np.float64)
    losses = np.full((len(runs), len(rates)), np.nan)
    for row, run in zip(losses, runs, strict=True):
        curve = _losses(run)
        row[: len(curve)] = np.where(np.isfinite(curve), curve, np.nan)
    present = np.isfinite(losses).any(axis=0)
    rates, losses = rates[present], losses[:, present]
    mean = np.nanmean(losses, axis=0)
    onsets = [epoch for run in runs if (epoch := _onset(run)) is not None]
    unstable = float(longest.curves["lr"][min(onsets)]) if onsets else None
    return RangeTest(
        arm=arm,
        replicates=len(runs),
        rates=rates,
        mean=mean,
        low=np.nanmin(losses, axis=0),
        high=np.nanmax(losses, axis=0),
        unstable=unstable,
        collapsed=_collapse(rates, mean, constant_loss(results, arm)),
    )


def _onset(run: Run) -> int | None:
    """The place of the first epoch at which a run is unstable."""
    losses = _losses(run)
    found = first_unstable(losses)
    return max(len(losses) - 1, 0) if found is None and run.state == "diverged" else found


def _losses(run: Run) -> Curve:
    """The training loss of each epoch; empty before the first."""
    return run.curves.get("train_loss", np.empty(0))


def _collapse(rates: Floats, mean: Floats, constant: float | None) -> float | None:
    """The first rate after the lowest loss from which on the loss stays at that of a constant output."""
    if constant is None or mean.min() >= CONSTANT_LOSS_SHARE * constant:
        return None
    lost = mean >= CONSTANT_LOSS_SHARE * constant
    for place in range(int(np.argmin(mean)) + 1, len(rates)):
        if lost[place:].all():
            return float(rates[place])
    return None


def constant_loss(results: Results, arm: str) -> float | None:
    """The training loss of the best constant output: the variance of the targets, or the entropy of the classes.

    None where it is not known: for a loss of another kind, or before a run has ended.
    """
    recipe, ended = results.recipe(arm), [run for run in results.of(arm) if run.state in ("done", "diverged")]
    for run in ended:
        if recipe.task == "reconstruction" and recipe.loss.kind == "mse":
            pca = run.artifact("", "pca")
            if pca is not None:
                return float(pca["mse_by_rank"][0])
        targets = run.artifact("", "targets/train")
        if targets is None:
            continue
        if recipe.task == "classification" and recipe.loss.kind == "cross-entropy":
            shares = np.bincount(np.asarray(targets["labels"], np.int64)) / len(targets["labels"])
            return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
        if recipe.task == "regression" and recipe.loss.kind == "mse" and recipe.data.scale_target == "standardise":
            return 1.0
    return None


def _smoothed(values: Floats) -> Floats:
    """The centred mean over `WINDOW` epochs, fewer at both ends."""
    half = WINDOW // 2
    return np.array([float(np.mean(values[max(0, i - half) : i + half + 1])) for i in range(len(values))], np.float64)
