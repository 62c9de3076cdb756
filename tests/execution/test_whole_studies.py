"""Whole tiny studies of what recipes can ask for: resumed bit for bit, and outputs that give back what was recorded."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.execution.events import EpochDone
from paribus.store.workspace import Workspace
from tests.execution.conftest import InterruptAfter, recorded, runs_in, tiny, trained

RECIPES = {
    "class weights": {"loss": "{ class_weights = [1, 2, 5], label_smoothing = 0.1 }"},
    "one-cycle": {"schedule": '{ kind = "one-cycle" }'},
    "one-cycle with Adam": {"schedule": '{ kind = "one-cycle" }', "optimizer": '{ kind = "adam", lr = 0.01 }'},
    "clipping by norm": {"training.clip": "{ norm = 0.5 }"},
    "clipping by value": {"training.clip": "{ value = 0.02 }"},
    "activations": {"network.hidden": "[9, 8]", "network.activation": '["gelu", { kind = "elu", alpha = 0.5 }]'},
    "dropout": {"network.dropout": "0.3"},
    "orthogonal": {"network.init": '"orthogonal"', "network.activation": '"tanh"'},
    "rmsprop": {"optimizer": '{ kind = "rmsprop", lr = 0.01, momentum = 0.5, centered = true }'},
    "plateau": {"schedule": '{ kind = "reduce-on-plateau", patience = 0 }'},
    "settle": {"schedule": '{ kind = "settle", window = 2, threshold = 0.2 }'},
    "early learning": {"loss": '"early-learning-regularisation"', "data.label_noise": '{ kind = "pair", share = 0.3 }'},
    "mixup": {"augmentation.mixup": "0.5"},
    "co-teaching": {
        "training.co_teaching": "{ forget = 0.3, epochs = 4 }",
        "optimizer": '{ kind = "adam", lr = 0.01 }',
    },
    "labels apart": {
        "data.label_noise": '{ kind = "instance", share = 0.3 }',
        "metrics": '["train_accuracy_wrong", "train_accuracy_true"]',
    },
    "standardised": {"data.scale": '"standardise"', "data.label_noise": "0.2"},
}


@pytest.mark.parametrize("change", RECIPES.values(), ids=RECIPES)
def test_a_study_that_was_interrupted_twice_ends_with_the_same_bits(tmp_path, data, often, change):
    study = tiny(data, **{"training.epochs": "12", "test.read_at": '["last"]', "test.monitor_every": "3", **change})
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(study, workspace)
        whole = recorded(workspace, study)
    for nth in (3, 4):
        with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
            trained(study, workspace, InterruptAfter(EpochDone, nth))
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        assert trained(study, workspace).resumed > 0
        assert recorded(workspace, study) == whole


SETTLING = {
    "held": '[[arms]]\nname = "held"\n',
    "early": '[[arms]]\nname = "early"\nschedule = { kind = "settle", window = 1, threshold = 0.04 }\n',
    "late": '[[arms]]\nname = "late"\nschedule = { kind = "settle", window = 2, threshold = 0.1 }\n',
}


def test_each_run_lowers_its_rate_when_its_own_loss_has_settled_whatever_trains_with_it(tmp_path, data):
    study = tiny(data, "".join(SETTLING.values()), **{"replicates": "4", "training.epochs": "30"})
    with Workspace.open(tmp_path / "together", create=True, write=True) as workspace:
        trained(study, workspace, workers=1)
        together = recorded(workspace, study)
        curves = {member: workspace.curves(run.id) for member, run in runs_in(workspace, study).items()}
    lowered = set()
    for (arm, replicate), of in curves.items():
        loss, lr = of["train_loss"], of["lr"]
        if arm == "held":
            assert set(lr) == {0.1}
            continue
        window, threshold = (1, 0.04) if arm == "early" else (2, 0.1)
        means = np.convolve(loss, np.ones(window) / window, "valid")  # entry i: the mean up to epoch i + window
        fell = (means[:-window] - means[window:]) / means[:-window]
        settled = int(np.flatnonzero(fell < threshold)[0]) + 2 * window
        assert lr.tolist() == [0.1] * settled + [0.1 * 0.1] * (len(lr) - settled), (arm, replicate)
        lowered.add(settled)
    assert len(lowered) > 4
    for arm in ("early", "late"):
        alone = tiny(data, SETTLING[arm], **{"replicates": "1", "training.epochs": "30"})
        with Workspace.open(tmp_path / arm, create=True, write=True) as workspace:
            trained(alone, workspace)
            assert recorded(workspace, alone)[arm, 0] == together[arm, 0]


@pytest.mark.parametrize("change", [{}, RECIPES["class weights"], RECIPES["activations"]], ids=["plain", "loss", "two"])
def test_recorded_outputs_give_back_the_recorded_numbers(workspace, data, change):
    study = tiny(data, **{"test.read_at": '["min-val-loss", "last"]', **change})
    trained(study, workspace)
    for run in runs_in(workspace, study).values():
        numbers = {(m.rule, m.name): m.value for m in workspace.measurements(run.id)}
        arrays = {(a.rule, a.name): workspace.tensors.get(a.tensors) for a in workspace.artifacts(run.id)}
        chosen = {selected.rule: selected.epoch for selected in workspace.selections(run.id)}
        curves = workspace.curves(run.id)
        for rule in ("min-val-loss", "last"):
            for split, examples in (("train", 60), ("validation", 30), ("test", 40)):
                logits, targets = arrays[rule, f"outputs/{split}"]["outputs"], arrays["", f"targets/{split}"]
                assert (logits.dtype, logits.shape) == (np.float16, (examples, 3))
                accuracy = np.mean(logits.argmax(axis=1) == targets["labels"])
                if split == "validation":
                    assert accuracy == curves["val_accuracy"][chosen[rule] - 1]
                else:
                    assert accuracy == numbers[rule, f"{split}_accuracy"]
                if split == "test":
                    counts = np.zeros((3, 3), dtype=np.int64)
                    np.add.at(counts, (targets["labels"], logits.argmax(axis=1)), 1)
                    np.testing.assert_array_equal(arrays[rule, "confusion"]["counts"], counts)


def test_rows_of_the_targets_are_those_of_the_file(workspace, data):
    study = tiny(data, **{"data.limit": "{ train = 20, test = 10 }", "test.read_at": '["last"]'})
    trained(study, workspace)
    with np.load(data / "digits.npz") as file:
        labels = {"train": file["arr_1"], "validation": file["arr_3"], "test": file["arr_5"]}
    for run in runs_in(workspace, study).values():
        for artifact in workspace.artifacts(run.id):
            _, is_targets, split = artifact.name.partition("targets/")
            if is_targets:
                targets = workspace.tensors.get(artifact.tensors)
                np.testing.assert_array_equal(targets["labels"], labels[split][targets["rows"]])


def test_an_autoencoder_study_records_errors_and_measures_another_condition_later(workspace, data):
    base = {"data.task": '"reconstruction"', "loss": '"mse"', "network": '{ kind = "autoencoder", hidden = [4] }'}
    before = tiny(data, **base, **{"denoising.uniform": "[0.2]"})
    after = tiny(data, **base, **{"denoising.uniform": "[0.2]", "denoising.zeroed": "[0.5]"})
    trained(before, workspace)
    results = recorded(workspace, before)
    assert trained(after, workspace).measured == 2
    for member, run in runs_in(workspace, after).items():
        for old, new in zip(results[member]["measurements"], workspace.measurements(run.id), strict=False):
            assert old == new
        artifacts = {(a.rule, a.name): a.tensors for a in workspace.artifacts(run.id)}
        assert ("last", "denoising/uniform-0.2") in artifacts
        shown = workspace.tensors.get(artifacts["last", "denoising/zeroed-0.5"])
        assert shown["outputs"].shape == (4, 16)
        errors = workspace.tensors.get(artifacts["last", "outputs/train"])["error"]
        mse = next(m.value for m in workspace.measurements(run.id) if (m.rule, m.name) == ("last", "mse"))
        assert errors.mean(dtype=np.float64) == pytest.approx(mse, rel=1e-6)
    assert trained(after, workspace).measured == 0
