"""Stopping in order: a budget or somebody who watches pauses a study, and the same call goes on with the same bits."""

from __future__ import annotations

import pytest

from paribus.errors import UserError
from paribus.execution.events import EpochDone
from paribus.execution.limits import Budget, Limits
from paribus.execution.runner import prepare, run_study
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, recorded, tiny, trained


@pytest.mark.parametrize(
    ("text", "seconds", "joules"),
    [
        ("90s", 90.0, None),
        ("20min", 1200.0, None),
        ("1.5 h", 5400.0, None),
        ("50kJ", None, 50_000.0),
        ("0.1kWh", None, 360_000.0),
        ("12 J", None, 12.0),
    ],
)
def test_a_budget_is_a_time_or_an_energy(text, seconds, joules):
    assert Budget.of(text) == Budget(seconds, joules)


@pytest.mark.parametrize("text", ["", "20", "0s", "-3min", "1 kj", "ten minutes", "1e3J"])
def test_a_budget_without_a_unit_is_refused_in_one_line(text):
    with pytest.raises(UserError, match="--budget") as caught:
        Budget.of(text)
    assert "\n" not in str(caught.value)


def test_time_and_energy_count_over_several_studies():
    at = [0.0]
    timed = Limits(Budget(10.0, None), clock=lambda: at[0])
    assert timed.reason(lambda: None) == ""
    timed.ended(3.0)
    at[0] = 11.0
    assert timed.reason(lambda: None).startswith("the budget is used up after 11 s")
    metered = Limits(Budget(None, 100.0), clock=lambda: at[0])
    assert metered.reason(lambda: 60.0) == ""
    metered.ended(60.0)
    assert "100 J" in metered.reason(lambda: 40.0)


def test_energy_that_nobody_knows_keeps_no_budget():
    assert "cannot be kept" in Limits(Budget(None, 100.0)).reason(lambda: None)


@pytest.fixture
def study(data):
    return tiny(data, ARMS, **{"training.epochs": "200", "snapshots.every": "50"})


@pytest.fixture
def whole(study, tmp_path):
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(study, workspace)
        return recorded(workspace, study)


def test_who_watches_pauses_a_study_and_the_same_call_goes_on(study, whole, workspace):
    seen = []

    def enough(event):
        seen.append(event)
        return isinstance(event, EpochDone) and event.epoch >= 7

    paused = run_study(prepare(study, workers=1), workspace, limits=Limits(watch=[enough]))
    assert paused.stopped == "enough asked for it"
    assert paused.left > 0
    states = {run.state for _, _, run in workspace.runs_of(workspace.study(study.name).id)}
    assert "paused" in states
    rest = trained(study, workspace, workers=1)
    assert rest.stopped == ""
    assert rest.resumed > 0
    assert recorded(workspace, study) == whole


def test_an_energy_budget_pauses_a_study(study, whole, workspace, monkeypatch):
    monkeypatch.setattr("paribus.execution.limits.READ_EVERY_S", 0.0)
    paused = run_study(prepare(study, workers=1), workspace, meters=["model"], limits=Limits(Budget(None, 1e-6)))
    assert "the budget is used up" in paused.stopped
    assert paused.trained + paused.left == 6
    trained(study, workspace)
    assert recorded(workspace, study) == whole


def test_an_error_of_who_watches_is_raised_when_all_have_their_checkpoints(study, whole, workspace):
    def broken(event):
        if isinstance(event, EpochDone) and event.epoch == 3:
            raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        run_study(prepare(study), workspace, limits=Limits(watch=[broken]))
    trained(study, workspace)
    assert recorded(workspace, study) == whole


def test_a_budget_used_up_before_a_study_begins_trains_nothing(study, workspace):
    at = [0.0]
    limits = Limits(Budget(1.0, None), clock=lambda: at[0])
    at[0] = 5.0
    outcome = run_study(prepare(study), workspace, limits=limits)
    assert (outcome.trained, outcome.left) == (0, 6)
