"""How far a whole study has come: its runs, and the time that is left, from the events of its cohorts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from paribus.cli.formatting import plural
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.units import duration


@dataclass
class _Cohort:
    started: CohortStarted
    epoch: int
    training: int

    @property
    def work(self) -> int:
        """Parameters x epochs trained: a run's time for an epoch grows with its parameters."""
        return self.started.parameters * (self.epoch - self.started.first_epoch)


@final
class StudyProgress:
    """Counts the runs of a study that are done, and estimates the time that the others take.

    Parameters
    ----------
    name : of the study.
    runs : in the study.
    recorded : runs that are recorded already.
    work : parameters x epochs of all runs that are left to train.
    clock : gives seconds.
    """

    def __init__(
        self, name: str, *, runs: int, recorded: int, work: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._runs = runs
        self._recorded = recorded
        self._work = work
        self._clock = clock
        self._cohorts: dict[int, _Cohort] = {}
        self._first: tuple[float, int] | None = None
        self.remaining_s = math.nan

    def update(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, CohortStarted):
            self._cohorts[event.index] = _Cohort(event, event.first_epoch, event.runs)
            return
        if isinstance(event, CohortLost):
            return
        cohort = self._cohorts[event.index]
        if isinstance(event, EpochDone):
            cohort.epoch, cohort.training = event.epoch, event.runs
        else:
            assert isinstance(event, CohortDone)
            cohort.epoch, cohort.training = cohort.started.epochs, event.failed
        self._estimate()

    def _estimate(self) -> None:
        """The rate counts from the first epoch on, as before it code is compiled and data are prepared."""
        now, done = self._clock(), sum(cohort.work for cohort in self._cohorts.values())
        if self._first is None:
            self._first = now, done
        began, before = self._first
        if done > before:
            self.remaining_s = max(0, self._work - done) * (now - began) / (done - before)

    @property
    def runs_done(self) -> int:
        """Runs that are recorded, or that have ended in this process."""
        return self._recorded + sum(cohort.started.runs - cohort.training for cohort in self._cohorts.values())

    def __str__(self) -> str:
        """`selection: 4/12 runs done, about 3 min 20 s left`."""
        line = f"{self._name}: {self.runs_done}/{plural(self._runs, 'run')} done"
        if self.runs_done < self._runs and math.isfinite(self.remaining_s):
            line += f", about {duration(self.remaining_s)} left"
        return line
