"""Autoencoders with tied weights, in both engines, against PyTorch's own loop with `linear(x, W.t())`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.spec.network import parameter_shapes, tied_layers
from paribus.spec.recipe import Clip
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.conftest import AUTOENCODER, active, differing, recipe, trained
from tests.training.oracle import plain_outputs
from tests.training.problems import assert_equals_the_plain_loop, problem, same_bits, settings
from tests.training.torch.conftest import one_thread  # noqa: F401 - for every test here
from tests.training.torch.test_engine import ACTIVATIONS, LOSSES, OPTIMIZERS

ENGINES = {"compiled": CompiledEngine(), "stacked": StackedTensorEngine(torch.device("cpu"))}
WIDTHS = [(20, 7, 20), (40, 24, 9, 24, 40), (9, 40, 9), (30, 20, 17, 20, 30), (300, 7, 300), (5, 8, 3, 9, 3, 8, 5)]
"""Some whose weights are as long as they are wide, once padded; one that is computed some outputs at a time."""


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def tied(*runs, widths=(40, 24, 9, 24, 40), **keys):
    return problem(*runs, widths=widths, reconstruct=True, tied=True, **keys)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_every_shape(engine, widths, loss):
    assert_equals_the_plain_loop(tied(settings(LOSSES[loss], OPTIMIZERS["momentum"]), widths=widths), engine)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(engine, optimizer):
    turn = list(OPTIMIZERS).index(optimizer)
    of = tied(
        settings(LOSSES["mse"], OPTIMIZERS[optimizer]), activations=[ACTIVATIONS[(turn + i) % 8] for i in range(3)]
    )
    assert_equals_the_plain_loop(of, engine)


@pytest.mark.parametrize("clip", [Clip(norm=0.05), Clip(value=0.002)], ids=str)
def test_clipped_gradients(engine, clip):
    assert_equals_the_plain_loop(tied(settings(LOSSES["mse"], OPTIMIZERS["nesterov"], clip=clip)), engine)


def test_with_dropout_batch_normalisation_and_corrupted_inputs(engine):
    own = settings(LOSSES["mse"], OPTIMIZERS["sgd"], dropout=0.2)
    assert_equals_the_plain_loop(tied(own, batch_norm=True, corrupted=np.float32, of_bytes=True), engine)


@pytest.mark.parametrize("streams", [(0, 0, 0), (0, 1, 2)], ids=str)
def test_runs_are_the_same_alone_bit_by_bit(engine, streams):
    runs = [settings(LOSSES["mse"], OPTIMIZERS[name]) for name in ("sgd", "momentum", "nesterov")]
    of = tied(*runs, streams=streams)
    together, losses = of.trained(engine)
    for run in range(3):
        alone, own_losses = of.alone(run).trained(engine)
        assert same_bits(dict(together.state(run)), dict(alone.state(0)))
        assert own_losses.tobytes() == losses[:, :, [run]].tobytes()


def test_a_session_resumes_bit_by_bit(engine):
    of = tied(settings(LOSSES["mse"], OPTIMIZERS["adam"]), epochs=4)
    whole, losses = of.trained(engine)
    first = of.session(engine)
    for epoch in of.epochs()[:2]:
        first.train_epoch(epoch)
    states = [{name: np.array(tensor) for name, tensor in first.state(0).items()}]
    second = of.session(engine, states, steps=8)
    again = [second.train_epoch(epoch) for epoch in of.epochs()[2:]]
    assert np.array(again).tobytes() == losses[2:].tobytes()
    assert same_bits(dict(second.state(0)), dict(whole.state(0)))


def test_outputs_and_activations(engine):
    of = tied(settings(LOSSES["mse"]))
    session, _ = of.trained(engine)
    theirs, hidden = plain_outputs(of.architecture, dict(session.state(0)), of.seen(0))
    forward = session.networks.forward(of.inputs, np.arange(60), activations=True)
    np.testing.assert_allclose(forward.outputs[0], theirs, atol=3e-6)
    for ours, expected in zip(forward.activations, hidden, strict=True):
        np.testing.assert_allclose(ours[0], expected, atol=3e-6)


def test_tied_weights_are_in_a_state_once(engine):
    of = tied(settings(LOSSES["mse"], OPTIMIZERS["momentum"]))
    state = of.session(engine).networks.state(0)
    assert list(state) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.bias", "fc4.bias"]
    assert tied_layers(of.architecture.widths) == {"fc3": "fc2", "fc4": "fc1"}
    assert {name: tensor.shape for name, tensor in state.items()} == parameter_shapes((40, 24, 9, 24, 40), tied=True)


def test_a_cohort_on_real_data():
    """Also that a fresh state has the encoder that an autoencoder without tied weights begins with."""
    arms = [
        recipe(AUTOENCODER, network={"hidden": [64, 16, 64], "tied": True}, optimizer={"lr": lr}) for lr in (1e-3, 1e-4)
    ]
    runs = [active(arm, replicate) for arm in arms for replicate in range(2)]
    together = trained(runs)
    for one in runs:
        assert not differing(trained([one]), together)
    untied = active(recipe(AUTOENCODER, network={"hidden": [64, 16, 64]}))
    ours, theirs = runs[0].state.tensors, untied.state.tensors
    assert set(theirs) - set(ours) == {"fc3.weight", "fc4.weight"}
    assert all((ours[name] == theirs[name]).all() for name in ours)
