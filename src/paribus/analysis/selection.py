"""Which epoch to deploy: the table of selection rules, when the loss settled, the gap and the onset of overfitting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.findings import overfitting
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.tables import Row, metrics_at, row, shown_rules
from paribus.spec.metrics import METRICS
from paribus.spec.rules import settled_epoch
from paribus.spec.schedules import Settle


@dataclass(frozen=True)
class RuleLine:
    """One line of the table of selection rules: an arm at a rule, its cells by metric."""

    arm: str
    rule: str
    cells: Mapping[str, Row]


@dataclass(frozen=True)
class Settling:
    """When one run's training loss stopped changing noticeably, by the stated rule; None if it never did.

    `constant` tells whether the learning rate was held throughout (only then is `epoch` a milestone found from the
    curve), `lr_dropped_at` how many epochs were finished when the learning rate first fell.
    """

    arm: str
    replicate: int
    window: int
    threshold: float
    constant: bool
    epoch: int | None
    lr_dropped_at: int | None


@dataclass(frozen=True)
class Gap:
    """The generalisation gap of an arm at a rule: `gap` is + where held-out examples do worse than training ones."""

    arm: str
    rule: str
    metric: Literal["loss", "accuracy", "rmse"]
    split: Literal["val", "test"]
    train: Estimate
    held_out: Estimate
    gap: Estimate


@dataclass(frozen=True)
class Onset:
    """Overfitting of one run: after `epoch` the validation loss rose from `lowest` to `last`.

    Both are smoothed over a few epochs (`paribus.analysis.findings.overfitting`); `last_epoch` is where training ended.
    """

    arm: str
    replicate: int
    epoch: int
    lowest: float
    last: float
    last_epoch: int


def rule_table(results: Results) -> tuple[RuleLine, ...]:
    """Arm x rule, with every metric shown there (see `paribus.analysis.tables.metrics_at`)."""
    return tuple(
        RuleLine(arm, rule, {metric: row(results, arm, rule, metric) for metric in metrics_at(results, arm, rule)})
        for arm in results.arms
        for rule in shown_rules(results, arm)
    )


def columns(lines: tuple[RuleLine, ...]) -> tuple[str, ...]:
    """The metrics that at least one line has a value or a published figure of, in the registry's order."""
    return tuple(name for name in METRICS if any(_known(line.cells.get(name)) for line in lines))


def settling(results: Results) -> tuple[Settling, ...]:
    """`paribus.spec.rules.settled_epoch` on the training loss of every finished run.

    Window and threshold are those of the arm's own `settle` schedule, else of the study's first one, else the defaults.
    """
    found: list[Settling] = []
    for arm in results.arms:
        rule = _settle_rule(results, arm)
        constant = results.recipe(arm).schedule.kind == "constant"
        for run in results.finished(arm):
            epoch = settled_epoch(run.curves["train_loss"].tolist(), rule.window, rule.threshold)
            drop = _first_drop(run)
            found.append(Settling(arm, run.replicate, rule.window, rule.threshold, constant, epoch, drop))
    return tuple(found)


def gaps(results: Results) -> tuple[Gap, ...]:
    """Held-out minus training loss and RMSE, and training minus held-out accuracy, at every rule where both are known.

    Where the training loss at the epoch's end was measured, it is used: the mean over the epoch's batches lags behind.
    """
    found: list[Gap] = []
    for arm in results.arms:
        for rule in shown_rules(results, arm):
            ended = results.values(arm, rule, "train_loss_end")
            train = ended if any(v is not None for v in ended) else results.values(arm, rule, "train_loss")
            found.append(_gap(arm, rule, "loss", "val", train, results.values(arm, rule, "val_loss"), 1))
            right = results.values(arm, rule, "train_accuracy")
            found.append(_gap(arm, rule, "accuracy", "val", right, results.values(arm, rule, "val_accuracy"), -1))
            found.append(_gap(arm, rule, "accuracy", "test", right, results.values(arm, rule, "test_accuracy"), -1))
            wrong = results.values(arm, rule, "train_rmse")
            found.append(_gap(arm, rule, "rmse", "val", wrong, results.values(arm, rule, "val_rmse"), 1))
            found.append(_gap(arm, rule, "rmse", "test", wrong, results.values(arm, rule, "test_rmse"), 1))
    return tuple(gap for gap in found if gap.gap.n)


def onsets(results: Results) -> tuple[Onset, ...]:
    """Finished runs whose validation loss had risen when they ended."""
    return tuple(
        Onset(arm, run.replicate, found.epoch, found.lowest, found.last, run.epochs_done)
        for arm in results.arms
        for run in results.finished(arm)
        if (found := overfitting(run)) is not None
    )


def _known(cell: Row | None) -> bool:
    return cell is not None and (cell.n > 0 or cell.published is not None)


def _settle_rule(results: Results, arm: str) -> Settle:
    schedules = [results.recipe(arm).schedule, *(results.recipe(other).schedule for other in results.arms)]
    return next((s for s in schedules if isinstance(s, Settle)), Settle(kind="settle"))


def _first_drop(run: Run) -> int | None:
    rates = run.curves.get("lr")
    if rates is None:
        return None
    falls = np.flatnonzero(np.diff(rates) < 0)
    return int(falls[0]) + 1 if len(falls) else None


def _gap(
    arm: str,
    rule: str,
    metric: Literal["loss", "accuracy", "rmse"],
    split: Literal["val", "test"],
    train: tuple[float | None, ...],
    held_out: tuple[float | None, ...],
    sign: int,
) -> Gap:
    apart = [None if t is None or h is None else sign * (h - t) for t, h in zip(train, held_out, strict=True)]
    return Gap(arm, rule, metric, split, estimate(train), estimate(held_out), estimate(apart))
