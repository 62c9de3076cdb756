"""Classification losses against PyTorch's functions and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.training.cpu.classification_losses import binary_cross_entropy, cross_entropy, weighted_cross_entropy

ROWS = 23


def padded(array, width):
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])])


def applied(function, logits, bias, *arguments):
    """(loss, correct, gradient, bias gradient) of a padded layer, without padding."""
    classes = logits.shape[1]
    width = -(-classes // 16) * 16
    output, bias_gradient = padded(logits, width), np.full(width, np.nan, np.float32)
    loss, correct = function(output, padded(bias, width), bias_gradient, *arguments)
    assert not output[:, classes:].any()
    assert not bias_gradient[classes:].any()
    return loss, correct, output[:, :classes], bias_gradient[:classes]


def autograd(loss_of, logits, bias, dtype=torch.float64):
    """(loss, gradient, bias gradient) of `loss_of(logits with their bias)`."""
    inputs, biases = (torch.tensor(array, dtype=dtype, requires_grad=True) for array in (logits, bias))
    with torch.enable_grad():
        loss = loss_of(inputs + biases)
        loss.backward()
    return loss.item(), inputs.grad.numpy(), biases.grad.numpy()


def assert_equal(found, expected, *, rtol=1e-6):
    loss, _, gradient, bias_gradient = found
    np.testing.assert_allclose(loss, expected[0], rtol=rtol)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(bias_gradient, expected[2], rtol=1e-5, atol=1e-7)


def batch(classes, rows=ROWS):
    generator = np.random.default_rng(classes)
    logits = 4 * generator.standard_normal((rows, classes), dtype=np.float32)
    return logits, generator.standard_normal(classes, dtype=np.float32), generator.integers(0, classes, rows)


def weights(count, seed=3):
    return np.random.default_rng(seed).random(count, dtype=np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("classes", [2, 10, 16, 21])
def test_cross_entropy(classes, smoothing):
    logits, bias, labels = batch(classes)
    found = applied(cross_entropy, logits, bias, labels, smoothing, classes)
    target = torch.tensor(labels)
    assert_equal(
        found, autograd(lambda z: functional.cross_entropy(z, target, label_smoothing=smoothing), logits, bias)
    )
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("classes", [2, 10, 16, 21])
def test_class_weights_and_label_smoothing(classes, smoothing):
    logits, bias, labels = batch(classes)
    by_class = weights(classes)
    by_class[1] = 0
    ones = np.ones(ROWS, np.float32)
    found = applied(weighted_cross_entropy, logits, bias, labels, smoothing, classes, by_class, ones)
    target, weight = torch.tensor(labels), torch.tensor(by_class, dtype=torch.float64)
    assert_equal(
        found,
        autograd(lambda z: functional.cross_entropy(z, target, weight=weight, label_smoothing=smoothing), logits, bias),
    )
    assert found[1] == ((logits + bias).argmax(1) == labels).sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_example_weights_give_a_weighted_mean(smoothing):
    logits, bias, labels = batch(10)
    by_example = weights(ROWS)
    by_example[4] = 0
    ones = np.ones(10, np.float32)
    found = applied(weighted_cross_entropy, logits, bias, labels, smoothing, 10, ones, by_example)
    target, weight = torch.tensor(labels), torch.tensor(by_example, dtype=torch.float64)

    def weighted(z):
        losses = functional.cross_entropy(z, target, label_smoothing=smoothing, reduction="none")
        return (weight * losses).sum() / weight.sum()

    assert_equal(found, autograd(weighted, logits, bias))
    assert not found[2][4].any()


def test_an_example_weight_of_two_is_the_example_twice():
    logits, bias, labels = batch(5)
    by_class, twice = weights(5), np.ones(ROWS, np.float32)
    twice[:7] = 2
    repeated = np.concatenate([np.arange(7), np.arange(ROWS)])
    once = applied(weighted_cross_entropy, logits, bias, labels, 0.1, 5, by_class, twice)
    ones = np.ones(len(repeated), np.float32)
    both = applied(weighted_cross_entropy, logits[repeated], bias, labels[repeated], 0.1, 5, by_class, ones)
    np.testing.assert_allclose(once[0], both[0], rtol=1e-6)
    np.testing.assert_allclose(once[3], both[3], rtol=1e-5, atol=1e-8)


def test_without_any_weight_a_batch_has_no_loss():
    logits, bias, labels = batch(5)
    zeros = np.zeros(ROWS, np.float32)
    found = applied(weighted_cross_entropy, logits, bias, labels, 0.1, 5, np.ones(5, np.float32), zeros)
    assert np.isnan(found[0])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("logit", [np.nan, np.inf, 1e30, -1e30, 95.0, -300.0])
def test_logits_that_are_not_finite_or_far_out_come_out_as_pytorch_s(logit, weighted):
    logits, bias, labels = batch(6, rows=4)
    bias[:] = 0
    logits[1, 2] = logit
    function, extra = cross_entropy, ()
    if weighted:
        function, extra = weighted_cross_entropy, (np.ones(6, np.float32), np.ones(4, np.float32))
    found = applied(function, logits, bias, labels, 0.0, 6, *extra)
    target = torch.tensor(labels)
    assert_equal(found, autograd(lambda z: functional.cross_entropy(z, target), logits, bias, torch.float32), rtol=1e-5)


def test_among_equal_logits_the_first_class_counts():
    logits, bias = np.zeros((3, 4), np.float32), np.zeros(4, np.float32)
    assert applied(cross_entropy, logits, bias, np.array([0, 1, 0]), 0.0, 4)[1] == 2
    ones = np.ones(4, np.float32), np.ones(3, np.float32)
    assert applied(weighted_cross_entropy, logits, bias, np.array([0, 1, 0]), 0.0, 4, *ones)[1] == 2


def test_binary_cross_entropy():
    logits, bias, _ = batch(1)
    labels = np.random.default_rng(1).integers(0, 2, ROWS)
    logits[0], bias[0], labels[0] = 0, 0, 0
    found = applied(binary_cross_entropy, logits, bias, labels)
    target = torch.tensor(labels, dtype=torch.float64)[:, None]
    assert_equal(found, autograd(lambda z: functional.binary_cross_entropy_with_logits(z, target), logits, bias))
    assert found[1] == ((logits[:, 0] > 0) == (labels == 1)).sum()


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("logit", [np.nan, np.inf, -np.inf, 1e30, -1e30, 40.0, -40.0, 95.0, -95.0])
def test_binary_logits_that_are_not_finite_or_far_out_come_out_as_pytorch_s(logit, label):
    logits, bias = np.array([[logit]], np.float32), np.zeros(1, np.float32)
    target = torch.tensor([[float(label)]])
    found = applied(binary_cross_entropy, logits, bias, np.array([label]))
    expected = autograd(lambda z: functional.binary_cross_entropy_with_logits(z, target), logits, bias, torch.float32)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(found[2], expected[1], rtol=1e-5, atol=1e-8)
