"""Activations and dropout, forward and backward, against PyTorch's functions and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.training.cpu.activations import CODES, activate, activate_backward
from paribus.training.cpu.dropout import dropout, dropout_with_derivative, uniform

ROWS, UNITS, WIDTH = 37, 21, 32
SEED, POSITION, RATE = np.uint64(5), np.uint64(3), np.float32(0.4)
THEIRS = {
    "relu": (functional.relu, 0.0),
    "leaky-relu": (lambda z: functional.leaky_relu(z, 0.07), 0.07),
    "elu": (lambda z: functional.elu(z, 1.7), 1.7),
    "tanh": (torch.tanh, 0.0),
    "sigmoid": (torch.sigmoid, 0.0),
    "gelu": (functional.gelu, 0.0),
    "silu": (functional.silu, 0.0),
    "identity": (lambda z: z.clone(), 0.0),
}
"""Each with its parameter."""


def padded(array):
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, WIDTH - array.shape[-1])])


def random(*shapes, spread=3.0):
    generator = np.random.default_rng(0)
    return [(spread * generator.standard_normal(shape)).astype(np.float32) for shape in shapes]


def ours(kind, values, bias, gradient, *, drop=False):
    """Of padded matrices: (outputs, gradient before the activation, bias gradient)."""
    values, gradient = padded(values), padded(gradient)
    derivative, bias_gradient = np.full_like(values, np.nan), np.full(WIDTH, np.nan, np.float32)
    code, parameter = CODES[kind], np.float32(THEIRS[kind][1])
    activate(values, derivative, padded(bias), code, parameter, UNITS)
    scale = np.float32(1)
    if drop:
        scale = np.float32(1) / (np.float32(1) - RATE)
        if kind == "relu":
            dropout(values, SEED, POSITION, RATE, scale)
        else:
            dropout_with_derivative(values, derivative, SEED, POSITION, RATE, scale)
    activate_backward(gradient, values, derivative, code, scale, bias_gradient)
    return values, gradient, bias_gradient


def theirs(kind, values, bias, gradient, factors=None, dtype=torch.float64):
    """The same by autograd, without padding; dropout multiplies by `factors`."""
    inputs = torch.tensor(values, dtype=dtype)
    biases = torch.tensor(bias, dtype=dtype, requires_grad=True)
    with torch.enable_grad():
        z = (inputs + biases).detach().requires_grad_() if dtype is torch.float32 else inputs + biases
        z.retain_grad()
        out = THEIRS[kind][0](z)
        if factors is not None:
            out = out * torch.tensor(factors, dtype=dtype)
        out.backward(torch.tensor(gradient, dtype=dtype))
    return out.detach().numpy(), z.grad.numpy(), z.grad.sum(0).numpy()


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("kind", CODES)
def test_values_and_gradients_equal_autograd_s(kind, drop):
    values, bias, gradient = random((ROWS, UNITS), UNITS, (ROWS, UNITS))
    values[:3, :5] = 0
    bias[:3] = 0
    factors = None
    if drop:
        kept = uniform(SEED, POSITION, ROWS * WIDTH).reshape(ROWS, WIDTH)[:, :UNITS] >= RATE
        factors = kept / (1 - float(RATE))
    results = ours(kind, values, bias, gradient, drop=drop)
    for found, exact, size in zip(results, theirs(kind, values, bias, gradient, factors), (9, 9, ROWS), strict=True):
        np.testing.assert_allclose(found[..., :UNITS], exact, rtol=1e-6, atol=1e-7 * size)
        assert not found[..., UNITS:].any()
    if drop:
        assert not results[1][:, :UNITS][~kept].any()
        assert not results[0][:, :UNITS][~kept].any()


@pytest.mark.parametrize("kind", CODES)
def test_values_that_are_not_finite_come_out_as_pytorch_s(kind):
    """PyTorch's GELU of infinite values depends on the processor: infinite or not a number."""
    infinite = [] if kind == "gelu" else [np.inf, -np.inf]
    inputs = [np.nan, *infinite, 0.0, -0.0, 1e30, -1e30, 95.0, -95.0, 200.0, -200.0, 1e-20, -1e-20]
    values = np.zeros((len(inputs), UNITS), np.float32)
    values[:, 0] = inputs
    gradient = np.ones_like(values)
    found = ours(kind, values, np.zeros(UNITS, np.float32), gradient)
    exact = theirs(kind, values, np.zeros(UNITS), gradient, dtype=torch.float32)
    for own, other in zip(found[:2], exact[:2], strict=True):
        np.testing.assert_allclose(own[:, 0], other[:, 0], rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("kind", CODES)
def test_gradients_that_are_not_finite_come_out_as_pytorch_s(kind):
    gradient = np.array([[np.nan], [np.inf], [-np.inf], [1e38]], np.float32).repeat(UNITS, 1)
    values = np.linspace(-2, 2, UNITS, dtype=np.float32)[None].repeat(4, 0)
    found = ours(kind, values, np.zeros(UNITS, np.float32), gradient)[1]
    exact = theirs(kind, values, np.zeros(UNITS), gradient, dtype=torch.float32)[1]
    np.testing.assert_allclose(found[:, :UNITS], exact, rtol=1e-5)


@pytest.mark.parametrize("kind", CODES)
def test_a_unit_s_bits_do_not_depend_on_its_place(kind):
    """Loops have vector instructions for most elements and scalar ones for the last: both must round alike."""
    values, bias, gradient = random((3, WIDTH), WIDTH, (3, WIDTH))
    column = np.ascontiguousarray(values[:, 5:6])
    bias[:], gradient[:] = bias[5], 1
    whole = [values.copy(), np.zeros_like(values)]
    alone = [column.copy(), np.zeros_like(column)]
    code, parameter = CODES[kind], np.float32(THEIRS[kind][1])
    activate(*whole, bias, code, parameter, WIDTH)
    activate(*alone, bias[:1].copy(), code, parameter, 1)
    for matrix, own in zip(whole, alone, strict=True):
        assert matrix[:, 5].tobytes() == own[:, 0].tobytes()
