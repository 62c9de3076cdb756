from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from paribus.execution import runner, worker
from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.runner import plan_in, run_study
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from paribus.training import engine_torch, epoch, measuring, plan
from paribus.training.devices import SIZES_ON_CUDA, Device

TEXT = """
format = 1
name = "small"
title = "Small"
question = "Does it run?"
replicates = 2
deploy = "max-val-accuracy"

[data]
protocol = "fashion-mnist/scarce"
train_images = 200
validation_images = 100
test_images = 150

[network]
layers = [784, 16, 10]

[optimizer]
kind = "sgd"
lr = 0.05
momentum = 0.9

[training]
epochs = 6
batch_size = 64

[selection]
rules = ["min-val-loss", "max-val-accuracy", "last"]

[snapshots]
every = 3

[test]
read_at = ["max-val-accuracy"]

[[arms]]
name = "slow"

[[arms]]
name = "fast"
optimizer = { lr = 0.2 }

[[arms]]
name = "stopping"
training = { early_stop = { rule = "min-val-loss", patience = 1 } }
"""


def small(**overrides):
    return parse(TEXT, place="small", overrides=overrides)


@pytest.fixture
def workspace(tmp_path):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as opened:
        yield opened


def recorded(workspace, study):
    """All results, by arm and replicate; files by the hash of their content."""
    return {
        (arm, replicate): (
            run.state,
            run.epochs_done,
            {name: values.tobytes() for name, values in workspace.curves(run.id).items()},
            workspace.selections(run.id),
            workspace.snapshots(run.id),
            workspace.measurements(run.id),
            workspace.findings(run.id),
            workspace.artifacts(run.id),
        )
        for arm, replicate, run in workspace.runs_of(study.id)
    }


def test_everything_is_recorded_once(workspace):
    study, events = small(), []
    summary = run_study(study, workspace, events.append)
    assert (summary.trained, summary.reused, summary.diverged) == (6, 0, 0)
    for arm, _, run in workspace.runs_of(study.id):
        assert run.state == "done"
        curves = workspace.curves(run.id)
        assert set(curves) == {"train_loss", "val_loss", "val_accuracy", "lr"}
        selections = {s.rule: s for s in workspace.selections(run.id)}
        assert selections["max-val-accuracy"].epoch == np.argmax(curves["val_accuracy"]) + 1
        assert selections["min-val-loss"].value == curves["val_loss"].min()
        assert selections["last"].epoch == run.epochs_done
        if arm != "stopping":
            assert [s.epoch for s in workspace.snapshots(run.id)] == [0, 3, 6]
        reads = workspace.test_reads([run.id])
        assert [(read.rule, read.images, read.purpose) for read in reads] == [
            ("max-val-accuracy", 150, "selected snapshot")
        ]
    kinds = {type(event) for event in events}
    assert kinds == {CohortStarted, EpochDone, CohortDone}

    again = run_study(study, workspace, events.append)
    assert (again.trained, again.reused) == (0, 6)


def test_monitoring_is_one_logged_reading_a_run_though_cohorts_shrink(workspace):
    study = small(**{"test.monitor_every": "1", "test.monitor_images": "60", "training.epochs": "8"})
    run_study(study, workspace)
    for arm, _, run in workspace.runs_of(study.id):
        watched = [read.images for read in workspace.test_reads([run.id]) if read.purpose == "monitoring"]
        assert watched == [60], arm
        assert len(workspace.curves(run.id)["test_accuracy"]) == run.epochs_done


def test_weights_of_a_selection_give_its_value_back(workspace):
    study = small()
    run_study(study, workspace)
    _, _, run = workspace.runs_of(study.id)[0]
    chosen = next(s for s in workspace.selections(run.id) if s.rule == "min-val-loss")
    weights = workspace.tensors.get(chosen.tensors)
    validation = plan_in(study, workspace, rehearse=False).runs[0].splits.validation
    hidden = np.maximum(validation.inputs @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    logits = hidden @ weights["fc2.weight"].T + weights["fc2.bias"]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(len(validation)), validation.labels].mean()
    assert loss == pytest.approx(chosen.value, rel=1e-5)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_do_not_depend_on_workers(tmp_path, workers):
    study, results = small(), []
    for count in (2, workers):
        with Workspace.open(tmp_path / f"w{count}", create=True, write=True) as workspace:
            run_study(study, workspace, workers=count)
            results.append(recorded(workspace, study))
    assert results[0] == results[1]


