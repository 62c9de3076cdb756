"""What a session of training is expected to take: before it, from timing runs, and again from its first epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, final

from paribus.energy.forecast import ENOUGH, Range, range_of
from paribus.energy.meters import Usage
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.execution.worker import now
from paribus.store.records import Forecast
from paribus.training.plan import Plan

PLAN: Final = "timing runs of a few steps of each cohort on this machine"
FIRST: Final = "the first"
"""What the basis of a forecast from the first epochs begins with."""
PLAN_OFF_BY: Final = (0.8, 1.25)
"""Time used over time expected, at least and at most, while a workspace has too few forecasts of its own to tell
(docs/energy.md, docs/whole-study.md)."""
FIRST_OFF_BY: Final = (0.9, 1.15)
"""The same of forecasts from the first epochs (docs/energy.md)."""
AROUND_S: Final = 2.0
"""What starting may add, which timing runs do not see."""
FIRST_SHARE: Final = 0.02
"""The part of the work after which the forecast is made again."""
FIRST_EPOCHS: Final = 2
"""Epochs that every cohort in training must have had by then: the first one makes ready what the others use."""
FIRST_S: Final = 0.5
"""Seconds after that first epoch that every cohort in training must have had, too: the pace of less says little."""


def planned(study_id: str, plan: Plan, timing: Usage, ratios: Sequence[float], session: str = "") -> Forecast:
    """What the unfinished runs of a plan are expected to use: time by timing runs, energy at the watts that those drew.

    `timing` is what the timing runs took, and `ratios` are used over expected of earlier forecasts of this kind.
    """
    busy_s = sum(cohort.expected_s or 0.0 for cohort in plan.cohorts)
    watts = None if timing.energy_j is None or timing.cpu_s <= 0 else timing.energy_j / timing.cpu_s
    wall_s, energy_j = plan.expected_s or 0.0, None if watts is None else watts * busy_s
    sure = range_of(ratios, PLAN_OFF_BY)
    if sure.n < ENOUGH and wall_s > 0:
        sure = replace(sure, high=sure.high + AROUND_S / wall_s)
    model_epochs = sum(run.epochs_left for run in plan.unfinished)
    return _with_range(Forecast(study_id, now(), model_epochs, wall_s, energy_j, PLAN, session=session), sure)


def _with_range(forecast: Forecast, sure: Range) -> Forecast:
    energy_j = forecast.energy_j
    return replace(
        forecast,
        low_s=sure.low * forecast.wall_s,
        high_s=sure.high * forecast.wall_s,
        low_j=None if energy_j is None else sure.low * energy_j,
        high_j=None if energy_j is None else sure.high * energy_j,
    )


@dataclass
class _Pace:
    """The epochs of one cohort in this session: when the first ended, when the latest did, and how many there were."""

    left: int
    first_at: float = 0.0
    last_at: float = 0.0
    epochs: int = 0
    over: bool = False

    @property
    def epoch_s(self) -> float | None:
        return (self.last_at - self.first_at) / (self.epochs - 1) if self.epochs > 1 else None

    @property
    def is_known(self) -> bool:
        """Whether there were enough epochs to tell how long the others take."""
        return self.epochs >= FIRST_EPOCHS and self.last_at - self.first_at >= FIRST_S

    @property
    def remaining_s(self) -> float:
        return 0.0 if self.over else (self.left - self.epochs) * (self.epoch_s or 0.0)


@final
class FirstEpochs:
    """Follows the events of a session, and makes one forecast once a part of its work is done and the pace is known.

    A cohort in training is expected to go on at its own pace. One that waits is expected to take what its timing run
    said, times what the others took over what theirs said. Both are then measured, for as long as the plan says.
    """

    def __init__(self, study_id: str, plan: Plan, session: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._study_id, self._plan, self._session = study_id, plan, session
        self._clock = clock
        self._began = clock()
        self._paces: dict[int, _Pace] = {}
        self._work = {index: cohort.parameters for index, cohort in enumerate(plan.cohorts)}
        self._whole = sum(self._work[index] * cohort.epochs_left for index, cohort in enumerate(plan.cohorts))
        self._made = False

    def take(self, event: Event) -> bool:
        """Note an event; True once, when it is time for `forecast`."""
        match event:
            case CohortStarted():
                self._paces[event.index] = _Pace(event.epochs - event.first_epoch)
            case EpochDone():
                pace, at = self._paces[event.index], self._clock()
                pace.epochs += 1
                pace.first_at = pace.first_at if pace.epochs > 1 else at
                pace.last_at = at
            case CohortDone():
                self._paces[event.index].over = True
            case CohortLost():
                self._made = True  # epochs are trained again, so their number says nothing
        if self._made or not isinstance(event, EpochDone):
            return False
        done = sum(self._work[index] * pace.epochs for index, pace in self._paces.items())
        training = [pace for pace in self._paces.values() if not pace.over]
        self._made = done >= FIRST_SHARE * self._whole and all(pace.is_known for pace in training)
        return self._made

    def forecast(self, energy_j: float | None, ratios: Sequence[float]) -> Forecast | None:
        """What the whole session is expected to take, `energy_j` having been used so far; None where nothing tells."""
        elapsed = self._clock() - self._began
        slower = self._slower()
        if slower is None or elapsed <= 0:
            return None
        cohorts = self._plan.cohorts
        free_at = [pace.remaining_s + cohorts[index].end_s for index, pace in self._paces.items() if not pace.over]
        free_at += [0.0] * (self._plan.device.workers - len(free_at))
        for index, cohort in enumerate(cohorts):
            if index not in self._paces:
                free_at.sort()
                free_at[0] += slower * (cohort.epochs_s or 0.0) + cohort.end_s
        wall_s = elapsed + max(free_at)
        done = sum(self._work[index] * pace.epochs for index, pace in self._paces.items())
        basis = f"{FIRST} {100 * done / self._whole:.2g} % of the epochs"
        expected_j = None if energy_j is None else energy_j * wall_s / elapsed
        epochs = sum(run.epochs_left for run in self._plan.unfinished)
        made = Forecast(self._study_id, now(), epochs, wall_s, expected_j, basis, session=self._session)
        return _with_range(made, range_of(ratios, FIRST_OFF_BY))

    def _slower(self) -> float | None:
        """The median of the epochs' times over those that timing runs said."""
        found = [
            pace.epoch_s * cohort.epochs_left / cohort.epochs_s
            for index, pace in self._paces.items()
            if pace.epoch_s is not None and (cohort := self._plan.cohorts[index]).epochs_s
        ]
        return median(found) if found else None
