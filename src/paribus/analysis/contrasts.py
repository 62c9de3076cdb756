"""Paired differences: between arms, or between selection rules within an arm, replicate by replicate.

Arms of one replicate share split, data order and, where shapes agree, initial weights; pairing takes what they share
out of the difference. The interval is the paired t interval, as `scipy.stats.ttest_rel(...).confidence_interval()`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from paribus.analysis.estimates import LEVEL, Estimate, Interval, estimate
from paribus.analysis.judgement import binary_interval
from paribus.analysis.pairs import Pair, pairs
from paribus.analysis.results import Results
from paribus.spec.metrics import METRICS


@dataclass(frozen=True)
class ArmAtRule:
    """An arm at a selection rule."""

    arm: str
    rule: str

    def __str__(self) -> str:
        return f"{self.arm} at {self.rule}"


@dataclass(frozen=True)
class Contrast:
    """`first` minus `second` in `metric`. `differences` has one entry a replicate, None where either arm lacks it."""

    metric: str
    first: ArmAtRule
    second: ArmAtRule
    differences: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    n: int
    interval: Interval | None

    @property
    def separated(self) -> bool | None:
        """Whether the interval leaves 0 out; None without an interval."""
        return None if self.interval is None else 0.0 not in self.interval

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.differences, self.mean, self.sd, self.n)


def contrast(results: Results, metric: str, first: ArmAtRule, second: ArmAtRule) -> Contrast:
    """The paired difference of two arms at their rules; with no pair of values its mean is None."""
    ours = results.values(first.arm, first.rule, metric)
    theirs = results.values(second.arm, second.rule, metric)
    got = estimate(None if a is None or b is None else a - b for a, b in zip(ours, theirs, strict=True))
    return Contrast(metric, first, second, got.values, got.mean, got.sd, got.n, _interval(metric, got))


def _interval(metric: str, got: Estimate) -> Interval | None:
    """The interval of a mean difference: exact for differences of 0 and 1, Student's t otherwise."""
    if METRICS[metric].kind != "binary":
        return got.interval
    known = [value for value in got.values if value is not None]
    return binary_interval(known, (1 - LEVEL) / 2) if len(known) > 1 else None


def against_control(results: Results, metric: str, rule: str | None = None) -> tuple[Contrast, ...]:
    """Every other arm minus the control, at `rule`, or at each arm's deploy rule where none is given."""
    control = results.study.control
    second = ArmAtRule(control, rule or results.deploy(control))
    return tuple(
        contrast(results, metric, ArmAtRule(arm, rule or results.deploy(arm)), second)
        for arm in results.arms
        if arm != control
    )


def between_rules(results: Results, metric: str = "test_accuracy") -> tuple[Contrast, ...]:
    """Within each arm, every pair of its selection rules at which the metric is known: the later minus the earlier."""
    found: list[Contrast] = []
    for arm in results.arms:
        known = [rule for rule in results.rules(arm) if any(v is not None for v in results.values(arm, rule, metric))]
        for earlier, later in itertools.combinations(known, 2):
            found.append(contrast(results, metric, ArmAtRule(arm, later), ArmAtRule(arm, earlier)))
    return tuple(found)


def between_arms(results: Results, metric: str = "test_accuracy") -> tuple[tuple[Pair, Contrast], ...]:
    """Arms that differ in one setting, each at its deploy rule: the pair's second arm minus its first.

    The control is always the second side, so that all differences from it have one direction.
    """
    return tuple((pair, _of_pair(results, metric, pair)) for pair in pairs(results))


def _of_pair(results: Results, metric: str, pair: Pair) -> Contrast:
    first, second = (pair.first, pair.second) if pair.second == results.study.control else (pair.second, pair.first)
    sides = [ArmAtRule(arm, results.deploy(arm)) for arm in (first, second)]
    return contrast(results, metric, *sides)
