"""How far a whole study has come: its runs, its work, and the time that is left, from the events of its cohorts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, final

from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.training.plan import Plan


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
    recorded_work : parameters x epochs that are recorded already.
    clock : gives seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        runs: int,
        recorded: int,
        work: int,
        recorded_work: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.runs = runs
        self.remaining_s = math.nan
        """Seconds until the last run ends; NaN before it is known."""
        self._recorded = recorded
        self._work = work
        self._recorded_work = recorded_work
        self._clock = clock
        self._cohorts: dict[int, _Cohort] = {}
        self._first: tuple[float, int] | None = None

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The progress before anything of `plan` trains."""
        left = sum(run.parameters * run.epochs_left for run in plan.runs)
        return cls(
            plan.study.name,
            runs=len(plan.runs),
            recorded=len(plan.runs) - len(plan.unfinished),
            work=left,
            recorded_work=sum(run.parameters * run.last_epoch for run in plan.runs) - left,
        )

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
        now, done = self._clock(), self._done
        if self._first is None:
            self._first = now, done
        began, before = self._first
        if done > before:
            self.remaining_s = max(0, self._work - done) * (now - began) / (done - before)

    @property
    def _done(self) -> int:
        """Parameters x epochs that were trained in this process."""
        return sum(cohort.work for cohort in list(self._cohorts.values()))  # another thread may draw meanwhile

    @property
    def runs_done(self) -> int:
        """Runs that are recorded, or that have ended in this process."""
        return self._recorded + sum(cohort.started.runs - cohort.training for cohort in list(self._cohorts.values()))

    @property
    def share(self) -> float:
        """The part of the study's work that is done, from 0 to 1; below 1 while a run is left."""
        if self.runs_done >= self.runs:
            return 1.0
        whole = self._recorded_work + self._work
        return min((self._recorded_work + self._done) / whole, 0.99) if whole else 0.0
