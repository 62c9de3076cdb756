"""Findings: what a person should know about a run, each derived from what is recorded of it.

The limits are those of `paribus.analysis.thresholds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from paribus.analysis.data_findings import DataFindingKind, data_kinds
from paribus.analysis.run import Run, run_of
from paribus.analysis.thresholds import (
    EQUAL_VARIANCE,
    MEMORISED_SHARE,
    OVERFIT_EPOCHS,
    OVERFIT_RISE,
    OVERFIT_WINDOW,
    UNLEARNED_GAIN,
    UNLEARNED_R2,
)

if TYPE_CHECKING:
    from paribus.store.records import RunRecord
    from paribus.store.workspace import Workspace

RunFindingKind = Literal[
    "diverged", "constant-data", "never-learned", "collapse", "dead-units", "unmoved-units", "overfitting",
    "memorisation",
]  # fmt: skip
StudyFindingKind = Literal["no-better-than-linear"]
FindingKind = RunFindingKind | StudyFindingKind | DataFindingKind
GRAVEST_FIRST: tuple[RunFindingKind, ...] = get_args(RunFindingKind)
GRAVE: frozenset[FindingKind] = frozenset({"diverged", "constant-data", "never-learned", "collapse", "missing-class"})
"""Findings that change what an arm's numbers mean."""


@dataclass(frozen=True)
class Finding:
    """One finding about a run: at a selection rule's epoch, or of the run as a whole (`rule` is empty)."""

    kind: RunFindingKind
    rule: str = ""


@dataclass(frozen=True)
class Overfitting:
    """A validation loss that has risen: `epoch` is that of its smoothed minimum `lowest`, `last` where it ended."""

    epoch: int
    lowest: float
    last: float


def findings_of(run: Run) -> tuple[Finding, ...]:
    """Everything noteworthy about a run that has ended, the gravest kinds first; nothing before it has."""
    found = [*_of_run(run), *(finding for rule in run.selections for finding in _of_snapshot(run, rule))]
    return tuple(sorted(found, key=lambda finding: GRAVEST_FIRST.index(finding.kind)))


def kinds(workspace: Workspace, record: RunRecord) -> tuple[FindingKind, ...]:
    """The kinds of findings about one recorded run and then about its data, each once, the gravest first."""
    run = run_of(workspace, record)
    found = findings_of(run) if record.state in ("done", "diverged") else ()
    return (*dict.fromkeys(finding.kind for finding in found), *data_kinds(run.dataset))


def overfitting(run: Run) -> Overfitting | None:
    """Where the smoothed validation loss was lowest, if it has clearly risen since; None for what never learned.

    Smoothed: the mean over `OVERFIT_WINDOW` epochs; the minimum's epoch is the middle one of its window.
    """
    values = run.curves.get("val_loss")
    if values is None or len(values) < OVERFIT_EPOCHS or not np.isfinite(values).all() or never_learned(run):
        return None
    smooth = np.convolve(values, np.full(OVERFIT_WINDOW, 1 / OVERFIT_WINDOW), mode="valid")
    lowest = int(np.argmin(smooth))
    if smooth[-1] <= smooth[lowest] * (1 + OVERFIT_RISE):
        return None
    return Overfitting(lowest + 1 + OVERFIT_WINDOW // 2, float(smooth[lowest]), float(smooth[-1]))


def never_learned(run: Run) -> bool:
    """Whether a network predicts its training targets hardly better than a constant output would.

    At every snapshot of a trained epoch: labels hardly more often, or hardly any of the variance of numbers. A network
    that was better at one of them has learned.
    """
    explained = training_values(run, "train_r2")
    if explained and not run.has_equal_targets:
        return max(explained) < UNLEARNED_R2
    accuracies = training_values(run, "train_accuracy")
    share = run.largest_class_share if accuracies else None
    return share is not None and share < 1 and max(accuracies) < share + UNLEARNED_GAIN * (1 - share)


def training_values(run: Run, metric: str) -> list[float]:
    """A metric of the training data at every snapshot of a trained epoch."""
    found = [run.value(rule, metric) for rule in run.selections if (run.epoch(rule) or 0) > 0]
    return [value for value in found if value is not None]


def constant_data(run: Run) -> bool:
    """Whether all training examples have one target, or (for an autoencoder) are equal: there is nothing to learn."""
    if run.largest_class_share == 1 or run.has_equal_targets:
        return True
    variances = [run.value(rule, "mean_mse") for rule in run.selections]
    return any(variance is not None and variance <= EQUAL_VARIANCE for variance in variances)


def _of_run(run: Run) -> Iterator[Finding]:
    if run.state == "diverged":
        yield Finding("diverged")
    if run.state == "done":
        if constant_data(run):
            yield Finding("constant-data")
        if never_learned(run):
            yield Finding("never-learned")
        if overfitting(run) is not None:
            yield Finding("overfitting")


def _of_snapshot(run: Run, rule: str) -> Iterator[Finding]:
    if run.value(rule, "collapsed"):
        yield Finding("collapse", rule)
    if run.value(rule, "dead_units"):
        yield Finding("dead-units", rule)
    if run.value(rule, "unmoved_units"):
        yield Finding("unmoved-units", rule)
    if (run.value(rule, "memorised") or 0.0) >= MEMORISED_SHARE:
        yield Finding("memorisation", rule)
