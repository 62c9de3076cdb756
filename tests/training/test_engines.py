"""The accelerators' engine, run here on the CPU, and replayed: the same training as the compiled loops do."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paribus.training import engine_torch, epoch, measuring
from paribus.training.cohort import Cohort
from paribus.training.replay import Replayed
from tests.training.conftest import AUTOENCODER, CLASSIFIER, member, recipe
from tests.training.test_pytorch import LOSS_TOLERANCE, OPTIMIZERS, WEIGHT_TOLERANCE

SMOOTH = {"loss": {"label_smoothing": 0.1}}
DROPPING = {"network": {"layers": [784, 40, 24, 10], "dropout": 0.3}}
CENTRED = {"data": {"center": True}}


def kept(base):
    return {key: value for key, value in base.items() if key != "optimizer"}


class Taped:
    """What `Replayed` does on an accelerator: the second call is taken down, operation by operation, and every later
    one repeats these on the very tensors that they had; no line of the function runs again."""

    def __init__(self, function, _device):
        self._function, self._calls, self._tape = function, 0, Tape()

    def __call__(self):
        self._calls += 1
        if self._calls > 2:
            self._tape.replay()
            return
        with self._tape if self._calls == 2 else nullcontext():
            self._function()


class Tape(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self._steps = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self._steps.append((partial(func, *args, **(kwargs or {})), out))
        return out

    def replay(self):
        for act, kept in self._steps:
            for into, made in zip(tree_leaves(kept), tree_leaves(act()), strict=True):
                if isinstance(into, torch.Tensor) and into is not made:
                    into.copy_(made)


def trained(members, epochs=4):
    """(cohort, training losses, measurements): each epoch has rates of its own, as a schedule's."""
    made = Cohort(members)
    held_out = [m.splits.validation for m in made.streams if m.splits.validation is not None]
    made.add_set("set", held_out or [m.splits.train for m in made.streams])
    told, measured = [], []
    for e in range(epochs):
        told.append(made.train_epoch([m.recipe.optimizer.lr / (1 + e) for m in made.members]))
        measured.append(made.evaluate("set"))
    return made, told, measured


def assert_alike(members, monkeypatch, kind):
    compiled, losses_compiled, measured_compiled = trained(members)
    for module in (epoch, measuring):
        monkeypatch.setattr(module, "engine_for", lambda _: engine_torch)
    monkeypatch.setattr(engine_torch, "Replayed", Taped)
    plain, losses_plain, measured_plain = trained(members)
    for ours, theirs in zip(losses_plain, losses_compiled, strict=True):
        assert ours == pytest.approx(theirs, rel=LOSS_TOLERANCE)
    for ours, theirs in zip(measured_plain, measured_compiled, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=LOSS_TOLERANCE)
        assert ours.accuracy == pytest.approx(theirs.accuracy, abs=0.01, nan_ok=True)
    for run in range(len(members)):
        ours, theirs = plain.state(run).tensors, compiled.state(run).tensors
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            scale = tensor.abs().max().item() or 1.0
            # what the last step's gradient is made of is small beside what it is the difference of
            slack = 10 if "/" in name else 1
            assert (ours[name] - tensor).abs().max().item() / scale < slack * WEIGHT_TOLERANCE[kind], name


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer(optimizer, monkeypatch):
    members = [
        member(recipe({**kept(CLASSIFIER), "optimizer": {**optimizer, "lr": optimizer["lr"] / (i + 1)}}))
        for i in range(3)
    ]
    assert_alike(members, monkeypatch, optimizer["kind"])


def test_label_smoothing(monkeypatch):
    members = [member(recipe(**SMOOTH, optimizer={"lr": 0.05 / (i + 1)}), replicate=i % 2) for i in range(3)]
    assert_alike(members, monkeypatch, "sgd")


def test_dropout_drops_the_same_units(monkeypatch):
    members = [member(recipe(**DROPPING, optimizer={"lr": 0.05 / (i + 1)}), replicate=i % 2) for i in range(3)]
    assert_alike(members, monkeypatch, "sgd")


@pytest.mark.parametrize("over", [{}, CENTRED], ids=["raw", "centred"])
def test_autoencoders(over, monkeypatch):
    sgd = {**kept(AUTOENCODER), "optimizer": {"kind": "sgd", "lr": 0.05}}
    assert_alike([member(recipe(sgd, **over), replicate=i) for i in range(2)], monkeypatch, "sgd")


def test_off_an_accelerator_a_replayed_function_is_called_each_time():
    calls = []
    replayed = Replayed(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(3):
        replayed()
    assert len(calls) == 3
