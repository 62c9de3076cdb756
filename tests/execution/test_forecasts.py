"""Forecasts of a session: from the plan, and from its first epochs, on a clock that is told what time it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.energy.meters import Usage
from paribus.execution import forecasts
from paribus.execution.events import CohortLost, CohortStarted, EpochDone
from paribus.execution.forecasts import AROUND_S, FIRST_OFF_BY, PLAN_OFF_BY, FirstEpochs, planned
from paribus.execution.runner import prepare
from paribus.training.plan import plan_cohorts
from tests.execution.conftest import ARMS, tiny, trained


@pytest.fixture
def plan(data):
    """Three cohorts of one run each on two workers; each is expected to take 100 s."""
    study = tiny(data, ARMS, **{"training.epochs": "100", "replicates": "1"})
    prepared = prepare(study, workers=2)
    found = plan_cohorts(study, prepared.runs, {}, prepared.device, timing=False)
    parts = [replace(found.cohorts[0], runs=(run,), epochs_s=100.0, end_s=7.0) for run in found.runs]
    return replace(found, cohorts=tuple(parts))


class Clock:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


def started(index):
    return CohortStarted(index, 3, ("slow",), 1, 10, 0, 100)


def epoch(index, number):
    return EpochDone(index, number, ["run"], {}, 1.0, 1.0, 0.5, 1.0, 1.0)


def test_a_plan_is_forecast_with_its_range_and_the_energy_of_its_timing(plan):
    timing = Usage("2026-01-01T00:00:00+00:00", 2.0, 4.0, 40.0, "modelled", {})
    made = planned("s", plan, timing, [], "session")
    assert (made.wall_s, made.energy_j, made.session) == (214.0, 3210.0, "session")  # 10 W of a busy core x 321 s
    assert made.low_s == pytest.approx(PLAN_OFF_BY[0] * 214.0)
    assert made.high_s == pytest.approx(PLAN_OFF_BY[1] * 214.0 + AROUND_S)
    ratios = [1.0 + i / 100 for i in range(19)]
    own = planned("s", plan, timing, ratios)
    assert (own.low_s, own.high_s) == (pytest.approx(214.0), pytest.approx(1.18 * 214.0))
    assert own.high_j == pytest.approx(3210.0 * 1.18)
    assert planned("s", plan, replace(timing, energy_j=None), []).high_j is None


def test_the_first_epochs_say_how_long_the_whole_takes(plan):
    clock = Clock()
    first = FirstEpochs("s", plan, "session", clock)
    clock.at = 3.0  # compiling
    assert not first.take(started(0))
    assert not first.take(started(1))
    due = []
    for number in range(1, 5):
        for index, seconds in ((0, 2.0), (1, 1.0)):
            clock.at += seconds if number > 1 or index else 5.0
            due.append(first.take(epoch(index, number)))
    assert due.count(True) == 1
    made = first.forecast(50.0, [])
    # The latest of both ended at 3 + 5 + 1 + 3 x 3 = 18 s; both take 3 s an epoch, 3 times what was expected.
    remaining = 96 * 3.0
    # The third cohort waits for a worker, and each cohort is measured for 7 s.
    assert made.wall_s == pytest.approx(18.0 + remaining + 7.0 + 3 * 100.0 + 7.0)
    assert made.energy_j == pytest.approx(50.0 * made.wall_s / 18.0)
    assert made.basis.startswith("the first ")
    assert (made.low_s, made.high_s) == tuple(pytest.approx(f * made.wall_s) for f in FIRST_OFF_BY)


def test_the_pace_of_a_moment_says_nothing(plan):
    """Ten epochs of 30 ms are more than 2 % of the epochs, but too little time."""
    clock = Clock()
    first = FirstEpochs("s", plan, "session", clock)
    first.take(started(0))
    first.take(started(1))
    taken = []
    for number in range(1, 20):
        clock.at += 0.03
        taken += [first.take(epoch(0, number)), first.take(epoch(1, number))]
    assert taken.count(True) == 1
    assert taken.index(True) == 2 * 17 + 1  # 17 epochs of both after their first ones, 0.51 s


def test_a_lost_worker_ends_the_forecasting(plan):
    first = FirstEpochs("s", plan, "session", Clock())
    first.take(started(0))
    first.take(CohortLost(0, 3, ("slow",), "died", again=True))
    assert not any(first.take(epoch(0, number)) for number in range(1, 30))


def test_a_session_is_forecast_twice_and_scored(workspace, data, monkeypatch):
    monkeypatch.setattr(forecasts, "FIRST_S", 0.0)  # it trains for a fraction of a second
    study = tiny(data, **{"training.epochs": "60", "replicates": "2"})
    trained(study, workspace)
    record = workspace.study(study.name)
    before, within = workspace.forecasts(record.id)
    assert before.basis.startswith("timing runs")
    assert within.basis.startswith("the first")
    [usage] = workspace.usage([run.id for _, _, run in workspace.runs_of(record.id)])
    assert {before.session, within.session} == {usage.id}
    assert before.low_s <= before.wall_s <= before.high_s
    assert before.low_j <= before.energy_j <= before.high_j
