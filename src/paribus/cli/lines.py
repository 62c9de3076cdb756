"""Progress in plain lines, for logs and pipes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paribus.cli.columns import MAX_ARMS_LENGTH, shortened
from paribus.cli.formatting import format_mean, format_number, format_share, plural
from paribus.cli.output import print_message
from paribus.cli.study_progress import StudyProgress
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.units import count, duration

LINE_EVERY_S = 10.0
"""Seconds between two lines about epochs."""


class LineDisplay:
    """A listener that prints when a cohort begins and ends, and its progress at most every few seconds."""

    def __init__(self, study: StudyProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._study = study
        self._clock = clock
        self._printed_at = clock()
        self._cohorts: dict[int, CohortStarted] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def __call__(self, event: Event) -> None:
        self._study.update(event)
        if isinstance(event, CohortStarted):
            self._cohorts[event.index] = event
        now = self._clock()
        if isinstance(event, EpochDone) and now - self._printed_at < LINE_EVERY_S:
            return
        self._printed_at = now
        print_message(self._line(event))
        if isinstance(event, CohortDone):
            print_message(str(self._study))

    def _line(self, event: Event) -> str:
        started = self._cohorts[event.index]
        cohort = f"cohort {event.index + 1}/{started.total}"
        if isinstance(event, CohortStarted):
            return f"{cohort}: {describe(event)}"
        if isinstance(event, CohortDone):
            diverged = f", {event.diverged} diverged" if event.diverged else ""
            failed = f", {event.failed} failed" if event.failed else ""
            return f"{cohort}: {plural(event.runs, 'run')} done in {duration(event.wall_s)}{diverged}{failed}"
        if isinstance(event, CohortLost):
            return lost(event)
        speed = f"{count(event.model_epochs_per_s)} model-epochs/s, {time_left(event)} left"
        return f"{cohort}: epoch {event.epoch}/{started.epochs}, {losses(event)}, {speed}"


def describe(event: CohortStarted) -> str:
    """A cohort in words: its runs, arms, size and length."""
    arms = shortened(", ".join(dict.fromkeys(event.arms)), MAX_ARMS_LENGTH)
    resumed = f", resumes after epoch {event.first_epoch}" if event.first_epoch else ""
    size = f"{count(event.parameters)} parameters in all, {plural(event.epochs, 'epoch')}"
    return f"{plural(event.runs, 'run')} ({arms}), {size}{resumed}"


def lost(event: CohortLost) -> str:
    """What happened to a worker, and what follows."""
    arms = shortened(", ".join(event.arms), MAX_ARMS_LENGTH)
    what = "its runs begin again from their last checkpoint" if event.again else "its run fails, the study goes on"
    return f"cohort {event.index + 1}/{event.total} ({arms}): the worker {event.reason}; {what}"


def losses(event: EpochDone) -> str:
    """The measured losses of an epoch."""
    parts = [f"train loss {format_number(event.train_loss, 4)}"]
    if math.isfinite(event.val_loss):
        parts.append(f"val loss {format_number(event.val_loss, 4)}")
    if math.isfinite(event.val_accuracy):
        parts.append(f"val accuracy {format_share(event.val_accuracy)}")
    rmse = mean_of(event, "val_rmse")
    if rmse is not None:
        parts.append(f"val RMSE {format_mean(rmse, None, sized=True)}")
    return ", ".join(parts)


def mean_of(event: EpochDone, metric: str) -> float | None:
    """The mean of a metric over the runs of a cohort that have a finite value; None where none has."""
    finite = [value for value in event.metrics.get(metric, ()) if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else None


def time_left(event: EpochDone) -> str:
    """The time that a cohort still takes, if it is known."""
    return duration(event.remaining_s) if math.isfinite(event.remaining_s) else "unknown time"
