"""Modules train as the plain PyTorch loop does, bit for bit, and resume as if nothing had happened."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from paribus import seeding
from paribus.spec.losses import MeanAbsoluteError
from paribus.training.augmentation import Augmenter
from paribus.training.cohort import architecture, inputs_of
from paribus.training.engine import Inputs
from paribus.training.torch.module_engine import ModuleEngine, initial_state
from tests.training.torch.module_runs import BLOCKS, active, bits, plain_loop, prepared, resumed, trained

CASES = {
    "LeNet": {},
    "LeNet with dropout": {"network": {"arguments": {"classes": 3, "dropout": 0.3}}},
    "four blocks with batch normalisation": {"network": BLOCKS},
    "scaled": {"data": {"scale": "standardise"}},
}


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


def parameters(cohort):
    return bits({name: array for name, array in cohort.state(0).tensors.items() if "/" not in name})


@pytest.mark.parametrize("change", CASES.values(), ids=CASES)
def test_a_module_has_the_bits_of_the_plain_loop(folder, change):
    run = active(folder, **change)
    cohort, figures = trained(run, 3)
    model, losses = plain_loop(
        run, nn.CrossEntropyLoss(), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), epochs=3
    )
    assert parameters(cohort) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    assert np.frombuffer(figures[-1][0])[0] == pytest.approx(np.mean(losses[-4:]), abs=1e-12)


@pytest.mark.parametrize("network", [{}, BLOCKS], ids=["LeNet", "blocks"])
def test_one_cycle_has_the_bits_of_torchs_scheduler(folder, network):
    optimizer = {"kind": "adam", "lr": 0.01}
    run = active(folder, network=network, optimizer=optimizer, schedule={"kind": "one-cycle"})
    cohort, _ = trained(run, 3)
    model, _ = plain_loop(
        run,
        nn.CrossEntropyLoss(),
        lambda p: torch.optim.Adam(p, lr=0.01),
        epochs=3,
        scheduler=lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.01, total_steps=12),
    )
    assert parameters(cohort) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})


def test_augmented_inputs_are_trained_on_and_resume(folder):
    run = active(folder, network=BLOCKS, augmentation={"shift": 2, "noise": {"gaussian": 0.1}})
    cohort, _ = trained(run, 2)
    train, spec = run.splits.train, run.spec
    augmenter = Augmenter(
        spec.recipe.augmentation, train, spec.dataset.shape, run.splits.scaling, spec.streams.augmentation
    )

    def images(epoch, order):
        values = np.empty((len(train), 784), augmenter.dtype)
        augmenter.fill(values, train.rows[order], epoch)
        return torch.from_numpy(values).reshape(-1, 1, 28, 28)

    model, _ = plain_loop(
        run, nn.CrossEntropyLoss(), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), epochs=2, images_of=images
    )
    assert parameters(cohort) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    half, _ = trained(run, 1)
    rest, _ = trained(resumed(run, half.state(0)), 1)
    assert bits(rest.state(0).tensors) == bits(cohort.state(0).tensors)


OPTIMIZERS = {
    "sgd": ({"lr": 0.02, "momentum": 0.0}, lambda p: torch.optim.SGD(p, lr=0.02)),
    "nesterov": (
        {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
        lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3),
    ),
    "adamw": ({"lr": 1e-3}, lambda p: torch.optim.AdamW(p, lr=1e-3)),
    "rmsprop": (
        {"lr": 1e-3, "momentum": 0.5, "centered": True},
        lambda p: torch.optim.RMSprop(p, lr=1e-3, momentum=0.5, centered=True),
    ),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers_are_torchs_and_resume(folder, kind):
    settings, make = OPTIMIZERS[kind]
    run = active(folder, optimizer={"kind": "sgd" if kind == "nesterov" else kind, **settings})
    cohort, _ = trained(run, 3)
    model, _ = plain_loop(run, nn.CrossEntropyLoss(), make, epochs=3)
    assert parameters(cohort) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    half, _ = trained(run, 1)
    again, _ = trained(resumed(run, half.state(0)), 2)
    assert bits(again.state(0).tensors) == bits(cohort.state(0).tensors)


@pytest.mark.parametrize("change", CASES.values(), ids=CASES)
def test_a_resumed_module_has_the_same_bits_whatever_the_generators_did(folder, change):
    run = active(folder, **change)
    whole, figures = trained(run, 3)
    half, _ = trained(run, 2)
    torch.manual_seed(99)
    random.seed(99)
    rest, last = trained(resumed(run, half.state(0)), 1)
    assert bits(rest.state(0).tensors) == bits(whole.state(0).tensors)
    assert last == figures[2:]


def test_the_state_has_buffers_in_their_own_type_and_the_optimizers_under_torchs_names(folder):
    cohort, _ = trained(active(folder, network=BLOCKS, optimizer={"kind": "adam", "lr": 1e-3}), 1)
    state = cohort.state(0).tensors
    assert state["blocks.0.norm.num_batches_tracked"].dtype == np.int64
    assert state["blocks.0.norm.num_batches_tracked"] == 4
    assert state["exp_avg_sq/blocks.0.conv.weight"].shape == state["blocks.0.conv.weight"].shape
    assert "exp_avg/blocks.0.norm.running_mean" not in state
    assert not any("/" in name for name in cohort.weights(0))


def test_the_generators_of_the_process_are_as_before(folder):
    run = active(folder, network={"arguments": {"classes": 3, "dropout": 0.5}})
    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state(), random.getstate()
    trained(run, 1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_replicates_differ_and_arms_of_one_replicate_share_what_they_can(folder):
    one, other = active(folder), active(folder, replicate=1)
    assert bits(one.state.tensors) != bits(other.state.tensors)
    longer = active(folder, training={"epochs": 9})
    assert bits(one.state.tensors) == bits(longer.state.tensors)


def test_regression_of_one_number_and_reconstruction_learn_as_the_plain_loop(folder):
    run = active(
        folder,
        network={"kind": "module", "module": "nets.py:Squeeze"},
        data={"task": "reconstruction"},
        loss={"kind": "mse"},
    )
    cohort, _ = trained(run, 2)
    model, _ = plain_loop(run, nn.MSELoss(), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), epochs=2)
    assert parameters(cohort) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})


def test_evaluation_is_that_of_torch_and_the_same_whoever_asks(folder):
    run = active(folder, network=BLOCKS)
    cohort, _ = trained(run, 2)
    validation = run.splits.validation
    found = cohort.evaluate("val")
    networks = ModuleEngine().networks(architecture(run.spec), [cohort.weights(0)])
    inputs = inputs_of(validation, [run.splits])
    outputs = networks.forward(inputs, validation.rows).outputs[0]
    logits, labels = torch.from_numpy(outputs), torch.tensor(validation.labels)
    assert found.loss[0] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-6)
    assert found.correct[0] == int((logits.argmax(1) == labels).sum())
    again = networks.evaluator(inputs, [validation.rows], [validation.labels], run.spec.recipe.loss)()
    assert again.loss.tobytes() == found.loss.tobytes()


def test_numbers_have_the_mean_squared_error_of_each_output(folder):
    run = active(folder)
    architecture_of = replace(architecture(run.spec), name="Table", arguments={"features": 5, "outputs": 2}, shape=(5,))
    networks = ModuleEngine().networks(architecture_of, [initial_state(architecture_of, 3)])
    random = np.random.default_rng(0)
    inputs = Inputs(random.normal(size=(70, 5)).astype(np.float32), divisor=1.0, centre=None, factor=None)
    rows, goals = np.arange(70), random.normal(size=(70, 2)).astype(np.float32)
    found = networks.evaluator(inputs, [rows], [goals], MeanAbsoluteError(kind="l1"))()
    outputs = networks.forward(inputs, rows).outputs[0]
    np.testing.assert_allclose(found.squared_error[0], np.square(outputs - goals).mean(axis=0), rtol=1e-6)
    assert found.loss[0] == pytest.approx(np.abs(outputs - goals).mean(), rel=1e-6)
    assert found.correct is None


def test_the_streams_of_modules_are_their_own(folder):
    run = active(folder)
    keys = {seeding.derive(run.spec.streams.module, "module", epoch) for epoch in range(4)}
    assert len(keys) == 4
    assert '"module"' in run.spec.text
