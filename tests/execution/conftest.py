"""Small studies, and workspaces to record them in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.child_python import python_path
from paribus.execution.events import Event, Listener, silent
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.runner import PreparedStudy, StudyOutcome, prepare, run_study
from paribus.spec.study import Study, parse
from paribus.store.records import RunRecord
from paribus.store.workspace import Workspace
from paribus.training.devices import Device

SMALL = """
format = 1
name = "small"
title = "Small"
question = "Does it run?"
replicates = 2
deploy = "max-val-accuracy"

[data]
source = "fashion-mnist"
split = "scarce"
limit = { train = 200, validation = 100, test = 150 }

[network]
hidden = [16]

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

TINY = """
format = 1
name = "tiny"
question = "Does it run?"
replicates = 2

[data]
source = "digits.npz"
split = "given"

[network]
hidden = [8]

[optimizer]
kind = "sgd"
lr = 0.1
momentum = 0.9

[training]
epochs = 5
batch_size = 16

[selection]
rules = ["min-val-loss", "last"]
"""

ARMS = """
[[arms]]
name = "slow"

[[arms]]
name = "fast"
optimizer = { lr = 0.3 }

[[arms]]
name = "stopping"
training = { early_stop = { rule = "min-val-loss", patience = 1 } }
"""


def small(**changes: str) -> Study:
    return parse(SMALL, place="a small study", overrides=changes)


def tiny(folder: Path, arms: str = '[[arms]]\nname = "only"\n', **changes: str) -> Study:
    """A study on the file `digits.npz` of `folder`; `arms` ends its text."""
    return parse(TINY + arms, place="a tiny study", overrides=changes, folder=folder)


def save_digits(folder: Path, seed: int = 0) -> None:
    """Images of 16 pixels in three classes that can be learned: 60 for training, 30 for validation, 40 for test."""
    random = np.random.default_rng(seed)
    centres, arrays = random.integers(40, 215, (16, 3)), []
    for examples in (60, 30, 40):
        labels = random.integers(0, 3, examples)
        images = np.clip(centres[:, labels] + random.normal(0, 40, (16, examples)), 0, 255).astype(np.uint8)
        arrays += [images, labels]
    np.savez(folder / "digits.npz", *arrays)


def trained(
    study: Study,
    workspace: Workspace,
    listener: Listener = silent,
    *,
    workers: int | None = None,
    device: Any = None,
    executor: Any = ExecutorsByFamily,
) -> StudyOutcome:
    """Run a study as `paribus run` does, on the CPU or on another device, with its executor or another one."""
    return run_study(ready(study, workers=workers, device=device), workspace, listener, executor=executor)


def ready(study: Study, *, workers: int | None = None, device: Device | None = None) -> PreparedStudy:
    prepared = prepare(study, workers=workers)
    if device is None:
        return prepared
    specs = [replace(run.spec, family=device.family) for run in prepared.runs]
    runs = tuple(replace(run, spec=spec) for run, spec in zip(prepared.runs, specs, strict=True))
    return PreparedStudy(study, runs, device)


def runs_in(workspace: Workspace, study: Study) -> dict[tuple[str, int], RunRecord]:
    """The runs of the latest study of that name, by arm and replicate."""
    record = workspace.study(study.name)
    return {(arm, replicate): run for arm, replicate, run in workspace.runs_of(record.id)}


def recorded(workspace: Workspace, study: Study) -> dict[tuple[str, int], Mapping[str, Any]]:
    """All results, by arm and replicate; files by the hash of their content."""
    return {
        member: {
            "state": run.state,
            "epochs": run.epochs_done,
            "curves": {name: values.tobytes() for name, values in workspace.curves(run.id).items()},
            "selections": workspace.selections(run.id),
            "snapshots": workspace.snapshots(run.id),
            "measurements": workspace.measurements(run.id),
            "artifacts": workspace.artifacts(run.id),
        }
        for member, run in runs_in(workspace, study).items()
    }


class InterruptAfter:
    """A listener that raises KeyboardInterrupt at the `nth` event of a kind."""

    def __init__(self, kind: type[Event], nth: int = 1) -> None:
        self._kind, self._left = kind, nth

    def __call__(self, event: Event, /) -> None:
        self._left -= isinstance(event, self._kind)
        if self._left == 0 and isinstance(event, self._kind):
            raise KeyboardInterrupt


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two raylets with a core each, for all tests that need one: starting it takes seconds."""
    import ray
    from ray.cluster_utils import Cluster

    from paribus.execution.ray_cluster import connect

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # Ray's own
        patch.setenv("PYTHONPATH", python_path())
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else all else on the machine goes first
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "no_monitor": True})
        cluster.add_node(**NODE)
        connect(cluster.address)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False, "include_log_monitor": False}
"""What each raylet has."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with `digits.npz`."""
    save_digits(tmp_path)
    return tmp_path


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every epoch."""
    monkeypatch.setenv("PARIBUS_CHECKPOINT_S", "1e-9")
