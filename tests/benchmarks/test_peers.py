"""Every tool does the same work. With a single batch the order of the images has no effect, so weights must agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import peer_class
from benchmarks.peers._base import RunWeights, Trained, UnavailableError, Weights
from benchmarks.tasks import Task, task

EPOCHS = 2
TOLERANCE = 0.01
TOOLS = ("dataloader", "sequential", "vmap", "hfta", "paribus-training", "paribus")
WORK = [(tool, network) for tool in TOOLS for network in ("ShallowMLP", "AE_n16")] + [("scikit-learn", "ShallowMLP")]


def one_batch(network: str) -> Task:
    work = task(network)
    return work.limited(work.batch_size)


def plain_loop(work: Task, run: int) -> dict[str, np.ndarray]:
    """Two epochs by `torch.nn` and `torch.optim`."""
    weights = {name: nn.Parameter(torch.from_numpy(value)) for name, value in work.initial_weights(run).items()}
    spec = work.recipe.optimizer
    optimizer = (
        torch.optim.SGD(weights.values(), spec.lr, momentum=spec.momentum)
        if spec.kind == "sgd"
        else torch.optim.Adam(weights.values(), spec.lr, spec.betas, spec.eps, spec.weight_decay)
    )
    inputs = torch.from_numpy(work.inputs(run))
    for _ in range(EPOCHS):
        hidden = torch.relu(nn.functional.linear(inputs, weights["fc1.weight"], weights["fc1.bias"]))
        output = nn.functional.linear(hidden, weights["fc2.weight"], weights["fc2.bias"])
        if work.has_classes:
            loss = nn.functional.cross_entropy(output, torch.from_numpy(work.labels(run)))
        else:
            loss = nn.functional.mse_loss(output, inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: parameter.detach().numpy() for name, parameter in weights.items()}


def trained_weights(tool: str, work: Task, runs: int, monkeypatch: pytest.MonkeyPatch) -> dict[int, Weights]:
    found: dict[int, Weights] = {}

    def trained(seconds: float, ended: Iterable[RunWeights]) -> Trained:
        found.update({one.run: one.weights for one in ended})
        return Trained(seconds, {})

    peer = peer_class(tool)(work)
    monkeypatch.setattr(peer, "trained", trained)
    peer.train(runs, EPOCHS)
    return found


def distance(work: Task, run: int, weights: Weights) -> float:
    """The largest difference from the plain loop's weights, relative to the largest change that training made."""
    initial, expected = work.initial_weights(run), plain_loop(work, run)
    return max(
        float(np.abs(weights[name] - value).max() / np.abs(value - initial[name]).max())
        for name, value in expected.items()
    )


@pytest.mark.parametrize(("tool", "network"), WORK)
def test_a_tool_trains_what_a_plain_loop_trains(tool: str, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = one_batch(network)
    trained = trained_weights(tool, work, 2, monkeypatch)
    assert sorted(trained) == [0, 1]
    for run, weights in trained.items():
        assert distance(work, run, weights) < TOLERANCE


def test_a_wrong_learning_rate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    work = one_batch("ShallowMLP")
    arm = work.study.arms[0]
    slow = arm.recipe.optimizer.model_copy(update={"lr": 0.9 * arm.recipe.optimizer.lr})
    recipe = arm.recipe.model_copy(update={"optimizer": slow})
    study = work.study.model_copy(update={"arms": (arm.model_copy(update={"recipe": recipe}),)})
    trained = trained_weights("sequential", replace(work, study=study), 1, monkeypatch)
    assert distance(work, 0, trained[0]) > TOLERANCE


def test_a_tool_that_compiles_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(UnavailableError, match="needs a compiler"):
        peer_class("vmap-compiled")(task("ShallowMLP"))
