"""Dropout against autograd: the same masks, drawn again, in a plain network."""

from __future__ import annotations

import numpy as np
import torch
from paribus.training.networks import tiled
from torch.nn import functional

from paribus import seeding
from paribus.training.cohort import Cohort
from paribus.training.cpu.dropout import uniform
from tests.training.conftest import member, recipe

RATE = 0.4


def factors(of, layer, width):
    """The factors of a hidden layer in the first batch: (image, unit)."""
    seed = seeding.derive(of.seed, of.replicate, seeding.DROPOUT, 0)
    numbers = torch.from_numpy(uniform(seed, layer, 50 * tiled(width))).view(50, tiled(width))[:, :width]
    return (numbers >= torch.tensor(RATE)) / (1 - RATE)


def test_draws_are_uniform_and_unlike_from_layer_to_layer():
    numbers = uniform(2021, 3, 100_000)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
    assert abs(numbers.var() - 1 / 12) < 0.001
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(numbers, uniform(2021, 4, 100_000))[0, 1]) < 0.01


def test_one_step_equals_autograd_with_the_same_masks():
    of = recipe(
        data={"train_images": 50}, network={"layers": [784, 20, 12, 10], "dropout": RATE}, training={"batch_size": 50}
    )
    one = member(of)
    cohort = Cohort([one])
    cohort.train_epoch([0.05])

    masks = [factors(one, layer, width) for layer, width in enumerate((20, 12))]
    order = torch.Generator().manual_seed(seeding.derive(one.seed, one.replicate, seeding.ORDER, 0))
    rows = torch.randperm(50, generator=order)
    start = {name: tensor.clone().requires_grad_() for name, tensor in one.state.tensors.items()}
    with torch.enable_grad():
        hidden = torch.tensor(one.splits.train.inputs)[rows]
        for i, mask in enumerate(masks, start=1):
            hidden = functional.relu(functional.linear(hidden, start[f"fc{i}.weight"], start[f"fc{i}.bias"])) * mask
        logits = functional.linear(hidden, start["fc3.weight"], start["fc3.bias"])
        functional.cross_entropy(logits, torch.tensor(one.splits.train.labels)[rows]).backward()
    for name, tensor in cohort.state(0).tensors.items():
        if not name.startswith("momentum_buffer"):
            torch.testing.assert_close(tensor, start[name].detach() - 0.05 * start[name].grad)


def test_dropout_is_off_when_measuring():
    one = member(recipe(network={"dropout": 0.9}))
    cohort = Cohort([one])
    cohort.add_set("val", [one.splits.validation])
    first, second = cohort.evaluate("val"), cohort.evaluate("val")
    assert first.loss == second.loss
