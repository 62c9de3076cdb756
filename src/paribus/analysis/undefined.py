"""Why a figure that was asked for has no value: what in the data leaves it undefined."""

from __future__ import annotations

import math

import numpy as np

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.wording import label, listed
from paribus.spec.metrics import metric_named

_SPLITS = {"val": "validation", "test": "test"}
_ALWAYS_DEFINED = ("log_loss", "rmse", "mse")
"""Metrics that have a finite value for any data if the network's outputs are finite, without their split's prefix."""


def undefined(results: Results, arm: str, rule: str, metric: str) -> str:
    """That a metric which was measured at a finished run of an arm has no finite value there, and why if that is known.

    Nothing where it has one.
    Example: `test AUROC is undefined in deep: the test data have no example of cat`.
    """
    for run in results.finished(arm):
        value = run.measurements.get((rule, metric))
        if value is not None and not math.isfinite(value):
            why = _reason(run, rule, metric)
            return f"{label(metric)} is undefined in {arm}" + (f": {why}" if why else "")
    return ""


def _reason(run: Run, rule: str, metric: str) -> str:
    """The reason that the data or other metrics of the same split give; empty where none is known."""
    split = _SPLITS.get(metric_named(metric).split, "training")
    targets = run.artifact("", f"targets/{split if split != 'training' else 'train'}") or {}
    if metric.endswith("_auroc") and "labels" in targets:
        present = set(np.unique(targets["labels"]).tolist())
        absent = [name for number, name in enumerate(run.dataset.classes) if number not in present]
        if absent:
            return f"the {split} data have no example of {listed(absent)}"
    if "_r2" in metric and "numbers" in targets and (np.ptp(targets["numbers"], axis=0) == 0).any():
        return f"all targets of the {split} data are equal"
    if metric.endswith("_auroc") and len(run.dataset.classes) < 2:
        return "there is one class only"
    own = metric_named(metric).split
    prefixes = ("train_", "") if own == "train" else (f"{own}_",)
    always = [run.measurements.get((rule, f"{prefix}{name}")) for prefix in prefixes for name in _ALWAYS_DEFINED]
    if any(value is not None and not math.isfinite(value) for value in always):
        return "the network's outputs are not finite"
    return ""
