from __future__ import annotations

import math
import time
from copy import deepcopy
from types import SimpleNamespace

import numpy as np

from paribus.execution import live
from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.live import LiveProgress
from paribus.execution.runner import plan_in
from paribus.store.live import read_live
from paribus.store.workspace import Workspace
from tests.execution.conftest import ready, runs_in, tiny, trained

ARMS = '[[arms]]\nname = "slow"\n[[arms]]\nname = "wide"\nnetwork = { hidden = [24] }\n'


def test_the_live_file_has_the_latest_epoch_of_every_run_while_training_goes_on(tmp_path, data, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    study, seen = tiny(data, ARMS, replicates="1"), []
    folder = tmp_path / "w"

    def watch(event):
        seen.append((event, read_live(folder)))

    with Workspace.open(folder, create=True, write=True) as workspace:
        trained(study, workspace, watch)
        study_id = workspace.study("tiny").id
        curves = {run.id: workspace.curves(run.id) for run in runs_in(workspace, study).values()}
        after = read_live(folder)
    assert read_live(folder) is None

    for event, content in seen:
        assert (content["study"], content["name"], content["cohorts"]["total"]) == (study_id, "tiny", 2)
        begun = content["cohorts"]["begun"]
        assert content["progress"]["runs"] == 2
        match event:
            case CohortStarted():
                assert begun[event.index]["state"] == "training"
                assert (begun[event.index]["epoch"], begun[event.index]["epochs"]) == (0, 5)
            case EpochDone():
                assert begun[event.index]["epoch"] == event.epoch
                for run_id in event.run_ids:
                    latest = content["runs"][run_id]
                    assert latest["epoch"] == event.epoch
                    for name, value in latest["metrics"].items():
                        assert value == curves[run_id][name][event.epoch - 1]
            case CohortDone():
                assert begun[event.index]["state"] == "done"
    assert [cohort["state"] for cohort in after["cohorts"]["begun"]] == ["done", "done"]
    assert after["progress"] == {"runs": 2, "runs_done": 2, "share": 1.0, "remaining_s": 0.0}
    shares = [content["progress"]["share"] for _, content in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert set(after["runs"]) == set(curves)


def test_epochs_are_written_once_in_a_while_and_starts_and_ends_at_once(tmp_path, data, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 3600.0)
    writes, events = [], []
    monkeypatch.setattr(Workspace, "write_live", lambda _, content: writes.append(content))
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        trained(tiny(data, ARMS, replicates="1"), workspace, events.append)
    assert sum(isinstance(event, EpochDone) for event in events) == 10
    assert len(writes) == sum(not isinstance(event, EpochDone) for event in events) == 4
    assert writes[-1]["cohorts"]["begun"][0]["remaining_s"] == 0


def test_a_loss_that_is_not_a_number_is_none_in_the_live_file(tmp_path, data, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    change = {"replicates": "1", "optimizer.lr": "1e6", "optimizer.weight_decay": "1"}
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        trained(tiny(data, **change), workspace)
        content = read_live(tmp_path / "w")
        (run,) = runs_in(workspace, tiny(data, **change)).values()
        losses = workspace.curves(run.id)["train_loss"]
    assert run.state == "diverged"
    assert not math.isfinite(losses[-1])
    assert np.isfinite(losses[:-1]).all()
    assert content["runs"][run.id]["metrics"]["train_loss"] is None


def test_the_file_keeps_up_with_the_last_epoch_and_tells_that_training_goes_on(tmp_path, data, monkeypatch):
    """Without another event: the last epoch within `EVERY_S`, and the time of writing every `SILENT_S`."""
    clock, writes, events = [0.0], [], []
    study = tiny(data, ARMS, replicates="1")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        plan = plan_in(ready(study), workspace, timing=False)
        trained(study, workspace, events.append)
        monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
        monkeypatch.setattr(Workspace, "write_live", lambda _, content: writes.append(deepcopy(content)))
        progress = LiveProgress("id", plan, workspace)
        of_first = [event for event in events if event.index == 0]
        for event in of_first[:3]:
            progress.take(event)
        assert len(writes) == 1
        for now, written in ((0.5, 1), (1.0, 2), (5.5, 2), (6.0, 3), (7.0, 3)):
            clock[0] = now
            progress.keep_up()
            assert len(writes) == written
    assert [content["cohorts"]["begun"][0]["epoch"] for content in writes] == [0, 2, 2]
