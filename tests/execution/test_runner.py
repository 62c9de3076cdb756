from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.runner import plan_in, prepare
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from paribus.training.devices import CUDA_COHORT_SIZES, Device
from paribus.training.evaluation import evaluate_weights
from paribus.training.torch.engine import StackedTensorEngine
from tests.execution.conftest import ARMS, SMALL, InterruptAfter, recorded, runs_in, small, tiny, trained


def test_everything_is_recorded_once(workspace):
    study, events = small(), []
    outcome = trained(study, workspace, events.append)
    assert (outcome.trained, outcome.reused, outcome.measured, outcome.diverged) == (6, 0, 0, 0)
    for (arm, _), run in runs_in(workspace, study).items():
        assert run.state == "done"
        curves = workspace.curves(run.id)
        assert set(curves) == {"train_loss", "train_loss_examples", "val_loss", "val_accuracy", "lr"}
        selections = {s.rule: s for s in workspace.selections(run.id)}
        assert selections["max-val-accuracy"].epoch == np.argmax(curves["val_accuracy"]) + 1
        assert selections["min-val-loss"].value == curves["val_loss"].min()
        assert selections["last"].epoch == run.epochs_done
        if arm != "stopping":
            assert [s.epoch for s in workspace.snapshots(run.id)] == [0, 3, 6]
        reads = workspace.test_reads([run.id])
        assert [(read.rule, read.examples, read.purpose) for read in reads] == [
            ("max-val-accuracy", 150, "selected snapshot")
        ]
    assert {type(event) for event in events} == {CohortStarted, EpochDone, CohortDone}

    before = recorded(workspace, study)
    again = trained(study, workspace, events.append)
    assert (again.trained, again.reused, again.measured, again.not_kept) == (0, 6, 0, {})
    assert recorded(workspace, study) == before


def test_monitoring_is_one_logged_read_a_run_though_cohorts_shrink(workspace):
    study = small(**{"test.monitor_every": "1", "test.monitor_examples": "60", "training.epochs": "8"})
    trained(study, workspace)
    for (arm, _), run in runs_in(workspace, study).items():
        watched = [read.examples for read in workspace.test_reads([run.id]) if read.purpose == "monitoring"]
        assert watched == [60], arm
        assert len(workspace.curves(run.id)["test_accuracy"]) == run.epochs_done


def test_monitoring_measures_every_nth_epoch(workspace, data):
    study = tiny(data, **{"test.monitor_every": "2"})
    trained(study, workspace)
    for run in runs_in(workspace, study).values():
        measured = np.isfinite(workspace.curves(run.id)["test_accuracy"])
        assert measured.tolist() == [False, True, False, True, False]


def test_the_weights_of_a_selection_give_its_value_back_to_the_last_bit(workspace):
    study = small()
    trained(study, workspace)
    prepared = prepare(study)
    for planned in prepared.runs:
        curves = workspace.curves(planned.id)
        for chosen in workspace.selections(planned.id):
            weights = workspace.tensors.get(chosen.tensors)
            found = evaluate_weights(planned.spec, planned.splits, weights, prepared.device.engine())
            values = {number.name: number.value for number in found.numbers}
            assert values["val_loss"] == curves["val_loss"][chosen.epoch - 1]
            assert values["val_accuracy"] == curves["val_accuracy"][chosen.epoch - 1]


def test_the_weights_of_a_selection_are_pytorchs(workspace):
    study = small()
    trained(study, workspace)
    run = plan_in(prepare(study), workspace, timing=False).runs[0]
    chosen = next(s for s in workspace.selections(run.id) if s.rule == "min-val-loss")
    weights = {name: torch.tensor(value) for name, value in workspace.tensors.get(chosen.tensors).items()}
    validation = run.splits.validation
    hidden = torch.relu(torch.tensor(validation.inputs) @ weights["fc1.weight"].T + weights["fc1.bias"])
    logits = hidden @ weights["fc2.weight"].T + weights["fc2.bias"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(validation.labels))
    assert loss.item() == pytest.approx(chosen.value, rel=1e-5)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_do_not_depend_on_workers(tmp_path, data, workers):
    study, results = tiny(data, ARMS, **{"test.read_at": '["last"]', "snapshots.every": "2"}), []
    for count in (2, workers):
        with Workspace.open(tmp_path / f"w{count}", create=True, write=True) as workspace:
            trained(study, workspace, workers=count)
            results.append(recorded(workspace, study))
    assert results[0] == results[1]


