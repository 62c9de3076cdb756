"""Optimizer steps against `torch.optim` in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.training.cpu.optimizers import rmsprop, rmsprop_coefficients

STEPS, SIZE = 30, 77
CASES = {
    "defaults": {},
    "momentum": {"momentum": 0.9},
    "centred": {"centered": True},
    "all": {"momentum": 0.8, "centered": True, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.02},
}


def problem():
    """(parameters (SIZE,), gradients (STEPS, SIZE))."""
    generator = np.random.default_rng(0)
    scales = np.logspace(-4, 1, SIZE)
    gradients = (generator.standard_normal((STEPS, SIZE)) + 0.3) * scales
    return generator.standard_normal(SIZE).astype(np.float32), gradients.astype(np.float32)


def ours(parameter, gradients, *, lr=0.01, alpha=0.99, eps=1e-8, momentum=0.0, centered=False, weight_decay=0.0):
    hyperparameters = np.array([lr, alpha, eps, momentum, centered, weight_decay])
    state = np.zeros((3, len(parameter)), np.float32)
    for gradient in gradients:
        rmsprop(parameter, gradient, *state, rmsprop_coefficients(hyperparameters))
    return parameter, dict(zip(("square_avg", "grad_avg", "momentum_buffer"), state, strict=True))


def theirs(parameter, gradients, dtype=torch.float64, **options):
    tensor = torch.tensor(parameter, dtype=dtype, requires_grad=True)
    optimizer = torch.optim.RMSprop([tensor], lr=0.01, **options)
    for gradient in gradients:
        tensor.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
    return tensor.detach().numpy(), optimizer.state[tensor]


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_rmsprop(options):
    parameter, gradients = problem()
    expected, expected_state = theirs(parameter, gradients, **options)
    found, state = ours(parameter.copy(), gradients, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    for name, tensor in expected_state.items():
        if name != "step":
            np.testing.assert_allclose(state[name], tensor.numpy(), rtol=2e-5, atol=1e-6)


def test_rmsprop_takes_nan_up_and_leaves_other_parameters_alone():
    parameter, gradients = problem()
    broken = gradients.copy()
    broken[3, 5] = np.nan
    expected, found = ours(parameter.copy(), gradients)[0], ours(parameter.copy(), broken)[0]
    assert np.isnan(found[5])
    assert np.delete(found, 5).tobytes() == np.delete(expected, 5).tobytes()


def test_centred_rmsprop_of_constant_gradients_stays_finite():
    """Rounding makes the variance of some of them negative, where PyTorch's root of it is NaN."""
    gradients = np.linspace(0.01, 1, 1000, dtype=np.float32)[None].repeat(50, 0)
    options = {"alpha": 0.5, "centered": True, "eps": 1e-3}
    start = np.zeros(1000, np.float32)
    assert np.isnan(theirs(start, gradients, dtype=torch.float32, **options)[0]).any()
    assert np.isfinite(ours(start, gradients, **options)[0]).all()


def test_padding_stays_zero():
    gradients = np.zeros((5, 16), np.float32)
    for centered in (False, True):
        found, state = ours(np.zeros(16, np.float32), gradients, momentum=0.9, centered=centered, weight_decay=0.1)
        assert not found.any()
        assert not any(part.any() for part in state.values())
