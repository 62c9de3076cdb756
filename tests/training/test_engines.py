"""The accelerators' engine, run here on the CPU: the same training as the compiled loops do."""

from __future__ import annotations

import pytest
import torch

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


def trained(members, epochs=2):
    """(cohort, training losses, validation) after `epochs`."""
    made = Cohort(members)
    held_out = [m.splits.validation for m in made.streams if m.splits.validation is not None]
    made.add_set("set", held_out or [m.splits.train for m in made.streams])
    rates = [m.recipe.optimizer.lr for m in made.members]
    told = [made.train_epoch(rates) for _ in range(epochs)]
    return made, told, made.evaluate("set")


def assert_alike(members, monkeypatch, kind):
    compiled, losses_compiled, measured_compiled = trained(members)
    for module in (epoch, measuring):
        monkeypatch.setattr(module, "engine_for", lambda _: engine_torch)
    plain, losses_plain, measured_plain = trained(members)
    for ours, theirs in zip(losses_plain, losses_compiled, strict=True):
        assert ours == pytest.approx(theirs, rel=LOSS_TOLERANCE)
    assert measured_plain.loss == pytest.approx(measured_compiled.loss, rel=LOSS_TOLERANCE)
    assert measured_plain.accuracy == pytest.approx(measured_compiled.accuracy, abs=0.01, nan_ok=True)
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


def test_dropout_drops_its_share_and_runs_of_one_stream_drop_alike(monkeypatch):
    monkeypatch.setattr(epoch, "engine_for", lambda _: engine_torch)
    twins = [member(recipe(**DROPPING)), member(recipe(**DROPPING, optimizer={"weight_decay": 1e-30}))]
    _, told, _ = trained(twins)
    assert told[-1][0] == pytest.approx(told[-1][1])
    monkeypatch.undo()
    _, compiled, _ = trained(twins)
    assert told[-1][0] == pytest.approx(compiled[-1][0], rel=0.2)  # other draws, the same noise


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
