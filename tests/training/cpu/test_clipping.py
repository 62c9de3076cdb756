"""Gradient clipping against `torch.nn.utils`."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from paribus.training.cpu.clipping import clip_by_value, norm_coefficient, scale, sum_of_squares

SHAPES = [(40, 21), (21,), (21, 5), (5,)]


def gradients(size=3.0):
    generator = np.random.default_rng(0)
    return [(size * generator.standard_normal(shape)).astype(np.float32) for shape in SHAPES]


def padded(array, width):
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])])


def clipped(arrays, max_norm, width=32):
    """Of padded gradients, without their padding: (gradients, norm)."""
    flat = [padded(array, width).reshape(-1) for array in arrays]
    squares = 0.0
    for gradient in flat:
        squares += sum_of_squares(gradient)
    for gradient in flat:
        scale(gradient, norm_coefficient(squares, max_norm))
    out = [
        gradient.reshape(*array.shape[:-1], width)[..., : array.shape[-1]]
        for gradient, array in zip(flat, arrays, strict=True)
    ]
    return out, math.sqrt(squares)


def theirs(arrays, clip, limit):
    parameters = [nn.Parameter(torch.zeros(array.shape)) for array in arrays]
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter.grad = torch.tensor(array)
    returned = clip(parameters, limit)
    return [parameter.grad.numpy() for parameter in parameters], returned


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 80.0, 1e9])
def test_by_norm(max_norm):
    found, norm = clipped(gradients(), max_norm)
    expected, expected_norm = theirs(gradients(), nn.utils.clip_grad_norm_, max_norm)
    np.testing.assert_allclose(norm, expected_norm.item(), rtol=1e-6)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-6)


def test_a_smaller_norm_changes_no_bit():
    for own, before in zip(clipped(gradients(), 1e4)[0], gradients(), strict=True):
        assert own.tobytes() == before.tobytes()


def test_bits_do_not_depend_on_padding():
    narrow, wide = clipped(gradients(), 1.0, width=32), clipped(gradients(), 1.0, width=64)
    assert narrow[1] == wide[1]
    for own, other in zip(narrow[0], wide[0], strict=True):
        assert own.tobytes() == other.tobytes()


def test_a_large_gradient_has_a_finite_norm():
    assert math.isclose(clipped(gradients(1e30), 1.0)[1], 1e30 / 3 * clipped(gradients(3.0), 1.0)[1], rel_tol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_gradients_that_are_not_finite_come_out_as_pytorch_s(broken):
    arrays = gradients()
    arrays[1][3] = broken
    found = clipped(arrays, 1.0)[0]
    for own, other in zip(found, theirs(arrays, nn.utils.clip_grad_norm_, 1.0)[0], strict=True):
        np.testing.assert_array_equal(own, other)


def test_by_value():
    arrays = gradients()
    arrays[0][0, :4] = np.nan, np.inf, -np.inf, 0
    expected, _ = theirs(arrays, nn.utils.clip_grad_value_, 0.7)
    for own, other in zip(arrays, expected, strict=True):
        clip_by_value(own.reshape(-1), np.float32(0.7))
        assert own.tobytes() == other.tobytes()