def test_an_accelerators_way_through_a_study_ends_where_the_cpus_does(tmp_path, monkeypatch):
    study, results = small(), []
    device = Device(torch.device("cpu"), "a stand-in", 1, SIZES_ON_CUDA, 2**34, measured_at_once=3)
    for way in ("cpu", "accelerator"):
        if way == "accelerator":  # all that a GPU would do otherwise, on the CPU
            monkeypatch.setattr(plan, "device_named", lambda *_: device)
            for module in (epoch, measuring):
                monkeypatch.setattr(module, "engine_for", lambda _: engine_torch)
        with Workspace.open(tmp_path / way, create=True, write=True) as workspace:
            run_study(study, workspace)
            results.append(recorded(workspace, study))
            if way == "accelerator":
                reads = [
                    read.run_id for read in workspace.test_reads([r.id for _, _, r in workspace.runs_of(study.id)])
                ]
                assert len(reads) == len(set(reads)) == 6
    for key, on_cpu in results[0].items():
        state, epochs, curves, *_ = results[1][key]
        assert (state, epochs) == on_cpu[:2]
        for name, values in curves.items():
            np.testing.assert_allclose(np.frombuffer(values), np.frombuffer(on_cpu[2][name]), rtol=1e-4, err_msg=name)


def test_an_interrupted_study_goes_on_to_the_same_results(tmp_path, monkeypatch):
    study = small(**{"training.epochs": "300", "snapshots.every": "50"})
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        run_study(study, workspace)
        whole = recorded(workspace, study)

    monkeypatch.setattr(worker, "CHECKPOINT_EVERY_S", 0.0)
    for stop_after in (20, 60):
        with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace:
            seen = []

            def interrupt(event, seen=seen, stop_after=stop_after):
                seen.append(event)
                if sum(isinstance(one, EpochDone) for one in seen) == stop_after:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                run_study(study, workspace, interrupt)
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        summary = run_study(study, workspace)
        assert summary.resumed > 0
        assert recorded(workspace, study) == whole
    assert not [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


def test_a_diverging_run_is_recorded_and_its_cohort_unaffected(tmp_path):
    text = TEXT.replace('name = "fast"\noptimizer = { lr = 0.2 }', 'name = "fast"\noptimizer = { lr = 1e6 }')
    study = parse(text.replace("momentum = 0.9", "momentum = 0.99"), place="small")
    calm = parse(TEXT.replace("momentum = 0.9", "momentum = 0.99"), place="small")
    with Workspace.open(tmp_path / "wild", create=True, write=True) as workspace:
        summary = run_study(study, workspace)
        wild = recorded(workspace, study)
    with Workspace.open(tmp_path / "calm", create=True, write=True) as workspace:
        run_study(calm, workspace)
        quiet = recorded(workspace, calm)
    states = {key: value[0] for key, value in wild.items()}
    assert summary.diverged == list(states.values()).count("diverged")
    for replicate in (0, 1):
        assert wild["slow", replicate] == quiet["slow", replicate]


def test_a_forecast_and_the_use_of_time_are_recorded(workspace):
    study = small()
    run_study(study, workspace)
    [forecast] = workspace.forecasts(study.id)
    assert forecast.wall_s > 0
    [span] = workspace.spans([run.id for _, _, run in workspace.runs_of(study.id)])
    assert span.model_epochs == sum(run.epochs_done for _, _, run in workspace.runs_of(study.id))
    assert sum(span.shares.values()) == pytest.approx(1)
    assert span.tag in ("measured", "modelled", "unknown")


def test_what_breaks_a_cohort_is_raised_after_the_others_have_saved(workspace, monkeypatch):
    study = small()

    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(worker.Worker, "_retire", broken)
    with pytest.raises(RuntimeError, match="broken"):
        runner.run_study(study, workspace)
