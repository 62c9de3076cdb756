"""Initial weights are distributed as `torch.nn.init` and `torch.nn.Linear` distribute them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from paribus.seeding import Stream, draws
from paribus.spec.network import Autoencoder, Mlp
from paribus.training.initialisation import initial_state, orthonormal

WIDTHS = (300, 120, 40)
INITIALISATIONS = {
    "kaiming-uniform": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    "kaiming-normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "xavier-uniform": lambda w: nn.init.xavier_uniform_(w, nn.init.calculate_gain("relu")),
    "xavier-normal": lambda w: nn.init.xavier_normal_(w, nn.init.calculate_gain("relu")),
    "orthogonal": lambda w: nn.init.orthogonal_(w, nn.init.calculate_gain("relu")),
    "linear": lambda w: nn.Linear(w.shape[1], w.shape[0]).weight.detach(),
}
GAINS = {
    "relu": ("relu", None), "tanh": ("tanh", None), "sigmoid": ("sigmoid", None), "identity": ("linear", None),
    "leaky-relu": ("leaky_relu", 0.01),
}  # fmt: skip


def state(init="linear", index=0, activation="relu", **keys):
    network = Mlp.model_validate({"kind": "mlp", "hidden": [120], "activation": activation, "init": init, **keys})
    return initial_state(network, WIDTHS, Stream(3, index))


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_weights_are_distributed_as_pytorchs(init):
    ours = state(init)["fc1.weight"]
    torch.manual_seed(3)
    theirs = INITIALISATIONS[init](torch.empty(120, 300)).numpy()
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.001
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.02)


def test_the_last_layer_has_the_gain_of_no_activation():
    scaled = state("kaiming-normal")["fc2.weight"].std() * np.sqrt(120)
    assert scaled == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "identity", "leaky-relu"])
def test_gains_are_pytorchs(name):
    network = Mlp.model_validate({"kind": "mlp", "hidden": [3], "activation": name})
    theirs, parameter = GAINS[name]
    assert network.activations[0].gain == pytest.approx(nn.init.calculate_gain(theirs, parameter))


def test_biases_start_as_those_of_linear_layers_or_at_a_constant():
    bias = state("orthogonal")["fc1.bias"]
    assert np.abs(bias).max() <= 300**-0.5
    assert np.abs(bias).max() > 0.9 * 300**-0.5
    assert (state({"kind": "kaiming-normal", "bias": 0.25})["fc2.bias"] == 0.25).all()


@pytest.mark.parametrize("shape", [(40, 120), (120, 40), (30, 30), (1, 5)])
def test_orthonormal_is_the_q_of_a_qr_decomposition(shape):
    matrix = draws(Stream(1, 0), "init").normal(*shape)
    ours = orthonormal(matrix)
    tall = matrix if shape[0] >= shape[1] else matrix.T
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    np.testing.assert_allclose(ours, q if shape[0] >= shape[1] else q.T, atol=1e-12)


def test_a_start_depends_on_widths_seed_and_replicate_alone():
    a, b = state(), state()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert not np.array_equal(a["fc1.weight"], state(index=1)["fc1.weight"])
    encoder = Autoencoder.model_validate({"kind": "autoencoder", "hidden": [120], "dropout": 0.5})
    again = initial_state(encoder, WIDTHS, Stream(3, 0))
    assert a["fc1.weight"].tobytes() == again["fc1.weight"].tobytes()


def test_the_same_bits_in_every_release():
    found = state()["fc1.weight"]
    assert found.dtype == np.float32
    assert [float(value).hex() for value in found[0, :2]] == GOLDEN


GOLDEN = ["0x1.f39aaa0000000p-7", "0x1.31b19a0000000p-6"]