class Accelerator(Device):
    """All that a GPU would do otherwise, on the CPU."""

    def engine(self):
        return StackedTensorEngine(torch.device("cpu"))


def test_an_accelerators_way_through_a_study_ends_where_the_cpus_does(tmp_path):
    study = small()
    stand_in = Accelerator("cuda", "cpu", 1, CUDA_COHORT_SIZES, 2**34, evaluated_at_once=3)
    with Workspace.open(tmp_path / "cpu", create=True, write=True) as workspace:
        trained(study, workspace)
        on_cpu = recorded(workspace, study)
    with Workspace.open(tmp_path / "accelerator", create=True, write=True) as workspace:
        trained(study, workspace, device=stand_in)
        runs = runs_in(workspace, study)
        reads = [read.run_id for read in workspace.test_reads([run.id for run in runs.values()])]
        assert len(reads) == len(set(reads)) == 6
        for member, run in runs.items():
            ours = on_cpu[member]
            assert (run.state, run.epochs_done) == (ours["state"], ours["epochs"])
            for name, values in workspace.curves(run.id).items():
                theirs = np.frombuffer(ours["curves"][name])
                np.testing.assert_allclose(values, theirs, rtol=1e-4, err_msg=name)
            values = {(m.rule, m.name): m.value for m in workspace.measurements(run.id)}
            expected = {(m.rule, m.name): m.value for m in ours["measurements"]}
            assert values == pytest.approx(expected, rel=1e-4)


def test_an_interrupted_study_resumes_to_the_same_results(tmp_path, data, monkeypatch):
    study = tiny(data, ARMS, **{"training.epochs": "20", "snapshots.every": "5", "test.read_at": '["last"]'})
    before = threading.enumerate()
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(study, workspace)
        whole = recorded(workspace, study)

    monkeypatch.setenv("PARIBUS_CHECKPOINT_S", "1e-9")
    for stop_after in (6, 12):
        with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
            trained(study, workspace, InterruptAfter(EpochDone, stop_after))
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        outcome = trained(study, workspace)
        assert outcome.resumed > 0
        assert recorded(workspace, study) == whole
    assert not [thread for thread in threading.enumerate() if thread not in before]


def test_a_diverging_run_is_recorded_and_its_cohort_unaffected(tmp_path, data):
    wild = ARMS.replace("lr = 0.3", "lr = 1e6, weight_decay = 1.0")
    results = []
    for arms in (wild, ARMS):
        with Workspace.open(tmp_path / str(len(arms)), create=True, write=True) as workspace:
            outcome = trained(tiny(data, arms), workspace, workers=1)
            results.append(recorded(workspace, tiny(data, arms)))
            assert outcome.diverged == (2 if arms is wild else 0)
    for replicate in (0, 1):
        assert results[0]["fast", replicate]["state"] == "diverged"
        for arm in ("slow", "stopping"):
            assert results[0][arm, replicate] == results[1][arm, replicate]


def test_runs_of_different_evaluation_losses_do_not_share_a_cohort(tmp_path):
    """The validation loss has class weights: with another run's, it would depend on the cohort."""
    arms = """
    [[arms]]
    name = "plain"

    [[arms]]
    name = "weighted"
    loss = { class_weights = [9, 1, 1, 1, 1, 1, 1, 1, 1, 1] }
    """
    both = parse(SMALL[: SMALL.index("[[arms]]")] + arms, place="small")
    alone = both.model_copy(update={"arms": both.arms[1:], "control": "weighted"})
    results = []
    for study in (both, alone):
        with Workspace.open(tmp_path / str(len(study.arms)), create=True, write=True) as workspace:
            trained(study, workspace, workers=1)
            results.append(recorded(workspace, study))
    for replicate in (0, 1):
        assert results[0]["weighted", replicate] == results[1]["weighted", replicate]


def test_a_forecast_and_the_time_used_are_recorded(workspace):
    study = small()
    trained(study, workspace)
    forecast, *_ = workspace.forecasts(workspace.study(study.name).id)
    assert forecast.wall_s > 0
    runs = runs_in(workspace, study).values()
    [usage] = workspace.usage([run.id for run in runs])
    assert usage.model_epochs == sum(run.epochs_done for run in runs)
    assert sum(usage.shares.values()) == pytest.approx(1)
    assert usage.tag in ("measured", "modelled", "unknown")
