"""Batch normalisation in both engines against `torch.nn.BatchNorm1d` in PyTorch's own loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from paribus.spec.activations import Relu, Tanh
from paribus.spec.losses import MeanSquaredError
from paribus.spec.network import layer_names, norm_names
from paribus.spec.recipe import Clip
from paribus.training.cohort import ActiveRun, Cohort
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import Inputs
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.conftest import CLASSIFIER, active, differing, recipe, train_epoch, trained, without
from tests.training.oracle import plain_evaluation, plain_outputs
from tests.training.problems import assert_equals_the_plain_loop, problem, same_bits, settings
from tests.training.torch.conftest import one_thread  # noqa: F401 - for every test here
from tests.training.torch.test_engine import ACTIVATIONS, LOSSES, OPTIMIZERS, STREAMS, outputs

ENGINES = {"compiled": CompiledEngine(), "stacked": StackedTensorEngine(torch.device("cpu"))}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def normalised(*runs, **keys):
    return problem(*runs, batch_norm=True, **keys)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(engine, optimizer):
    turn = list(OPTIMIZERS).index(optimizer)
    loss = list(LOSSES.values())[turn % len(LOSSES)]
    chosen = [ACTIVATIONS[turn % 8], ACTIVATIONS[(turn + 3) % 8]]
    own = settings(loss, OPTIMIZERS[optimizer])
    assert_equals_the_plain_loop(normalised(own, activations=chosen, widths=(20, 24, 9, outputs(loss))), engine)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.kind)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_every_activation_with_and_without_dropout(engine, activation, dropout):
    own = settings(optimizer=OPTIMIZERS["sgd"], dropout=dropout)
    assert_equals_the_plain_loop(normalised(own, activations=[activation] * 2), engine)


@pytest.mark.parametrize("clip", [Clip(norm=0.5), Clip(norm=1e6), Clip(value=0.02)], ids=str)
@pytest.mark.parametrize("optimizer", ["nesterov", "adam, decay"])
def test_clipped_gradients(engine, clip, optimizer):
    assert_equals_the_plain_loop(normalised(settings(optimizer=OPTIMIZERS[optimizer], clip=clip)), engine)


@pytest.mark.parametrize("widths", [(20, 5), (16, 32, 16), (5, 3, 40, 2), (20, 24, 18, 11, 5)], ids=str)
def test_every_depth_and_width(engine, widths):
    assert_equals_the_plain_loop(normalised(widths=widths), engine)


def test_an_autoencoder_with_a_wide_last_layer(engine):
    own = settings(MeanSquaredError(kind="mse"), OPTIMIZERS["momentum"])
    assert_equals_the_plain_loop(normalised(own, widths=(300, 7, 300), reconstruct=True), engine)


def test_inputs_far_from_zero(engine):
    """A mean a thousand times the deviation: a difference of squares would not give the variance."""
    of = normalised(settings(optimizer=OPTIMIZERS["sgd"]), widths=(3, 8, 5), seed=4)
    values = of.inputs.values.copy()
    values[:, 0] = 1000 + values[:, 0]
    of = replace(of, inputs=Inputs(values, 1.0, None, None))
    _, losses = of.trained(engine)
    np.testing.assert_allclose(losses[:, :, 0], of.expected(0, torch.float64).losses, rtol=1e-3)


@pytest.mark.parametrize("streams", STREAMS.values(), ids=STREAMS)
def test_runs_are_the_same_alone_bit_by_bit(engine, streams):
    of = normalised(
        *[settings(optimizer=OPTIMIZERS[name]) for name in ("sgd", "momentum", "nesterov")], streams=streams
    )
    together, losses = of.trained(engine)
    for run in range(3):
        alone, own_losses = of.alone(run).trained(engine)
        assert same_bits(dict(together.state(run)), dict(alone.state(0)))
        assert own_losses.tobytes() == losses[:, :, [run]].tobytes()


def test_a_session_resumes_bit_by_bit(engine):
    of = normalised(settings(optimizer=OPTIMIZERS["adam"], dropout=0.2), epochs=4)
    whole, losses = of.trained(engine)
    first = of.session(engine)
    for epoch in of.epochs()[:2]:
        first.train_epoch(epoch)
    states = [{name: np.array(tensor) for name, tensor in first.state(0).items()}]
    second = of.session(engine, states, steps=8)
    again = [second.train_epoch(epoch) for epoch in of.epochs()[2:]]
    assert np.array(again).tobytes() == losses[2:].tobytes()
    assert same_bits(dict(second.state(0)), dict(whole.state(0)))


def test_evaluation_and_outputs_are_by_the_running_statistics(engine):
    of = normalised(settings(), activations=[Tanh(kind="tanh"), Relu()])
    session, _ = of.trained(engine)
    state, rows = dict(session.state(0)), np.arange(60)
    found = session.networks.evaluator(of.inputs, [rows], [of.targets[0][rows]], of.runs[0].loss)()
    loss, correct = plain_evaluation(of.architecture, state, of.seen(0), of.targets[0], of.runs[0].loss)
    assert found.loss[0] == pytest.approx(loss, rel=1e-6)
    assert found.correct[0] == correct
    theirs, hidden = plain_outputs(of.architecture, state, of.seen(0))
    alone = engine.networks(of.architecture, [session.networks.state(0)])
    for networks in (session.networks, alone):
        forward = networks.forward(of.inputs, rows, activations=True)
        np.testing.assert_allclose(forward.outputs[0], theirs, atol=2e-6)
        for ours, expected in zip(forward.activations, hidden, strict=True):
            np.testing.assert_allclose(ours[0], expected, atol=2e-6)
    assert alone.evaluator(of.inputs, [rows], [of.targets[0][rows]], of.runs[0].loss)().loss[0] == found.loss[0]


class Net(nn.Module):
    """A network as people write it."""

    def __init__(self, widths):
        super().__init__()
        for i in range(1, len(widths)):
            setattr(self, f"fc{i}", nn.Linear(widths[i - 1], widths[i]))
            if i < len(widths) - 1:
                setattr(self, f"bn{i}", nn.BatchNorm1d(widths[i]))


def test_a_state_is_that_of_the_module_that_people_write(engine):
    of = normalised(settings(optimizer=OPTIMIZERS["adam"]))
    session, losses = of.trained(engine)
    state = session.networks.state(0)
    net = Net(of.architecture.widths)
    assert set(state) == set(net.state_dict())
    net.load_state_dict({name: torch.tensor(np.array(tensor)) for name, tensor in state.items()})
    assert {name: tensor.dtype for name, tensor in net.state_dict().items()} == {
        name: torch.tensor(np.array(tensor)).dtype for name, tensor in state.items()
    }
    assert net.bn1.num_batches_tracked == 7 + losses[:, :, 0].size
    held = {name.rpartition("/")[2] for name in session.state(0) if "/" in name}
    assert held == {name for name, _ in net.named_parameters()}
    assert len(state) == len(list(state))


def test_a_fresh_state_is_as_in_pytorch():
    of = active(recipe(network={"hidden": [21, 9], "batch_norm": True}))
    theirs = Net([784, 21, 9, 10]).state_dict()
    ours = of.state.tensors
    assert list(ours) == list(theirs)
    assert {name: (tensor.shape, tensor.dtype.name) for name, tensor in ours.items()} == {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in theirs.items()
    }
    for name, tensor in ours.items():
        if name.startswith("bn"):
            assert (tensor == theirs[name].numpy()).all(), name
    plain = active(recipe(network={"hidden": [21, 9]})).state.tensors
    assert all((plain[name] == ours[name]).all() for name in plain)


def test_names_are_those_of_the_layers():
    assert layer_names((784, 21, 9, 10)) == ("fc1", "fc2", "fc3")
    assert norm_names((784, 21, 9, 10)) == ("bn1", "bn2")


ADAM: dict[str, Any] = {"optimizer": {"kind": "adam", "lr": 1e-3}}


@pytest.mark.parametrize("hidden", [[32], [128, 64, 128], [17, 5]], ids=str)
def test_cohorts_of_real_data(hidden):
    arms = [
        recipe(
            without(CLASSIFIER, "optimizer"), network={"hidden": hidden, "batch_norm": True, "dropout": 0.1 * i}, **ADAM
        )
        for i in (1, 2)
    ]
    runs = [active(arm, replicate) for arm in arms for replicate in range(2)]
    together = trained(runs)
    for one in runs:
        assert not differing(trained([one]), together)


def test_a_cohort_resumes_bit_by_bit():
    of = active(recipe(network={"batch_norm": True}))
    whole, part = Cohort([of], CompiledEngine()), Cohort([of], CompiledEngine())
    for _ in range(3):
        train_epoch(whole)
    train_epoch(part)
    resumed = Cohort([ActiveRun(of.spec, of.splits, part.state(0))], CompiledEngine())
    for _ in range(2):
        train_epoch(resumed)
    assert same_bits(dict(whole.state(0).tensors), dict(resumed.state(0).tensors))
