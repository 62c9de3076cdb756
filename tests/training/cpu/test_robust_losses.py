"""Losses that do not trust every label, against the formulas of their papers and PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.training.cpu import robust_losses
from paribus.training.cpu.choosing import choose
from paribus.training.cpu.classification_losses import mixed_cross_entropy, predict_classes
from tests.training.cpu.test_classification_losses import ROWS, applied, assert_equal, autograd, batch, padded


def one_hot(labels, classes):
    return functional.one_hot(torch.tensor(labels), classes).double()


def generalised(labels, classes, q):
    return lambda z: ((1 - (functional.softmax(z, 1) * one_hot(labels, classes)).sum(1) ** q) / q).mean()


def symmetric(labels, classes, alpha, beta, log_zero):
    def loss(z):
        p, y = functional.softmax(z, 1), one_hot(labels, classes)
        log_y = torch.where(y > 0, 0.0, log_zero)
        return (
            alpha * functional.cross_entropy(z, torch.tensor(labels), reduction="none") - beta * (p * log_y).sum(1)
        ).mean()

    return loss


def bootstrapped(labels, classes, beta, *, hard):
    def loss(z):
        p = functional.softmax(z, 1)
        predicted = functional.one_hot(p.argmax(1), classes).double() if hard else p
        return -((beta * one_hot(labels, classes) + (1 - beta) * predicted) * p.log()).sum(1).mean()

    return loss


def forward_corrected(labels, matrix):
    return lambda z: functional.nll_loss((functional.softmax(z, 1) @ torch.tensor(matrix)).log(), torch.tensor(labels))


def early_learning(labels, memory, strength, momentum):
    def loss(z):
        p = functional.softmax(z, 1).clamp(1e-4, 1 - 1e-4)
        fixed = p.detach()
        target = momentum * torch.tensor(memory).double() + (1 - momentum) * fixed / fixed.sum(1, keepdim=True)
        return functional.cross_entropy(z, torch.tensor(labels)) + strength * (1 - (target * p).sum(1)).log().mean()

    return loss


@pytest.mark.parametrize("classes", [2, 10, 21])
@pytest.mark.parametrize("q", [0.01, 0.7, 1.0])
def test_generalised_cross_entropy(classes, q):
    logits, bias, labels = batch(classes)
    found = applied(robust_losses.generalised_cross_entropy, logits, bias, labels, classes, q)
    assert_equal(found, autograd(generalised(labels, classes, q), logits, bias), rtol=1e-6 / q)
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


@pytest.mark.parametrize("classes", [2, 10, 21])
@pytest.mark.parametrize(("alpha", "beta", "log_zero"), [(0.1, 1.0, -4.0), (6.0, 0.1, -6.0)])
def test_symmetric_cross_entropy(classes, alpha, beta, log_zero):
    logits, bias, labels = batch(classes)
    function = robust_losses.symmetric_cross_entropy
    found = applied(function, logits, bias, labels, classes, alpha, -beta * log_zero)
    assert_equal(found, autograd(symmetric(labels, classes, alpha, beta, log_zero), logits, bias))
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


@pytest.mark.parametrize("classes", [2, 10, 21])
@pytest.mark.parametrize("beta", [0.0, 0.8])
@pytest.mark.parametrize("hard", [False, True])
def test_bootstrapping(classes, beta, hard):
    logits, bias, labels = batch(classes)
    function = robust_losses.hard_bootstrapping if hard else robust_losses.soft_bootstrapping
    found = applied(function, logits, bias, labels, classes, beta)
    assert_equal(found, autograd(bootstrapped(labels, classes, beta, hard=hard), logits, bias))
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


@pytest.mark.parametrize("classes", [2, 10, 21])
def test_forward_correction(classes):
    logits, bias, labels = batch(classes)
    matrix = np.random.default_rng(classes).dirichlet(np.ones(classes), classes)
    chances = np.log(matrix.T).astype(np.float32)
    found = applied(robust_losses.forward_correction, logits, bias, labels, classes, np.ascontiguousarray(chances))
    loss, gradient, bias_gradient = autograd(forward_corrected(labels, matrix), logits, bias)
    assert found[0] == pytest.approx(loss, rel=1e-6)
    for ours, theirs in ((found[2], gradient), (found[3], bias_gradient)):  # differences of two probabilities
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


def test_forward_correction_stays_finite_where_a_label_cannot_come_from_the_predicted_class():
    """The network is sure of class 0, whose examples are never labelled 2: the gradient pulls, and is no NaN."""
    matrix = np.array([[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]])
    with np.errstate(divide="ignore"):
        chances = np.ascontiguousarray(np.log(matrix.T).astype(np.float32))
    logits, bias = np.array([[200.0, 0.0, 0.0]], np.float32), np.zeros(3, np.float32)
    loss, _, gradient, _ = applied(robust_losses.forward_correction, logits, bias, np.array([2]), 3, chances)
    assert loss == pytest.approx(200.0 - np.log(1.0), rel=1e-6)
    np.testing.assert_allclose(gradient, [[1.0, -0.3, -0.7]], atol=1e-6)


@pytest.mark.parametrize("classes", [2, 10, 21])
def test_early_learning_regularisation(classes):
    logits, bias, labels = batch(classes)
    logits[:4] *= 10  # some probabilities leave the range that the loss keeps them in
    memory = np.random.default_rng(3).dirichlet(np.ones(classes), ROWS).astype(np.float32)
    after = memory.copy()
    found = applied(robust_losses.early_learning, logits, bias, labels, classes, 3.0, 0.7, after)
    assert_equal(found, autograd(early_learning(labels, memory, 3.0, 0.7), logits, bias), rtol=1e-5)
    p = functional.softmax(torch.tensor(logits + bias).double(), 1).clamp(1e-4, 1 - 1e-4)
    expected = 0.7 * memory + 0.3 * (p / p.sum(1, keepdim=True)).numpy()
    np.testing.assert_allclose(after, expected, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("classes", [2, 10, 21])
def test_mixed_labels(classes, smoothing):
    logits, bias, labels = batch(classes)
    random = np.random.default_rng(5)
    others, shares = random.integers(0, classes, ROWS), random.random(ROWS, dtype=np.float32)

    def mixed(z):
        own, other = (
            functional.cross_entropy(z, torch.tensor(of), label_smoothing=smoothing, reduction="none")
            for of in (labels, others)
        )
        share = torch.tensor(shares).double()
        return (share * own + (1 - share) * other).mean()

    found = applied(mixed_cross_entropy, logits, bias, labels, others, shares, smoothing, classes)
    assert_equal(found, autograd(mixed, logits, bias))


NAN_LOSSES = {
    "generalised": (robust_losses.generalised_cross_entropy, (0.7,)),
    "symmetric": (robust_losses.symmetric_cross_entropy, (0.1, 4.0)),
    "soft": (robust_losses.soft_bootstrapping, (0.9,)),
    "hard": (robust_losses.hard_bootstrapping, (0.9,)),
    "forward": (robust_losses.forward_correction, (np.zeros((3, 3), np.float32),)),
    "early learning": (robust_losses.early_learning, (3.0, 0.7, np.zeros((2, 3), np.float32))),
}


@pytest.mark.parametrize(("function", "more"), NAN_LOSSES.values(), ids=NAN_LOSSES)
def test_a_logit_that_is_not_a_number_spoils_its_loss(function, more):
    """Whoever trains sees by the loss that a run has diverged."""
    logits, bias = np.array([[0.0, np.nan, 1.0], [0.0, 1.0, 2.0]], np.float32), np.zeros(3, np.float32)
    loss, _, gradient, _ = applied(function, logits, bias, np.array([0, 1]), 3, *more)
    assert not np.isfinite(loss)
    assert np.isnan(gradient[0]).any()
    assert np.isfinite(gradient[1]).all()


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.77, 1.0])
def test_a_run_chooses_the_examples_with_the_smallest_losses(kept):
    logits, bias, labels = batch(10)
    losses = functional.cross_entropy(torch.tensor(logits + bias).double(), torch.tensor(labels), reduction="none")
    chosen = np.full(ROWS, 7, np.float32)
    choose(padded(logits, 16), padded(bias, 16), labels, 0.0, 10, kept, chosen)
    count = max(1, int(kept * ROWS))
    expected = np.zeros(ROWS)
    expected[np.argsort(losses.numpy())[:count]] = 1
    np.testing.assert_array_equal(chosen, expected)


def test_of_equal_losses_the_first_are_chosen():
    chosen = np.zeros(6, np.float32)
    choose(np.zeros((6, 16), np.float32), np.zeros(16, np.float32), np.zeros(6, np.int64), 0.0, 3, 0.5, chosen)
    assert chosen.tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("classes", [1, 4, 21])
def test_classes_that_are_predicted(classes):
    logits, bias, _ = batch(max(classes, 2))
    logits, bias = logits[:, :classes], bias[:classes]
    width, predicted = -(-classes // 16) * 16, np.zeros(ROWS, np.int64)
    output = padded(logits, width)
    predict_classes(output, padded(bias, width), classes, predicted)
    expected = (logits[:, 0] + bias[0] > 0) if classes == 1 else (logits + bias).argmax(1)
    np.testing.assert_array_equal(predicted, expected)
    np.testing.assert_array_equal(output, padded(logits, width))
