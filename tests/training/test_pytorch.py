"""It is PyTorch: a run equals the plain loop fed the same initial weights and batches.

Matmuls are summed in another order, and nothing else differs: losses agree to a few units in the last place. Adam and
RMSprop divide a gradient by its own size, so where one is nearly zero, the last place of its terms moves a weight by a
part of a step. With them, all but one weight in a thousand must agree to a two-hundredth of a step, and every weight to
less than one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus import seeding
from paribus.training.cohort import Cohort, architecture
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import RunSettings
from paribus.training.tracker import Tracker
from tests.training.conftest import AUTOENCODER, CLASSIFIER, active, recipe, without
from tests.training.oracle import dropout_masks, plain_loop

LOSS_TOLERANCE = {"sgd": 1e-6, "adam": 5e-6, "adamw": 5e-6, "rmsprop": 5e-6}
WEIGHT_TOLERANCE = {"sgd": 1e-6, "adam": 2e-4, "adamw": 2e-4, "rmsprop": 2e-4}
"""Of the largest parameter of a tensor, after a few epochs: of every weight with SGD, of 99.9 % with the others."""
LARGEST = 1e-2
"""What every weight keeps to with the others."""
EPOCHS = 2

NETWORKS = {
    "ShallowMLP": (CLASSIFIER, [32]),
    "DeepMLP": (CLASSIFIER, [32, 64, 32]),
    "DeepWideMLP": (CLASSIFIER, [128, 64, 128]),
    "CustomMLP": (CLASSIFIER, [256, 128, 64, 128]),
    "AE_n16": (AUTOENCODER, [16]),
    "AE_n64": (AUTOENCODER, [64]),
    "odd widths": (CLASSIFIER, [21, 9]),
    "linear": (CLASSIFIER, []),
}
OPTIMIZERS = {
    "sgd": {"kind": "sgd", "lr": 0.05},
    "momentum": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "nesterov, decay": {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "adam": {"kind": "adam", "lr": 1e-3},
    "adam, decay": {"kind": "adam", "lr": 1e-3, "weight_decay": 1e-3},
    "adamw": {"kind": "adamw", "lr": 1e-3, "weight_decay": 1e-2},
    "rmsprop": {"kind": "rmsprop", "lr": 1e-3},
    "rmsprop, centred, momentum": {
        "kind": "rmsprop", "lr": 1e-4, "centered": True, "momentum": 0.9, "weight_decay": 1e-3
    },
}  # fmt: skip
SCHEDULES = {
    "constant": {"kind": "constant"},
    "step": {"kind": "step", "step_size": 1, "gamma": 0.5},
    "multi-step": {"kind": "multi-step", "milestones": [1, 3], "gamma": 0.1},
    "exponential": {"kind": "exponential", "gamma": 0.7},
    "cosine": {"kind": "cosine", "warmup_epochs": 2, "min_lr": 1e-4},
    "cosine-restarts": {"kind": "cosine-restarts", "first_cycle": 2},
    "one-cycle": {"kind": "one-cycle"},
    "reduce-on-plateau": {"kind": "reduce-on-plateau", "metric": "train_loss", "patience": 0, "threshold": 0.5},
    "settle": {"kind": "settle", "window": 1, "threshold": 0.5},
}


class Both:
    """A run trained by the compiled engine and by the plain loop, at the rates of its schedule."""

    def __init__(self, of, epochs=EPOCHS, dtype=torch.float32):
        recipe_of, spec = of.spec.recipe, of.spec
        cohort, tracker = Cohort([of], CompiledEngine()), Tracker(spec)
        batches = -(-cohort.examples // recipe_of.training.batch_size)
        rates = []
        for _ in range(epochs):
            rates.append(tracker.schedule.rates(cohort.epoch, batches))
            loss = cohort.train_epoch([rates[-1]]).by_batch[0]
            metrics = {"train_loss": float(loss), "val_loss": 1.0, "val_accuracy": 0.5}
            tracker.observe(metrics, lambda: cohort.weights(0))
        self.losses, self.state = tracker.curves["train_loss"], dict(cohort.state(0).tensors)
        train = of.splits.train
        orders = [seeding.draws(spec.streams.order, "order", e).permutation(len(train)) for e in range(epochs)]
        keys = [seeding.derive(spec.streams.dropout, "dropout", e) for e in range(epochs)]
        dropout = recipe_of.network.dropout
        momenta = None if rates[0].momenta is None else np.stack([rate.momenta for rate in rates])
        scaling = of.splits.scaling
        inputs = train.inputs if scaling.centre is None else train.inputs - scaling.centre
        inputs = inputs if scaling.factor is None else inputs * scaling.factor
        self.plain = plain_loop(
            architecture(spec),
            RunSettings(recipe_of.loss, recipe_of.optimizer, dropout, recipe_of.training.clip),
            inputs,
            train.labels if recipe_of.loss.has_classes else None,
            orders,
            np.stack([rate.learning_rates for rate in rates]),
            of.state.tensors,
            recipe_of.training.batch_size,
            momenta=momenta,
            masks=dropout_masks(keys, architecture(spec).widths, dropout) if dropout else None,
            dtype=dtype,
        )

    def assert_equal(self, kind, slack=1):
        """Weights and losses of both agree to within the tolerances of an optimizer of this kind."""
        own = {name: tensor for name, tensor in self.plain.state.items() if "/" not in name}
        for name, tensor in own.items():
            differences = np.abs(self.state[name] - tensor) / np.abs(tensor).max()
            most = differences.max() if kind == "sgd" else np.quantile(differences, 0.999)
            assert most < slack * WEIGHT_TOLERANCE[kind], name
            assert differences.max() < LARGEST, name
        assert self.loss_difference < slack * LOSS_TOLERANCE[kind]

    @property
    def loss_difference(self):
        plain = [np.mean(batches) for batches in self.plain.losses]
        return max(abs(a - b) / b for a, b in zip(self.losses, plain, strict=True))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_with_every_optimizer(network, optimizer):
    base, hidden = NETWORKS[network]
    both = Both(active(recipe({**without(base, "optimizer"), "optimizer": optimizer}, network={"hidden": hidden})))
    both.assert_equal(optimizer["kind"])


@pytest.mark.parametrize("optimizer", ["momentum", "adam, decay", "rmsprop"])
@pytest.mark.parametrize(("base", "hidden"), NETWORKS.values(), ids=NETWORKS)
def test_as_near_to_exact_arithmetic_as_pytorch_is(base, hidden, optimizer):
    """In the middle one of three runs: how often a gradient comes near to zero differs from run to run."""
    of = recipe({**without(base, "optimizer"), "optimizer": OPTIMIZERS[optimizer]}, network={"hidden": hidden})
    ours, theirs = [], []
    for replicate in range(3):
        exact = Both(active(of, replicate), dtype=torch.float64)
        plain = Both(active(of, replicate))
        ours.append(typical_difference(exact.plain.state, exact.state))
        theirs.append(typical_difference(exact.plain.state, plain.plain.state))
    assert np.median(ours) < 3 * np.median(theirs)


def typical_difference(exact, found):
    """Of the worst parameter tensor, relative to the root mean square of its values: nine weights in ten are nearer.

    The others are those whose gradient is nearly zero, with which both are far from exact, each by chance.
    """
    names = [name for name in exact if "/" not in name]
    return max(np.quantile(np.abs(found[n] - exact[n]), 0.9) / np.sqrt(np.square(exact[n]).mean()) for n in names)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_every_schedule(schedule):
    Both(active(recipe(schedule=schedule)), epochs=4).assert_equal("sgd")


ACTIVATIONS = ["relu", "leaky-relu", {"kind": "elu", "alpha": 0.7}, "tanh", "sigmoid", "gelu", "silu", "identity"]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_every_activation(activation, dropout):
    network = {"hidden": [21, 9], "activation": activation, "dropout": dropout}
    Both(active(recipe(network=network, optimizer={"momentum": 0.0}))).assert_equal("sgd", slack=3)


def test_an_activation_for_each_layer():
    Both(active(recipe(network={"hidden": [21, 9, 12], "activation": ["tanh", "relu", "silu"]}))).assert_equal(
        "sgd", slack=3
    )


LOSSES = {
    "smoothing": {"label_smoothing": 0.2},
    "class weights": {"class_weights": [0.5, 1, 2, 1, 1, 3, 1, 0.25, 1, 1]},
    "both": {"label_smoothing": 0.1, "class_weights": [0.5, 1, 2, 1, 1, 3, 1, 0.25, 1, 1]},
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_cross_entropy(loss):
    Both(active(recipe(loss=loss))).assert_equal("sgd")


ROBUST_LOSSES = [
    {"kind": "generalised-cross-entropy"},
    {"kind": "symmetric-cross-entropy"},
    {"kind": "soft-bootstrapping", "beta": 0.7},
    {"kind": "hard-bootstrapping"},
    {"kind": "forward-correction", "matrix": (0.3 * np.eye(10)[::-1] + 0.7 * np.eye(10)).tolist()},
]


@pytest.mark.parametrize("loss", ROBUST_LOSSES, ids=lambda loss: loss["kind"])
def test_every_robust_loss(loss):
    Both(active(recipe(loss=loss))).assert_equal("sgd", slack=3)


@pytest.mark.parametrize("loss", [{"kind": "l1"}, {"kind": "huber", "delta": 0.1}], ids=lambda loss: loss["kind"])
@pytest.mark.parametrize("hidden", [[16], [21]])
def test_losses_of_numbers(loss, hidden):
    base = {**without(AUTOENCODER, "optimizer", "loss"), "loss": loss, "optimizer": {"kind": "sgd", "lr": 0.5}}
    Both(active(recipe(base, network={"hidden": hidden}))).assert_equal("sgd", slack=5)


@pytest.mark.parametrize("clip", [{"norm": 0.05}, {"norm": 100.0}, {"value": 0.001}], ids=str)
def test_gradient_clipping(clip):
    Both(active(recipe(training={"clip": clip}))).assert_equal("sgd", slack=3)


@pytest.mark.parametrize("scale", ["centre", "standardise"])
def test_scaled_inputs(scale):
    Both(active(recipe(AUTOENCODER, data={"scale": scale}))).assert_equal("adam")
