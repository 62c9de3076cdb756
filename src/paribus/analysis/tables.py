"""The study's table: every arm x selection rule x metric with its mean, its spread and the published figure."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.references import of_reference, reference_lines, reference_metrics
from paribus.analysis.results import Results
from paribus.spec.claims import Published
from paribus.spec.losses import Task
from paribus.spec.metrics import METRICS, metric_named

PEAKS: dict[Task, str] = {"classification": "max-test-accuracy", "regression": "min-test-rmse"}
"""The rule by which the best monitored test value of a study is shown, even if no arm selects by it."""


_OF_EACH_OUTPUT = ("_rmse", "_mae", "_r2")
"""How the metrics end that several numbers to be predicted have one by one, as `test_rmse:price`."""


@dataclass(frozen=True)
class Row:
    """One metric of one arm at one selection rule (empty for the run as a whole). Accuracies are fractions.

    `values` has one entry a replicate, None where the run is missing, unfinished or diverged; `n` counts the others,
    and `mean` and `sd` (sample standard deviation, None for n < 2) are theirs. Where `reference` is not empty, the row
    is of that reference line on the data of the arm, and of others that share them.
    """

    arm: str
    rule: str
    metric: str
    mean: float | None
    sd: float | None
    n: int
    values: tuple[float | None, ...]
    published: float | None
    reference: str = ""

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.values, self.mean, self.sd, self.n)


def rows(results: Results) -> tuple[Row, ...]:
    """Every row of a study, arm by arm and rule by rule: what was measured, what others published, reference lines."""
    table: list[Row] = []
    for arm in results.arms:
        found = [row(results, arm, "", metric.name) for metric in METRICS.values() if metric.scope == "run"]
        for rule in shown_rules(results, arm):
            found += [row(results, arm, rule, metric) for metric in metrics_at(results, arm, rule)]
        table += [entry for entry in found if entry.n or entry.published is not None or entry.metric == "epoch"]
    for line in reference_lines(results):
        for metric in reference_metrics(results, line):
            got = of_reference(results, line, metric.name)
            table.append(Row(line.arms[0], "", metric.name, got.mean, got.sd, got.n, got.values, None, line.reference))
    return tuple(table)


def row(results: Results, arm: str, rule: str, metric: str) -> Row:
    """One row, whether or not anything is known of it."""
    got = estimate(results.values(arm, rule, metric))
    return Row(arm, rule, metric, got.mean, got.sd, got.n, got.values, published(results, arm, rule, metric))


def shown_rules(results: Results, arm: str) -> tuple[str, ...]:
    """The arm's selection rules, the peak of its monitored test curve, and any rule that only a publication uses."""
    rules = list(results.rules(arm))
    peak = PEAKS.get(results.recipe(arm).task)
    if results.monitored(arm) and peak is not None:
        rules += [peak, "last"]
    rules += [entry.rule for entry in results.study.published if entry.arm == arm]
    return tuple(dict.fromkeys(rules))


def metrics_at(results: Results, arm: str, rule: str) -> tuple[str, ...]:
    """The metrics that a run of an arm may have at a rule, settings left out, and those that were published there."""
    task = results.recipe(arm).task
    measured = [
        metric.name
        for metric in METRICS.values()
        if task in metric.tasks and metric.scope != "run" and not (metric.per_epoch and not metric.direction)
    ]
    dataset = results.dataset(arm)
    if dataset is not None and len(dataset.targets) > 1:
        of_outputs = [name for name in measured if name.endswith(_OF_EACH_OUTPUT)]
        measured += [f"{name}:{target}" for target in dataset.targets for name in of_outputs]
    published = [name for entry in _publications(results, arm) if entry.rule == rule for name in entry.values]
    return tuple(dict.fromkeys([*measured, *(name for name in published if metric_named(name).scope != "run")]))


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
