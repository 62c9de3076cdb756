"""The metric in which the arms of a study are compared: the most telling one that was measured."""

from __future__ import annotations

from paribus.analysis.results import Results
from paribus.spec.losses import Task
from paribus.spec.metrics import by_priority


def compared_metric(results: Results, task: Task | None = None) -> str | None:
    """The metric of the highest priority that some arm has at its deploy rule, or None; only those of `task`, if given.

    Of classifiers that is test accuracy, and validation accuracy where no test data were read; of regressions RMSE.
    """
    found = (metric for metric in by_priority() if task is None or task in metric.tasks)
    return next((metric.name for metric in found if _is_known(results, metric.name)), None)


def _is_known(results: Results, metric: str) -> bool:
    return any(v is not None for arm in results.arms for v in results.values(arm, results.deploy(arm), metric))
