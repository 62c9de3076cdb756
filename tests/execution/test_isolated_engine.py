"""Modules are evaluated in a process of their own: the same figures, and no user's code in this one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import paribus
from paribus.errors import UserError
from paribus.execution.evaluation import evaluate_own, of_arm, subject_from_file, subject_from_workspace
from paribus.execution.isolated_engine import IsolatedEngine
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training import loaded
from tests.execution.conftest import recorded, runs_in, trained
from tests.training.torch.module_runs import checked_here, prepared

STUDY = """
name = "own"
question = "Does it work?"
replicates = 1

[data]
source = "images.npz"
split = "given"

[network]
kind = "module"
module = "told.py:Told"

[optimizer]
kind = "adam"
lr = 0.002

[training]
epochs = 2
batch_size = 16

[selection]
rules = ["min-val-loss", "last"]

[[arms]]
name = "own"
"""
TOLD = """
import os
import torch
from pathlib import Path
from torch import nn

Path(__file__).with_name(f"ran-{os.getpid()}").touch()


class Told(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        if not self.training and len(x) > 20:
            AT_WORK
        return self.layers(x)


def focal(outputs, targets, gamma=2.0):
    own = nn.functional.cross_entropy(outputs, targets, reduction="none")
    return (1 - torch.exp(-own)) ** gamma * own
"""
FOCAL = '{ kind = "function", function = "told.py:focal", arguments = { gamma = 1.5 } }'


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "told.py").write_text(TOLD.replace("AT_WORK", "pass"), encoding="utf-8")
    return prepared(tmp_path)


def study(folder: Path, **changes: str) -> Study:
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return parse(STUDY, place="own.toml", folder=folder, overrides=overrides)


def ran_here(folder: Path) -> bool:
    return (folder / f"ran-{os.getpid()}").exists()


def plain(width: int = 8) -> torch.nn.Module:
    layers = [torch.nn.Flatten(), torch.nn.Linear(784, width), torch.nn.BatchNorm1d(width), torch.nn.ReLU(),
              torch.nn.Linear(width, 3)]  # fmt: skip
    model = torch.nn.Sequential(*layers)
    with torch.no_grad():
        model[2].running_mean.normal_()
        model[2].num_batches_tracked.fill_(7)
    return model.eval()


def saved(model: torch.nn.Module, to: Path, prefix: str = "layers.") -> Path:
    torch.save({f"{prefix}{name}": value for name, value in model.state_dict().items()}, to)
    return to


def in_any_order(workspace: Workspace, of: Study) -> dict[str, object]:
    """The results of the only run; what was measured later stands after what was measured at once."""
    (found,) = recorded(workspace, of).values()
    unordered = {name: set(found[name]) for name in ("measurements", "artifacts")}
    return {**found, **unordered}


def test_a_file_is_evaluated_as_an_arm_of_a_module_and_no_code_of_it_runs_here(folder):
    model = plain()
    run, engine = of_arm(study(folder), "own", 0)
    found = evaluate_own(subject_from_file(saved(model, folder / "w.pt"), run, engine)).measured
    held_out = run.splits.validation
    with torch.no_grad():
        outputs = model(torch.tensor(held_out.inputs))
    labels = torch.tensor(held_out.labels)
    assert found["val_loss"] == pytest.approx(torch.nn.functional.cross_entropy(outputs, labels).item(), rel=1e-6)
    assert found["val_accuracy"] == (outputs.argmax(1) == labels).double().mean().item()
    assert not ran_here(folder)
    assert list(folder.glob("ran-*"))


def test_later_measurements_of_a_module_have_the_bits_of_training_and_run_none_of_its_code_here(tmp_path, folder):
    whole = study(folder, test__read_at='["last"]', occlusion__patch="7", loss=FOCAL)
    less = study(folder, loss=FOCAL)
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(whole, workspace, workers=1)
        expected = in_any_order(workspace, whole)
    with Workspace.open(tmp_path / "later", create=True, write=True) as workspace:
        trained(less, workspace, workers=1)
        outcome = trained(whole, workspace, workers=1)
        assert (outcome.trained, outcome.measured) == (0, 1)
        assert in_any_order(workspace, whole) == expected
        reads = workspace.test_reads(workspace.study(whole.name).id)
        assert {read.purpose for read in reads} == {"later measurement"}
    assert not ran_here(folder)


def test_a_recorded_network_has_the_figures_that_are_recorded(tmp_path, folder):
    own = study(folder)
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        trained(own, workspace, workers=1)
        run, engine = of_arm(own, "own", 0)
        found = evaluate_own(subject_from_workspace(workspace, run, engine, "last")).measured
        (record,) = runs_in(workspace, own).values()
        assert found["val_loss"] == workspace.curves(record.id)["val_loss"][-1]


@pytest.mark.parametrize(
    ("at_work", "words"),
    [
        ("raise RuntimeError('no such batch')", r"told\.py:\d+: must run without an error.*no such batch"),
        ("os._exit(4)", r"told\.py: must not end the process that evaluates it, got exit code 4"),
        ("os.kill(os.getpid(), 9)", r"must not end the process that evaluates it, got signal SIGKILL"),
    ],
)
def test_what_a_module_does_wrong_in_evaluation_is_one_line(folder, monkeypatch, at_work, words):
    monkeypatch.setattr(loaded, "checked", lambda _arm, *given: checked_here(*given[:-1]))
    (folder / "told.py").write_text(TOLD.replace("AT_WORK", at_work), encoding="utf-8")
    run, engine = of_arm(study(folder), "own", 0)
    subject = subject_from_file(saved(plain(), folder / "w.pt"), run, engine)
    with pytest.raises(UserError, match=words) as caught:
        evaluate_own(subject)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_network_is_refused(folder, monkeypatch):
    monkeypatch.setattr(loaded, "checked", lambda _arm, *given: checked_here(*given[:-1]))
    run, engine = of_arm(study(folder), "own", 0)
    with pytest.raises(UserError, match=r"the weights of the network Told.*layers\.1\.weight of shape 5 x 784, not 8"):
        subject_from_file(saved(plain(5), folder / "w.pt"), run, engine)
    engine.close()


def test_no_process_stays_behind(folder, monkeypatch):
    monkeypatch.setattr(loaded, "checked", lambda _arm, *given: checked_here(*given[:-1]))
    run, engine = of_arm(study(folder), "own", 0)
    assert isinstance(engine, IsolatedEngine)
    subject = subject_from_file(saved(plain(), folder / "w.pt"), run, engine)
    evaluate_own(subject)
    assert engine._child is None
    subject_from_file(folder / "w.pt", run, engine)
    process = engine._child._process
    del subject, engine
    for _ in range(100):
        if process.poll() is not None:
            break
        time.sleep(0.05)
    assert process.returncode is not None


def test_a_class_is_named_without_a_study(folder, monkeypatch):
    monkeypatch.chdir(folder)
    model = plain()
    random = np.random.default_rng(0)
    inputs, labels = random.random((40, 784), dtype=np.float32), np.arange(40) % 3
    np.savez("own.npz", inputs=inputs, labels=labels)
    found = paribus.evaluate(
        saved(model, folder / "w.pt", "module.layers."), network="told.py:Told", data="own.npz", target="labels",
        changes={"data.inputs": "inputs"},
    )  # fmt: skip
    with torch.no_grad():
        expected = model(torch.from_numpy(inputs)).numpy()
    assert found.measured["accuracy"] == np.mean(expected.argmax(1) == labels)
    np.testing.assert_allclose(found.scores.outputs, expected, rtol=1e-4, atol=1e-5)
    assert not ran_here(folder)
