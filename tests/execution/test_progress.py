from __future__ import annotations

import math

import pytest

from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.progress import StudyProgress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def study(clock: Clock) -> StudyProgress:
    """Six runs, one of them recorded: a cohort of three with 100 parameters each, one of two with 300 each."""
    return StudyProgress("mini", runs=6, recorded=1, work=3 * 100 * 10 + 2 * 300 * 10, clock=clock)


FIRST = CohortStarted(0, 2, ("small",), 3, 300, 0, 10)
SECOND = CohortStarted(1, 2, ("large",), 2, 600, 0, 10)


def epoch(cohort: CohortStarted, number: int, runs: int | None = None) -> EpochDone:
    ids = [str(run) for run in range(cohort.runs if runs is None else runs)]
    return EpochDone(cohort.index, number, ids, {}, 0.5, 0.5, 0.5, 100.0, 1.0)


def test_runs_are_counted_as_they_end(study: StudyProgress) -> None:
    assert (study.name, study.runs, study.runs_done) == ("mini", 6, 1)
    study.update(FIRST)
    assert study.runs_done == 1
    study.update(epoch(FIRST, 4, runs=2))  # one stopped early
    assert study.runs_done == 2
    study.update(CohortDone(0, 3, 0, 1.0))
    assert study.runs_done == 4


def test_the_time_left_is_that_of_the_work_left(study: StudyProgress, clock: Clock) -> None:
    study.update(FIRST)
    clock.now = 100.0  # compiling
    study.update(epoch(FIRST, 1))
    assert math.isnan(study.remaining_s)
    clock.now = 102.0
    study.update(epoch(FIRST, 5))  # 4 x 300 in 2 s: 600 a second
    assert study.remaining_s == pytest.approx((9000 - 1500) / 600)
    study.update(SECOND)
    clock.now = 105.0
    study.update(CohortDone(0, 3, 0, 5.0))
    assert study.remaining_s == pytest.approx((9000 - 3000) / ((3000 - 300) / 5))


def test_a_resumed_cohort_counts_from_where_it_resumes(clock: Clock) -> None:
    study = StudyProgress("mini", runs=3, recorded=0, work=300 * 4, clock=clock)
    study.update(CohortStarted(0, 1, ("small",), 3, 300, 6, 10))
    study.update(epoch(FIRST, 7))
    clock.now = 1.0
    study.update(epoch(FIRST, 8))
    assert study.remaining_s == pytest.approx(2.0)


def test_a_study_that_is_done_has_no_time_left(clock: Clock) -> None:
    study = StudyProgress("mini", runs=3, recorded=0, work=3000, clock=clock)
    study.update(FIRST)
    study.update(epoch(FIRST, 1))
    clock.now = 1.0
    study.update(CohortDone(0, 3, 0, 1.0))
    assert study.remaining_s == 0
    assert (study.runs_done, study.share) == (3, 1.0)


def test_the_share_counts_what_is_recorded_and_what_was_trained(clock: Clock) -> None:
    study = StudyProgress("mini", runs=4, recorded=1, work=300 * 10, recorded_work=1000, clock=clock)
    assert study.share == 0.25
    study.update(FIRST)
    study.update(epoch(FIRST, 5))
    assert study.share == pytest.approx((1000 + 1500) / 4000)
    study.update(epoch(FIRST, 10))
    assert study.share == 0.99  # the runs have still to be measured and recorded
    study.update(CohortDone(0, 3, 0, 1.0))
    assert study.share == 1.0


def test_a_study_without_work_has_nothing_done() -> None:
    assert StudyProgress("mini", runs=1, recorded=0, work=0).share == 0.0
