"""The states of a run, and what is recorded before its first epoch."""

from __future__ import annotations

import pytest

from paribus.execution.events import CohortStarted, EpochDone
from paribus.store.workspace import Workspace
from tests.execution.conftest import InterruptAfter, runs_in, tiny, trained

CLAIM = """
[[arms]]
name = "slow"

[[arms]]
name = "fast"
optimizer = { lr = 0.3 }

[[claims]]
statement = "A higher rate helps."
metric = "val_accuracy"
better = { arm = "fast" }
than = { arm = "slow" }
by = 0.01
because = "One point matters."
"""


def test_a_run_is_running_while_it_trains_paused_after_an_interruption_and_done_at_the_end(tmp_path, data, often):
    study, seen = tiny(data, replicates="1", **{"training.epochs": "20"}), []
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        stop = InterruptAfter(EpochDone, 3)

        def watch(event):
            seen.append(next(iter(runs_in(workspace, study).values())))
            stop(event)

        with pytest.raises(KeyboardInterrupt):
            trained(study, workspace, watch)
        paused = next(iter(runs_in(workspace, study).values()))
    assert seen[0].state == "planned"
    assert {run.state for run in seen[1:]} == {"planned", "running"}
    assert paused.state == "paused"
    assert 3 <= paused.epochs_done < 20
    assert paused.finished_at is None

    with Workspace.open(tmp_path / "w", write=True) as workspace:
        outcome = trained(study, workspace)
        done = next(iter(runs_in(workspace, study).values()))
    assert (outcome.trained, outcome.resumed) == (1, 1)
    assert (done.state, done.epochs_done) == ("done", 20)
    assert done.finished_at is not None


def test_the_start_is_recorded_once_however_often_a_run_resumes(tmp_path, data, often, monkeypatch):
    study = tiny(data, replicates="1", **{"training.epochs": "50"})
    times = iter(f"2030-01-01T00:00:{second:02}+00:00" for second in range(60))
    for module in ("worker", "recorder", "forecasts"):
        monkeypatch.setattr(f"paribus.execution.{module}.now", lambda: next(times))
    starts = []
    for _ in range(3):
        with Workspace.open(tmp_path / "w", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
            trained(study, workspace, InterruptAfter(EpochDone))
        with Workspace.open(tmp_path / "w") as workspace:
            starts.append(next(iter(runs_in(workspace, study).values())).started_at)
    with Workspace.open(tmp_path / "w", write=True) as workspace:
        trained(study, workspace)
        starts.append(next(iter(runs_in(workspace, study).values())).started_at)
    assert starts[0] is not None
    assert len(set(starts)) == 1


def test_claims_are_registered_before_the_first_epoch(workspace, data):
    study, registered = tiny(data, CLAIM), []

    def watch(event):
        if isinstance(event, CohortStarted):
            registered.append(workspace.claims(workspace.study(study.name).id))

    trained(study, workspace, watch)
    claims = registered[0]
    assert ["A higher rate helps." in claim.text for claim in claims] == [True]
    assert all(run.started_at >= claims[0].registered_at for run in runs_in(workspace, study).values())


def test_a_claim_that_comes_later_has_a_later_time_and_an_earlier_one_keeps_its_own(tmp_path, data, monkeypatch):
    times = iter(f"2030-01-01T00:00:{second:02}+00:00" for second in range(60))
    monkeypatch.setattr("paribus.store.workspace._now", lambda: next(times))
    another = CLAIM[CLAIM.index("[[claims]]") :].replace("A higher rate helps.", "Much.").replace("0.01", "0.2")
    times_of = []
    for text in (CLAIM, CLAIM + another):
        with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
            trained(tiny(data, text), workspace)
            times_of.append([claim.registered_at for claim in workspace.claims(workspace.study("tiny").id)])
    assert times_of[1][0] == times_of[0][0] < times_of[1][1]
