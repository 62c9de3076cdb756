"""Whole studies of a user's own modules: recorded, resumed, killed, reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import paribus
from paribus.cli.main import run_command
from paribus.execution.events import EpochDone
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training import loaded
from tests.execution.conftest import InterruptAfter, recorded, runs_in, trained
from tests.training.torch.module_runs import NETS, checked_here, prepared

STUDY = """
name = "own"
question = "Does it work?"
replicates = 2

[data]
source = "images.npz"
split = "given"

[network]
kind = "module"
module = "nets.py:LeNet"
arguments = { classes = 3, dropout = 0.2 }

[optimizer]
kind = "adam"
lr = 0.002

[schedule]
kind = "one-cycle"

[training]
epochs = 4
batch_size = 16

[selection]
rules = ["min-val-loss", "last"]

[test]
read_at = ["last"]

[[arms]]
name = "lenet"
"""
MORE = """
[[arms]]
name = "blocks"
network = { module = "nets.py:Blocks", arguments = { classes = 3, widths = [4, 6] } }

[[arms]]
name = "layers"
network = { kind = "mlp", hidden = [8] }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The files of a study, whose modules are checked in this process: another one takes seconds to start."""
    monkeypatch.setattr(loaded, "checked", lambda _arm, *given: checked_here(*given[:-1]))
    return prepared(tmp_path)


def study(folder: Path, more: str = "", **changes: str) -> Study:
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return parse(STUDY + more, place="own.toml", folder=folder, overrides=overrides)


def mixed(folder: Path) -> Study:
    return study(folder, MORE)


def test_arms_of_modules_and_of_layers_are_recorded_with_source_layers_and_size(folder, workspace):
    both = mixed(folder)
    assert trained(both, workspace).trained == 6
    runs = runs_in(workspace, both)
    for (arm, _), run in runs.items():
        numbers = {(m.rule, m.name): m.value for m in workspace.measurements(run.id)}
        arrays = {(a.rule, a.name): workspace.tensors.get(a.tensors) for a in workspace.artifacts(run.id)}
        assert run.state == "done"
        assert 0 <= numbers["last", "test_accuracy"] <= 1
        assert arrays["last", "outputs/validation"]["outputs"].shape == (30, 3)
        if arm == "layers":
            assert "torch" not in run.environment
            assert ("", "source") not in arrays
            continue
        assert run.environment["torch"]
        assert set(arrays["", "source"]) == {"nets.py", "blocks.py"}
        assert arrays["", "source"]["nets.py"].tobytes() == (NETS / "nets.py").read_bytes()
        assert arrays["", "layers"]["parameters"].sum() == numbers["", "parameters"]
        assert numbers["", "training_operations"] > 2 * numbers["", "operations"] > 0
        assert ("last", "units") not in arrays
    whole = recorded(workspace, both)
    assert trained(both, workspace).trained == 0
    assert recorded(workspace, both) == whole


def test_a_study_that_was_interrupted_twice_ends_with_the_same_bits(tmp_path, folder, often):
    own = study(folder, replicates="1", training__epochs="300")  # more than train until the parent says stop
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(own, workspace, workers=1)
        whole = recorded(workspace, own)
    for nth in (1, 2):
        with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
            trained(own, workspace, InterruptAfter(EpochDone, nth), workers=1)
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        assert trained(own, workspace, workers=1).resumed > 0
        assert recorded(workspace, own) == whole


def test_a_run_has_the_same_bits_alone_and_among_others(tmp_path, folder):
    alone, both = study(folder, replicates="1"), study(folder)
    with Workspace.open(tmp_path / "one", create=True, write=True) as workspace:
        trained(alone, workspace, workers=1)
        expected = recorded(workspace, alone)["lenet", 0]
    with Workspace.open(tmp_path / "two", create=True, write=True) as workspace:
        trained(both, workspace)
        assert recorded(workspace, both)["lenet", 0] == expected


def test_a_study_that_was_killed_ends_with_the_same_bits(tmp_path, folder, monkeypatch):
    (folder / "own.toml").write_text(STUDY.replace("replicates = 2", "replicates = 1"), encoding="utf-8")
    own = study(folder, replicates="1", training__epochs="12")
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(own, workspace, workers=1)
        whole = recorded(workspace, own)
    source = {"PYTHONPATH": str(Path(paribus.__file__).parent.parent), "PARIBUS_CHECKPOINT_S": "1e-9"}
    command = [sys.executable, "-m", "paribus", "run", "own.toml", "--set", "training.epochs=12"]
    where = ["--workspace", str(tmp_path / "cut")]
    child = subprocess.Popen(
        command + where, cwd=folder, env={**os.environ, **source}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for_a_checkpoint(tmp_path / "cut", child)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        outcome = trained(own, workspace, workers=1)
        assert outcome.resumed + outcome.reused > 0
        assert recorded(workspace, own) == whole


def _wait_for_a_checkpoint(workspace: Path, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        if (workspace / "workspace.sqlite").exists():
            with Workspace.open(workspace) as opened:
                for record in opened.studies():
                    if any(run.epochs_done for _, _, run in opened.runs_of(record.id)):
                        return
        time.sleep(0.02)
    raise AssertionError("it ended before it was killed")


def test_a_changed_source_gives_new_runs_and_says_so(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    Path("own.toml").write_text(STUDY.replace("replicates = 2", "replicates = 1"), encoding="utf-8")
    assert run_command(["run", "own.toml"]) == 0
    with Path("blocks.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    capsys.readouterr()
    assert run_command(["plan", "own.toml", "--json"]) == 0
    assert "the source of the module differs" in capsys.readouterr().err


def test_the_report_has_layers_and_source_and_says_what_is_shared(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    with Workspace.open(Path("paribus-workspace"), create=True, write=True) as workspace:
        trained(mixed(folder), workspace)
    assert run_command(["report", "own"]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    assert "class LeNet(nn.Module):" in page
    assert "blocks.0.norm" in page
    assert "Arms of different architectures do not share initial weights" in page
    assert run_command(["verify"]) == 0
    source = next(iter(Path("paribus-workspace/tensors").glob("*")))
    damaged = bytearray(source.read_bytes())
    damaged[-1] ^= 1
    source.write_bytes(damaged)
    assert run_command(["verify"]) != 0


def test_a_reconstruction_by_a_module_is_reported(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    changes = {"data__task": '"reconstruction"', "loss": '"mse"', "test__read_at": "[]", "selection__rules": '["last"]'}
    own = study(folder, network='{ kind = "module", module = "nets.py:Squeeze" }', **changes)
    with Workspace.open(Path("paribus-workspace"), create=True, write=True) as workspace:
        trained(own, workspace)
        run = runs_in(workspace, own)["lenet", 0]
        numbers = {(m.rule, m.name): m.value for m in workspace.measurements(run.id)}
        assert np.isfinite(numbers["last", "mse"])
        assert ("last", "pca_mse") not in numbers
    assert run_command(["report", "own"]) == 0


def test_a_gpu_is_refused_for_modules(folder):
    from paribus.errors import UserError
    from paribus.training.devices import Device
    from paribus.training.plan import runs_of

    gpu = Device("cuda", "a GPU", 1, (1,), 2**30)
    with pytest.raises(UserError, match="modules train on the CPU"):
        runs_of(study(folder), gpu)
