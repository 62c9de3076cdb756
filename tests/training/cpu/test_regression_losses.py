"""Regression losses against their definition, PyTorch's functions and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.training.cpu.regression_losses import huber, l1, mse

DELTA = 0.7
LOSSES = {
    "mse": (mse, (), functional.mse_loss),
    "l1": (l1, (), functional.l1_loss),
    "huber": (huber, (np.float32(DELTA),), lambda out, target: functional.huber_loss(out, target, delta=DELTA)),
}


def test_mse_has_the_bits_of_its_definition_in_vectors_of_columns_and_behind_them():
    rows, outputs, first, columns = 5, 61, 16, 48
    generator = np.random.default_rng(2)
    output, targets = (generator.standard_normal((rows, count), dtype=np.float32) for count in (columns, outputs))
    bias = generator.standard_normal(columns, dtype=np.float32)
    unpadded = outputs - first
    difference = output[:, :unpadded] + bias[:unpadded] - targets[:, first:]
    gradient = difference * np.float32(2 / (rows * outputs))
    bias_gradient, column_losses = np.full((2, columns), np.nan, np.float32)
    loss = mse(output, bias, bias_gradient, targets, first, outputs, column_losses)
    assert output[:, :unpadded].tobytes() == gradient.tobytes()
    assert not output[:, unpadded:].any()
    assert bias_gradient[:unpadded].tobytes() == np.add.accumulate(gradient)[-1].tobytes()
    assert not bias_gradient[unpadded:].any()
    assert loss == sum(map(float, np.add.accumulate(difference**2)[-1])) / (rows * outputs)


def ours(name, outputs, bias, targets, step=None):
    """(loss, gradient, bias gradient) in blocks of `step` columns, of a layer of padded width."""
    loss_of, extra, _ = LOSSES[name]
    unpadded = outputs.shape[1]
    width = -(-unpadded // 16) * 16
    padding = width - unpadded
    output, biases = np.pad(outputs, [(0, 0), (0, padding)]), np.pad(bias, (0, padding))
    bias_gradient = np.full(width, np.nan, np.float32)
    total, step = 0.0, step or width
    for first in range(0, width, step):
        part = np.ascontiguousarray(output[:, first : first + step])
        shares = np.full(part.shape[1], np.nan, np.float32), np.full(part.shape[1], np.nan, np.float32)
        total += loss_of(part, biases[first : first + step], shares[0], targets, first, unpadded, shares[1], *extra)
        output[:, first : first + step], bias_gradient[first : first + step] = part, shares[0]
    assert not output[:, unpadded:].any()
    assert not bias_gradient[unpadded:].any()
    return total, output[:, :unpadded], bias_gradient[:unpadded]


def theirs(name, outputs, bias, targets):
    inputs = torch.tensor(outputs, requires_grad=True)
    biases = torch.tensor(bias, requires_grad=True)
    with torch.enable_grad():
        loss = LOSSES[name][2](inputs + biases, torch.tensor(targets))
        loss.backward()
    return loss.item(), inputs.grad.numpy(), biases.grad.numpy()


@pytest.mark.parametrize(("outputs", "step"), [(1, None), (3, None), (37, None), (37, 16), (96, 32)])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradients_equal_autograd_s(name, outputs, step):
    generator = np.random.default_rng(outputs)
    values, targets = generator.standard_normal((2, 29, outputs), dtype=np.float32)
    bias = generator.standard_normal(outputs, dtype=np.float32)
    values[0, 0] = targets[0, 0] - bias[0]
    loss, gradient, bias_gradient = ours(name, values, bias, targets, step)
    expected = theirs(name, values, bias, targets)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(bias_gradient, expected[2], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("difference", [0.0, -0.0, DELTA, -DELTA, np.nan, np.inf, -np.inf, 1e25, -1e25])
@pytest.mark.parametrize("name", LOSSES)
def test_edges_and_values_that_are_not_finite_come_out_as_pytorch_s(name, difference):
    values = np.full((2, 1), difference, np.float32)
    values[1] = 0.25
    arguments = values, np.zeros(1, np.float32), np.zeros((2, 1), np.float32)
    for found, expected in zip(ours(name, *arguments), theirs(name, *arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
