"""How the arms do on held-out data in every figure of their task, with the reference lines below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.references import of_reference, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.undefined import undefined
from paribus.analysis.wording import capital
from paribus.report.blocks import Block, Record, Table
from paribus.report.tabulate import Column, arm, estimated, mean_and_sd, table, text
from paribus.spec.losses import Task
from paribus.spec.metrics import METRICS, Metric

_SPLITS = {"test": "Test data", "val": "Validation data"}
_TASKS: tuple[Task, ...] = ("classification", "regression")
_REQUIRED = {"classification": "balanced_accuracy", "regression": "mae"}
"""Without this metric the table is left out."""


def blocks(results: Results) -> list[Block]:
    """A table for each task and held-out split; of several numbers to be predicted, also one for each number."""
    found: list[Block] = []
    for task in _TASKS:
        arms = [name for name in results.arms if results.recipe(name).task == task]
        for split, title in _SPLITS.items():
            if any(_of_arm(results, name, f"{split}_{_REQUIRED[task]}").n for name in arms):
                found.append(_figures(results, arms, task, split, title))
                found += _by_output(results, arms, split, title)
    return found


def _figures(results: Results, arms: Sequence[str], task: Task, split: str, title: str) -> Table:
    metrics = [metric for metric in METRICS.values() if metric.split == split and task in metric.tasks]
    metrics = [m for m in metrics if any(_of_arm(results, name, m.name).n for name in arms)]
    records: list[Record] = [_record(name, (_of_arm(results, name, m.name) for m in metrics), metrics) for name in arms]
    for line in reference_lines(results):
        if set(line.arms) <= set(arms):
            found = (of_reference(results, line, m.name) for m in metrics)
            whose = "" if len(line.arms) == len(arms) else f" ({', '.join(line.arms)})"
            records.append(_record(f"{line.label}{whose}", found, metrics))
    columns = [arm(results.arms, title="arm or reference line"), *(_column(m) for m in metrics)]
    return table(f"figures-{task}-{split}", title, columns, records, note=" ".join(_notes(results, arms, task, split)))


def _column(metric: Metric) -> Column:
    return mean_and_sd(metric.short.removeprefix("test ").removeprefix("val. "), metric.name, metric.form)


def _record(name: str, estimates: Iterator[Estimate], metrics: Sequence[Metric]) -> Record:
    record: dict[str, object] = {"arm": name}
    for metric, found in zip(metrics, estimates, strict=True):
        record |= estimated(metric.name, found)
    return record


def _of_arm(results: Results, name: str, metric: str) -> Estimate:
    return estimate(results.values(name, results.deploy(name), metric))


def _notes(results: Results, arms: Sequence[str], task: Task, split: str) -> Iterator[str]:
    if task == "classification":
        yield (
            "Balanced accuracy: mean recall of the classes. AUROC: area under the ROC curve, of several classes the "
            "mean of each against the rest. ECE: expected calibration error, 15 bins of equal width."
        )
    else:
        yield "RMSE and MAE are in the unit of the target, and lower is better; R² is 1 for perfect predictions."
        yield "The loss is that of the scaled targets."
    names = [metric.name for metric in METRICS.values() if metric.split == split and task in metric.tasks]
    reasons = (undefined(results, name, results.deploy(name), metric) for metric in names for name in arms)
    yield from dict.fromkeys(f"{capital(reason)}." for reason in reasons if reason)


def _by_output(results: Results, arms: Sequence[str], split: str, title: str) -> list[Block]:
    """RMSE, MAE and R2 of each number by itself, where there are several."""
    metrics = [METRICS[f"{split}_{name}"] for name in ("rmse", "mae", "r2") if f"{split}_{name}" in METRICS]
    records: list[Record] = []
    for name in arms:
        dataset = results.dataset(name)
        targets = () if dataset is None or len(dataset.targets) < 2 else dataset.targets
        for target in targets:
            found = (_of_arm(results, name, f"{m.name}:{target}") for m in metrics)
            records.append({**_record(name, found, metrics), "target": target})
    columns = [arm(results.arms), text("target", "target"), *(_column(m) for m in metrics)]
    return [table(f"targets-{split}", f"{title}, target by target", columns, records)] if records else []
