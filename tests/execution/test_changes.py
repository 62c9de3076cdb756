"""Studies that change after they were run: data, rules, and what is measured or kept."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.execution.events import EpochDone
from paribus.store.workspace import Workspace
from tests.execution.conftest import InterruptAfter, recorded, runs_in, save_digits, tiny, trained


def test_a_changed_data_file_gives_new_runs_and_the_old_ones_stay(tmp_path, data):
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        study = tiny(data)
        first = trained(study, workspace)
        old_id, old_runs, old = workspace.study("tiny").id, runs_in(workspace, study), recorded(workspace, study)
        save_digits(data, seed=1)
        second = trained(study, workspace)
        assert (first.trained, second.trained, second.reused) == (2, 2, 0)
        assert workspace.study("tiny").id != old_id
        assert not {run.id for run in runs_in(workspace, study).values()} & {run.id for run in old_runs.values()}
        assert [run for _, _, run in workspace.runs_of(old_id)] == list(old_runs.values())

        save_digits(data)
        third = trained(study, workspace)
        assert (third.trained, third.reused) == (0, 2)
        assert workspace.study("tiny").id == old_id
        assert recorded(workspace, study) == old


def test_rules_have_one_spelling_and_epoch_0_can_be_selected(workspace, data):
    rules = '["last", "epoch:03", "epoch:0"]'
    study = tiny(data, **{"selection.rules": rules, "snapshots.every": "1", "test.read_at": '["epoch:0", "epoch:3"]'})
    trained(study, workspace)
    for run in runs_in(workspace, study).values():
        selected = {chosen.rule: chosen for chosen in workspace.selections(run.id)}
        assert {rule: chosen.epoch for rule, chosen in selected.items()} == {"last": 5, "epoch:3": 3, "epoch:0": 0}
        kept = {snapshot.epoch: snapshot.tensors for snapshot in workspace.snapshots(run.id)}
        assert all(chosen.tensors == kept[chosen.epoch] for chosen in selected.values())
        assert [(read.rule, read.epoch) for read in workspace.test_reads([run.id])] == [("epoch:3", 3), ("epoch:0", 0)]
        values = {(m.rule, m.name) for m in workspace.measurements(run.id)}
        assert {("epoch:0", "test_accuracy"), ("epoch:3", "test_accuracy")} <= values
        units = next(a.tensors for a in workspace.artifacts(run.id) if (a.rule, a.name) == ("epoch:0", "units"))
        np.testing.assert_allclose(workspace.tensors.get(units)["fc1.cosine"], 1, rtol=1e-6)


def test_what_a_study_measures_later_trains_nothing_and_is_logged(workspace, data):
    before, after = tiny(data), tiny(data, **{"test.read_at": '["min-val-loss", "last"]'})
    trained(before, workspace)
    results = recorded(workspace, before)
    assert workspace.test_reads(workspace.study("tiny").id) == []

    outcome = trained(after, workspace)
    assert (outcome.trained, outcome.reused, outcome.measured) == (0, 2, 2)
    for member, run in runs_in(workspace, after).items():
        reads = workspace.test_reads([run.id])
        assert [(read.rule, read.examples, read.purpose) for read in reads] == [
            ("min-val-loss", 40, "later measurement"),
            ("last", 40, "later measurement"),
        ]
        later = workspace.later(run.id)
        names = ("loss", "accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece")
        figures = [f"test_{name}" for name in names]
        assert [(m.rule, m.name) for m in later if m.value is not None] == [
            (rule, name) for rule in ("min-val-loss", "last") for name in figures
        ]
        assert [(m.rule, m.name) for m in later if m.tensors is not None] == [
            ("min-val-loss", "confusion"),
            ("min-val-loss", "outputs/test"),
            ("", "targets/test"),
            ("min-val-loss", "hardest/test"),
            ("last", "confusion"),
            ("last", "outputs/test"),
            ("last", "hardest/test"),
        ]
        assert {m.purpose for m in later} == {"later measurement"}
        for name in ("curves", "selections", "snapshots"):
            assert recorded(workspace, after)[member][name] == results[member][name]

    again = trained(after, workspace)
    assert (again.trained, again.measured) == (0, 0)
    assert len(workspace.test_reads(workspace.study("tiny").id)) == 4


def test_what_is_measured_later_is_what_would_have_been_measured_at_once(tmp_path, data):
    asked = {"test.read_at": '["last"]'}
    numbers = []
    for way in ("at once", "later"):
        with Workspace.open(tmp_path / way, create=True, write=True) as workspace:
            if way == "later":
                trained(tiny(data, **{"snapshots.outputs": "false"}), workspace)
            trained(tiny(data, **asked), workspace)
            (run, *_) = runs_in(workspace, tiny(data)).values()
            values = {(m.rule, m.name): m.value for m in workspace.measurements(run.id)}
            files = {(a.rule, a.name): a.tensors for a in workspace.artifacts(run.id)}
            numbers.append((values, files))
    assert numbers[0] == numbers[1]


def test_a_rule_that_selected_nothing_is_not_measured_again_and_again(workspace, data):
    change = {"selection.rules": '["max-test-accuracy", "last"]', "test.monitor_every": "9", "training.epochs": "5"}
    study = tiny(data, **change)
    trained(study, workspace)
    run, *_ = runs_in(workspace, study).values()
    assert {s.rule: s.epoch for s in workspace.selections(run.id)} == {"max-test-accuracy": None, "last": 5}
    assert trained(study, workspace).measured == 0


def test_curves_and_snapshots_that_were_not_kept_are_named(workspace, data):
    trained(tiny(data), workspace)
    asked = {"metrics": '["train_loss_end"]', "snapshots.every": "2", "snapshots.first_layer_every": "1"}
    outcome = trained(tiny(data, **asked), workspace)
    assert outcome.trained == 0
    assert outcome.not_kept == {"train_loss_end": 2, "snapshots": 2, "first-layer snapshots": 2}


@pytest.mark.parametrize(
    "change", [{"metrics": '["train_loss_end"]'}, {"test.monitor_every": "1"}], ids=["metric", "monitoring"]
)
def test_an_interrupted_run_can_resume_with_other_curves(tmp_path, data, often, change):
    """What was measured stays, and what was not is NaN; training is the same."""
    plain, more = tiny(data, replicates="1"), tiny(data, replicates="1", **change)
    new = {"metrics": {"train_loss_end"}, "test.monitor_every": {"test_loss", "test_accuracy"}}[next(iter(change))]
    for first, second in ((plain, more), (more, plain)):
        folder = tmp_path / first.digest
        with Workspace.open(folder, create=True, write=True) as workspace:
            with pytest.raises(KeyboardInterrupt):
                trained(first, workspace, InterruptAfter(EpochDone, 2))
            (run,) = runs_in(workspace, first).values()
            done = run.epochs_done
        with Workspace.open(folder, write=True) as workspace:
            trained(second, workspace)
            (run,) = runs_in(workspace, second).values()
            curves = workspace.curves(run.id)
        assert 2 <= done < run.epochs_done == 5
        for name in new:
            measured = np.isfinite(curves[name])
            assert measured.tolist() == [(epoch < done) == (first is more) for epoch in range(5)]
        assert np.isfinite(curves["val_loss"]).all()
