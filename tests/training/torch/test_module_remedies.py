"""Modules with remedies against wrong labels train as the loop that a user would write, and resume."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus import seeding
from paribus.spec.losses import (
    ForwardCorrection,
    GeneralisedCrossEntropy,
    HardBootstrapping,
    SoftBootstrapping,
    SymmetricCrossEntropy,
)
from paribus.training.augmentation import Augmenter
from tests.training.oracle import mean_loss
from tests.training.torch.module_runs import active, bits, plain_loop, prepared, resumed, trained

MATRIX = ((0.8, 0.2, 0.0), (0.0, 0.8, 0.2), (0.1, 0.1, 0.8))
LOSSES = [
    GeneralisedCrossEntropy(kind="generalised-cross-entropy"),
    SymmetricCrossEntropy(kind="symmetric-cross-entropy"),
    SoftBootstrapping(kind="soft-bootstrapping", beta=0.7),
    HardBootstrapping(kind="hard-bootstrapping"),
    ForwardCorrection(kind="forward-correction", matrix=MATRIX),
]
NOISE = {"label_noise": 0.4}


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def assert_near(cohort, model, figures, losses):
    state = cohort.state(0).tensors
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(state[name], tensor.numpy(), rtol=2e-4, atol=2e-6)
    assert np.frombuffer(figures[-1][0])[0] == pytest.approx(np.mean(losses[-4:]), rel=1e-5)


def orders(run, epochs):
    count = len(run.splits.train)
    return [seeding.draws(run.spec.streams.order, "order", epoch).permutation(count) for epoch in range(epochs)]


def resumes(run, whole):
    half, _ = trained(run, 1)
    again, _ = trained(resumed(run, half.state(0)), 1)
    return bits(again.state(0).tensors) == bits(whole.state(0).tensors)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.kind)
def test_robust_losses(folder, loss):
    run = active(folder, loss=loss.model_dump(mode="json"), data=NOISE)
    cohort, figures = trained(run, 2)
    model, losses = plain_loop(run, lambda outputs, goals: mean_loss(loss, outputs, goals, None), sgd, epochs=2)
    assert_near(cohort, model, figures, losses)


def test_early_learning_regularisation(folder):
    run = active(folder, loss="early-learning-regularisation", data=NOISE)
    cohort, figures = trained(run, 2)
    memory = torch.zeros(len(run.splits.train), 3)
    batches = iter([rows for order in orders(run, 2) for rows in torch.from_numpy(order).split(16)])

    def criterion(outputs, goals):
        rows = next(batches)
        p = functional.softmax(outputs, 1).clamp(1e-4, 1 - 1e-4)
        memory[rows] = 0.7 * memory[rows] + 0.3 * p.detach() / p.detach().sum(1, keepdim=True)
        return functional.cross_entropy(outputs, goals) + 3.0 * (1 - (memory[rows] * p).sum(1)).log().mean()

    model, losses = plain_loop(run, criterion, sgd, epochs=2)
    assert_near(cohort, model, figures, losses)
    np.testing.assert_allclose(cohort.state(0).tensors["memory/predictions"], memory.numpy(), rtol=1e-4, atol=1e-6)
    assert resumes(run, cohort)


def test_mixup(folder):
    run = active(folder, augmentation={"mixup": 0.5}, data=NOISE, loss={"label_smoothing": 0.1})
    cohort, figures = trained(run, 2)
    train, spec = run.splits.train, run.spec
    shape, stream = spec.dataset.shape, spec.streams.augmentation
    augmenter = Augmenter(spec.recipe.augmentation, train, shape, run.splits.scaling, stream)
    inputs, mixes = train.inputs, []
    for epoch, order in enumerate(orders(run, 2)):
        partners, shares = augmenter.pairs(len(train), epoch)
        assert 0 <= shares.min() < 0.2
        assert 0.8 < shares.max() <= 1
        mixes.append((order, order[partners], shares))
    parts = iter([
        (torch.from_numpy(train.labels[others[i : i + 16]]), torch.from_numpy(shares[i : i + 16]))
        for _, others, shares in mixes
        for i in range(0, len(train), 16)
    ])  # fmt: skip

    def images(epoch, order):
        own, others, shares = mixes[epoch]
        np.testing.assert_array_equal(order, own)
        mixed = shares[:, None] * inputs[own] + (1 - shares[:, None]) * inputs[others]
        return torch.from_numpy(mixed).reshape(-1, 1, 28, 28)

    def criterion(outputs, goals):
        others, shares = next(parts)
        own, other = (functional.one_hot(goal, 3).float() for goal in (goals, others))
        target = shares[:, None] * own + (1 - shares[:, None]) * other
        return functional.cross_entropy(outputs, target, label_smoothing=0.1)

    model, losses = plain_loop(run, criterion, sgd, epochs=2, images_of=images)
    assert_near(cohort, model, figures, losses)
    assert resumes(run, cohort)
