"""Progress in plain lines, for logs and pipes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paribus.cli.speech import number, plural, talk
from paribus.execution.progress import CohortDone, CohortStarted, EpochDone, Event
from paribus.units import count, duration

QUIET_S = 10.0
"""Between two lines about the same cohort at least so much time passes."""


class LineDisplay:
    """A listener that says when a cohort begins and ends, and at most every few seconds where it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at = clock()
        self._cohorts: dict[int, CohortStarted] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to clear away."""

    def __call__(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, EpochDone) and now - self._said_at < QUIET_S:
            return
        self._said_at = now
        if isinstance(event, CohortStarted):
            self._cohorts[event.index] = event
        talk(self._line(event))

    def _line(self, event: Event) -> str:
        started = self._cohorts.get(event.index)
        of = f"cohort {event.index + 1}/{started.total}" if started else f"cohort {event.index + 1}"
        if isinstance(event, CohortStarted):
            return f"{of}: {describe(event)}"
        if isinstance(event, CohortDone):
            failed = f", {event.diverged} diverged" if event.diverged else ""
            return f"{of}: {plural(event.runs, 'run')} done in {duration(event.wall_s)}{failed}"
        epochs = f"/{started.epochs}" if started else ""
        speed = f"{count(event.model_epochs_per_s)} model-epochs/s, {time_left(event)} left"
        return f"{of}: epoch {event.epoch}{epochs}, {losses(event)}, {speed}"


def describe(event: CohortStarted) -> str:
    """What a cohort is: its runs, arms, size and length."""
    arms = ", ".join(dict.fromkeys(event.arms))
    arms = arms if len(arms) <= 60 else f"{arms[:57]}..."
    resumed = f", goes on after epoch {event.first_epoch}" if event.first_epoch else ""
    size = f"{count(event.parameters)} parameters in all, {plural(event.epochs, 'epoch')}"
    return f"{plural(event.runs, 'run')} ({arms}), {size}{resumed}"


def losses(event: EpochDone) -> str:
    """The losses of an epoch, those that were measured."""
    parts = [f"train loss {number(event.train_loss, 4)}"]
    if math.isfinite(event.val_loss):
        parts.append(f"val loss {number(event.val_loss, 4)}")
    if math.isfinite(event.val_accuracy):
        parts.append(f"val accuracy {event.val_accuracy:.1%}")
    return ", ".join(parts)


def time_left(event: EpochDone) -> str:
    """How long a cohort still takes, or that nobody knows."""
    return duration(event.remaining_s) if math.isfinite(event.remaining_s) else "unknown time"
