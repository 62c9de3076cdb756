"""The study's table: every arm x selection rule x metric with its mean, its spread and the published figure."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.spec.claims import Published

PEAK = "max-test-accuracy"
"""Where a study monitors test data, its peak is shown even if no arm selects by it: a figure, not a way to deploy."""
_RUN_WIDE = ("parameters", "weights")
_AT_SNAPSHOT = (
    "test_loss", "test_accuracy", "mse", "pca_mse", "mean_mse", "output_variation", "collapsed", "dead_units",
    "hidden_units", "unmoved_units", "train_accuracy", "memorised", "mislabelled",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One metric of one arm at one selection rule (empty for the run as a whole). Accuracies are fractions.

    `values` has one entry a replicate, None where the run is missing, unfinished or diverged; `n` counts the others,
    and `mean` and `sd` (sample standard deviation, None for n < 2) are theirs.
    """

    arm: str
    rule: str
    metric: str
    mean: float | None
    sd: float | None
    n: int
    values: tuple[float | None, ...]
    published: float | None

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.values, self.mean, self.sd, self.n)


def rows(results: Results) -> tuple[Row, ...]:
    """Every row of a study, arm by arm and rule by rule: what was measured, and what others published."""
    table: list[Row] = []
    for arm in results.arms:
        found = [row(results, arm, "", metric) for metric in _RUN_WIDE]
        for rule in shown_rules(results, arm):
            found += [row(results, arm, rule, metric) for metric in metrics_at(results, arm, rule)]
        table += [entry for entry in found if entry.n or entry.published is not None or entry.metric == "epoch"]
    return tuple(table)


def row(results: Results, arm: str, rule: str, metric: str) -> Row:
    """One row, whether or not anything is known of it."""
    got = estimate(results.values(arm, rule, metric))
    return Row(arm, rule, metric, got.mean, got.sd, got.n, got.values, published(results, arm, rule, metric))


def shown_rules(results: Results, arm: str) -> tuple[str, ...]:
    """The arm's selection rules, the peak of its monitored test curve, and any rule that only a publication uses."""
    rules = list(results.rules(arm))
    if results.monitored(arm) and results.recipe(arm).has_labels:
        rules += [PEAK, "last"]
    rules += [entry.rule for entry in results.study.published if entry.arm == arm]
    return tuple(dict.fromkeys(rules))


def metrics_at(results: Results, arm: str, rule: str) -> tuple[str, ...]:
    """The metrics shown at a rule: its epoch, the curves there, the snapshot's measurements, the published ones."""
    curves = [name for name in results.recipe(arm).curves if name != "lr" and not name.startswith("test_")]
    told = [name for entry in _publications(results, arm) if entry.rule == rule for name in entry.values]
    names = dict.fromkeys(["epoch", *curves, *_AT_SNAPSHOT, *told])
    return tuple(name for name in names if name not in _RUN_WIDE)


def published(results: Results, arm: str, rule: str, metric: str) -> float | None:
    """The published figure, or None. Those of the run as a whole may stand under any rule."""
    for entry in _publications(results, arm):
        if metric in entry.values and (entry.rule == rule or not rule):
            return entry.values[metric]
    return None


def source(results: Results, arm: str, rule: str, metric: str) -> str:
    """Where the published figure stands, as the study file names it."""
    for entry in _publications(results, arm):
        if metric in entry.values and (entry.rule == rule or not rule):
            return entry.source
    return ""


def _publications(results: Results, arm: str) -> list[Published]:
    return [entry for entry in results.study.published if entry.arm == arm]
