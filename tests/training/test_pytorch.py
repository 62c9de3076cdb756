"""It is PyTorch: a run equals the plain loop fed the same initial weights and batches.

Products are summed in another order, and nothing else differs: losses agree to a few units in the last place. Adam
divides a gradient by its own size, so where one is nearly zero, the last place of its terms moves a weight by up to a
hundredth of a step; hence the wider tolerance for it.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from paribus.training.cohort import Cohort
from paribus.training.networks import initial_state
from paribus.training.tracker import Tracker
from tests.training.conftest import AUTOENCODER, CLASSIFIER, member, recipe
from tests.training.plain import largest_difference, parameters, plain_loop, root_mean_square_difference

LOSS_TOLERANCE = 1e-6
WEIGHT_TOLERANCE = {"sgd": 1e-6, "adam": 2e-4, "adamw": 2e-4}
"""Of the largest parameter of a tensor, after a few epochs."""
NEARLY_ZERO = {"AE_n64": 2}
"""How much wider that is with Adam where gradients come so near to zero that float32 itself lies 2e-4 from exact."""
EPOCHS = 2

NETWORKS = {
    "ShallowMLP": (CLASSIFIER, [784, 32, 10]),
    "DeepMLP": (CLASSIFIER, [784, 32, 64, 32, 10]),
    "DeepWideMLP": (CLASSIFIER, [784, 128, 64, 128, 10]),
    "CustomMLP": (CLASSIFIER, [784, 256, 128, 64, 128, 10]),
    "AE_n16": (AUTOENCODER, [4096, 16, 4096]),
    "AE_n64": (AUTOENCODER, [4096, 64, 4096]),
    "odd widths": (CLASSIFIER, [784, 21, 9, 10]),
}
OPTIMIZERS = {
    "sgd": {"kind": "sgd", "lr": 0.05},
    "momentum": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "nesterov, decay": {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "adam": {"kind": "adam", "lr": 1e-3},
    "adam, decay": {"kind": "adam", "lr": 1e-3, "weight_decay": 1e-3},
    "adamw": {"kind": "adamw", "lr": 1e-3, "weight_decay": 1e-2},
}
SCHEDULES = {
    "constant": {"kind": "constant"},
    "step": {"kind": "step", "step_size": 1, "gamma": 0.5},
    "multi-step": {"kind": "multi-step", "milestones": [1, 3], "gamma": 0.1},
    "exponential": {"kind": "exponential", "gamma": 0.7},
    "cosine": {"kind": "cosine", "warmup_epochs": 2, "min_lr": 1e-4},
    "reduce-on-plateau": {"kind": "reduce-on-plateau", "metric": "train_loss", "patience": 0, "threshold": 0.5},
}


def agreement(of, epochs=EPOCHS):
    """(largest relative difference of a parameter, of a loss, and whether the learning rates are the same)."""
    net, losses, rates = plain_loop(of, epochs)
    cohort, tracker = Cohort([of]), Tracker(of.recipe)
    for _ in range(epochs):
        rate = tracker.rates.rate(cohort.epoch)
        loss = cohort.train_epoch([rate])[0]
        metrics = {"train_loss": float(loss), "lr": rate, "val_loss": 1.0, "val_accuracy": 0.5}
        tracker.observe(metrics, lambda: cohort.network.state(0))
    ours = tracker.curves["train_loss"]
    loss_difference = max(abs(a - b) / b for a, b in zip(ours, losses, strict=True))
    return largest_difference(net, dict(cohort.state(0).tensors)), loss_difference, tracker.curves["lr"] == rates


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_with_every_optimizer(network, optimizer):
    base, layers = NETWORKS[network]
    wider = 1 if optimizer["kind"] == "sgd" else NEARLY_ZERO.get(network, 1)
    kept = {key: value for key, value in base.items() if key != "optimizer"}
    weights, losses, rates = agreement(member(recipe({**kept, "optimizer": optimizer}, network={"layers": layers})))
    assert weights < wider * WEIGHT_TOLERANCE[optimizer["kind"]]
    assert losses < LOSS_TOLERANCE
    assert rates


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("base", "layers"), NETWORKS.values(), ids=NETWORKS)
def test_as_near_to_exact_arithmetic_as_pytorch_is(base, layers, optimizer):
    kept = {key: value for key, value in base.items() if key != "optimizer"}
    of = member(recipe({**kept, "optimizer": optimizer}, network={"layers": layers}))
    exact, _, _ = plain_loop(of, EPOCHS, torch.float64)
    plain, _, _ = plain_loop(of, EPOCHS)
    cohort = Cohort([of])
    for _ in range(EPOCHS):
        cohort.train_epoch([of.recipe.optimizer.lr])
    ours = root_mean_square_difference(exact, dict(cohort.state(0).tensors))
    assert ours < 3 * root_mean_square_difference(exact, parameters(plain))


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_every_schedule(schedule):
    weights, losses, rates = agreement(member(recipe(schedule=schedule)), epochs=4)
    assert weights < WEIGHT_TOLERANCE["sgd"]
    assert losses < LOSS_TOLERANCE
    assert rates


def test_label_smoothing():
    weights, losses, _ = agreement(member(recipe(loss={"label_smoothing": 0.2})))
    assert weights < WEIGHT_TOLERANCE["sgd"]
    assert losses < LOSS_TOLERANCE


def test_centred_inputs():
    weights, losses, _ = agreement(member(recipe(AUTOENCODER, data={"center": True})))
    assert weights < WEIGHT_TOLERANCE["adam"]
    assert losses < LOSS_TOLERANCE


def test_a_start_is_that_of_linear_layers_but_for_how_it_is_rounded():
    started = initial_state([784, 32, 10], torch.Generator().manual_seed(3))
    torch.manual_seed(3)
    for name, layer in (("fc1", nn.Linear(784, 32)), ("fc2", nn.Linear(32, 10))):
        for part, theirs in layer.named_parameters():
            torch.testing.assert_close(started[f"{name}.{part}"], theirs.detach(), rtol=0, atol=2e-8)
