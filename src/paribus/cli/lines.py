"""Progress in plain lines, for logs and pipes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paribus.cli.columns import MAX_ARMS_LENGTH, shortened
from paribus.cli.formatting import format_expected, format_mean, format_number, format_share, plural
from paribus.cli.output import print_message
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.execution.progress import StudyProgress
from paribus.units import count, duration

LINE_EVERY_S = 10.0
"""Seconds between two lines about epochs, at first."""
LINE_EVERY_SHARE = 0.05
"""Later they are this share of the time that has passed, so that a night's log can be read."""
MANY_COHORTS = 20
"""Of more cohorts not every start and end is printed."""


class LineDisplay:
    """A listener that prints when a cohort begins and ends, and the study's progress less and less often."""

    def __init__(self, study: StudyProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._study = study
        self._clock = clock
        self._began = self._printed_at = clock()
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
        if self._can_wait(event) and now - self._printed_at < max(LINE_EVERY_S, LINE_EVERY_SHARE * (now - self._began)):
            return
        self._printed_at = now
        print_message(self._line(event))

    def _can_wait(self, event: Event) -> bool:
        many = self._cohorts[event.index].total > MANY_COHORTS
        return isinstance(event, EpochDone) or (many and not isinstance(event, CohortLost))

    def _line(self, event: Event) -> str:
        started = self._cohorts[event.index]
        cohort = f"cohort {event.index + 1}/{started.total}"
        if isinstance(event, CohortStarted):
            return f"{cohort}: {describe(event)}"
        if isinstance(event, CohortLost):
            return lost(event)
        if isinstance(event, CohortDone):
            diverged = f", {event.diverged} diverged" if event.diverged else ""
            failed = f", {event.failed} failed" if event.failed else ""
            of_cohort = f"{plural(event.runs, 'run')} done in {duration(event.wall_s)}{diverged}{failed}"
        else:
            of_cohort = f"epoch {event.epoch}/{started.epochs}, {measured(event)}"
        return f"{total(self._study)}; {cohort}: {of_cohort}"


def total(study: StudyProgress, width: int | None = None) -> str:
    """The line for a whole study: `selection: 4/12 runs done, 45 %, about 3 min 20 s left`.

    Where it is wider than `width` its name is shortened.
    """
    line = f": {study.runs_done}/{plural(study.runs, 'run')} done"
    if study.runs_done < study.runs:
        line += f", {math.floor(100 * study.share)} %"
        if math.isfinite(study.remaining_s):
            about = "about " if study.remaining_s >= 1 else ""
            line += f", {about}{format_expected(study.remaining_s)} left"
    if width is None:
        return f"{study.name}{line}"
    return shortened(shortened(study.name, max(3, width - len(line))) + line, width)


def describe(event: CohortStarted) -> str:
    """A cohort in words: its runs, arms, size and length."""
    arms = shortened(", ".join(dict.fromkeys(event.arms)), MAX_ARMS_LENGTH)
    resumed = f", resumes after epoch {event.first_epoch}" if event.first_epoch else ""
    size = f"{count(event.parameters)} parameters in all, {plural(event.epochs, 'epoch')}"
    return f"{plural(event.runs, 'run')} ({arms}), {size}{resumed}"


def lost(event: CohortLost) -> str:
    """What happened to a worker, and what follows."""
    arms = shortened(", ".join(event.arms), MAX_ARMS_LENGTH)
    what = "its runs resume from their last checkpoint" if event.again else "its run failed; the study continues"
    return f"cohort {event.index + 1}/{event.total} ({arms}): the worker {event.reason}; {what}"


def measured(event: EpochDone) -> str:
    """An epoch's metrics, as a mean over the runs of its cohort: `train loss 0.5, val loss 0.6, val acc 83.0 %`."""
    values = {
        "train loss": format_number(event.train_loss, 4),
        "val loss": format_number(event.val_loss, 4),
        "val acc": format_share(event.val_accuracy),
        "val RMSE": format_mean(mean_of(event, "val_rmse"), None, sized=True),
    }
    return ", ".join(f"{name} {value}" for name, value in values.items() if value != "-" or name == "train loss")


def mean_of(event: EpochDone, metric: str) -> float | None:
    """The mean of a metric over the runs of a cohort that have a finite value; None where none has."""
    finite = [value for value in event.metrics.get(metric, ()) if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else None
