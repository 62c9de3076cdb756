"""Every tool does the same work. On a single batch, the order of the images has no say, so weights must agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import peer_class
from benchmarks.peers._base import Trained, UnavailableError, Weights
from benchmarks.tasks import Task, task

EPOCHS = 2
TOLERANCE = 0.01
TOOLS = ("dataloader", "sequential", "vmap", "hfta", "paribus-training", "paribus")
WORK = [(tool, network) for tool in TOOLS for network in ("ShallowMLP", "AE_n16")] + [("scikit-learn", "ShallowMLP")]


def one_batch(network: str) -> Task:
    work = task(network)
    return work.cut(work.batch_size)


def by_hand(work: Task, run: int) -> dict[str, np.ndarray]:
    """Two epochs by `torch.nn` and `torch.optim`."""
    weights = {name: nn.Parameter(torch.from_numpy(value)) for name, value in work.start(run).items()}
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
        if work.has_labels:
            loss = nn.functional.cross_entropy(output, torch.from_numpy(work.labels(run)))
        else:
            loss = nn.functional.mse_loss(output, inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: parameter.detach().numpy() for name, parameter in weights.items()}


def trained_weights(tool: str, work: Task, runs: int, monkeypatch: pytest.MonkeyPatch) -> dict[int, Weights]:
    told: list[dict[int, Weights]] = []
    peer = peer_class(tool)(work)
    monkeypatch.setattr(peer, "trained", lambda seconds, weights: told.append(dict(weights)) or Trained(seconds, {}))
    peer.train(runs, EPOCHS)
    return told[-1]


def distance(work: Task, run: int, weights: Weights) -> float:
    """The largest difference from the weights by hand, as a share of the largest change that training made."""
    start, expected = work.start(run), by_hand(work, run)
    return max(
        float(np.abs(weights[name] - value).max() / np.abs(value - start[name]).max())
        for name, value in expected.items()
    )


@pytest.mark.parametrize(("tool", "network"), WORK)
def test_a_tool_trains_what_a_plain_loop_trains(tool: str, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = one_batch(network)
    trained = trained_weights(tool, work, 2, monkeypatch)
    assert sorted(trained) == [0, 1]
    for run, weights in trained.items():
        assert distance(work, run, weights) < TOLERANCE


def test_a_wrong_learning_rate_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    work = one_batch("ShallowMLP")
    arm = work.study.arms[0]
    slow = arm.recipe.optimizer.model_copy(update={"lr": 0.9 * arm.recipe.optimizer.lr})
    recipe = arm.recipe.model_copy(update={"optimizer": slow})
    study = work.study.model_copy(update={"arms": (arm.model_copy(update={"recipe": recipe}),)})
    trained = trained_weights("sequential", replace(work, study=study), 1, monkeypatch)
    assert distance(work, 0, trained[0]) > TOLERANCE


def test_a_tool_that_compiles_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(UnavailableError, match="needs a compiler"):
        peer_class("vmap-compiled")(task("ShallowMLP"))
