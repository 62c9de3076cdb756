"""What is recorded of a study as tidy columns: for data frames, for CSV and for Parquet.

Missing numbers are NaN, missing texts None. Accuracies are fractions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.analysis import tables
from paribus.analysis.cost import arm_costs
from paribus.analysis.results import Results
from paribus.analysis.verdicts import claim_outcomes

Columns = dict[str, Any]


def result_columns(results: Results) -> Columns:
    """One row for each arm, selection rule and metric, as `paribus table` has them.

    Columns: arm, rule (empty for the run as a whole), metric, mean, sd (over replicates; NaN for one), n, published
    (NaN without such a figure), and one column `replicate N` for each replicate.
    """
    rows = tables.rows(results)
    indices = results.study.replicates.indices
    columns: Columns = {
        name: [getattr(row, name) for row in rows] for name in ("arm", "rule", "metric", "mean", "sd", "n")
    }
    for place, index in enumerate(indices):
        columns[f"replicate {index}"] = [row.values[place] for row in rows]
    columns["published"] = [row.published for row in rows]
    texts = ("arm", "rule", "metric", "n")
    return {name: values if name in texts else numbers(values) for name, values in columns.items()}


def curve_columns(results: Results) -> Columns:
    """One row for each arm, replicate and epoch (from 1), with one column for each metric of an epoch."""
    runs = [run for run in results.runs if run.epochs_done]
    names = list(dict.fromkeys(name for run in runs for name in run.curves))
    columns: Columns = {name: [] for name in ("arm", "replicate", "epoch", *names)}
    for run in runs:
        epochs = run.epochs_done
        columns["arm"] += [run.arm] * epochs
        columns["replicate"] += [run.replicate] * epochs
        columns["epoch"] += range(1, epochs + 1)
        for name in names:
            curve = run.curves.get(name)
            values = np.full(epochs, np.nan)
            if curve is not None:
                values[: len(curve)] = curve[:epochs]
            columns[name] += values.tolist()
    return columns


def run_columns(results: Results) -> Columns:
    """One row for each run: arm, replicate, identity, state, epochs, times, and the epoch of each selection rule."""
    rules = list(dict.fromkeys(rule for arm in results.arms for rule in results.rules(arm)))
    columns: Columns = {
        "arm": [run.arm for run in results.runs],
        "replicate": [run.replicate for run in results.runs],
        "run": [run.id for run in results.runs],
        "state": [run.state for run in results.runs],
        "epochs": [run.epochs_done for run in results.runs],
        "started_at": [run.started_at for run in results.runs],
        "finished_at": [run.finished_at for run in results.runs],
    }
    for rule in rules:
        columns[f"epoch at {rule}"] = numbers([
            float(epoch) if rule in results.rules(run.arm) and (epoch := run.epoch(rule)) is not None else None
            for run in results.runs
        ])  # fmt: skip
    return columns


def claim_columns(results: Results) -> Columns:
    """One row for each claim: statement, metric, margin, effect (+ favours the claim), its interval, n, verdict."""
    found = claim_outcomes(results)
    return {
        "statement": [case.claim.statement for case in found],
        "metric": [case.claim.metric for case in found],
        "by": [case.claim.by for case in found],
        "effect": numbers([case.effect for case in found]),
        "low": numbers([None if case.interval is None else case.interval.low for case in found]),
        "high": numbers([None if case.interval is None else case.interval.high for case in found]),
        "n": [case.contrast.n for case in found],
        "verdict": [case.label for case in found],
    }


def read_columns(results: Results) -> Columns:
    """One row for each logged read of test data."""
    names = {run.id: (run.arm, run.replicate) for run in results.runs}
    reads = [read for read in results.test_reads if read.run_id in names]
    return {
        "arm": [names[read.run_id][0] for read in reads],
        "replicate": [names[read.run_id][1] for read in reads],
        "rule": [read.rule for read in reads],
        "epoch": numbers([None if read.epoch is None else float(read.epoch) for read in reads]),
        "examples": [read.examples for read in reads],
        "purpose": [read.purpose for read in reads],
        "read_at": [read.read_at for read in reads],
    }


def cost_columns(results: Results) -> Columns:
    """One row for each arm: runs, model-epochs, seconds, joules with their range, and whether they were measured."""
    costs = arm_costs(results)
    columns: Columns = {
        name: [getattr(cost, name) for cost in costs] for name in ("arm", "runs", "model_epochs", "tag")
    }
    for name in ("wall_s", "cpu_s", "energy_j", "low_j", "high_j"):
        columns[name] = numbers([getattr(cost, name) for cost in costs])
    return columns


def numbers(values: list[Any]) -> npt.NDArray[np.float64]:
    """Numbers, with NaN for None."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
