"""Kernels have the same bits on every processor that rounds as IEEE 754 says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from paribus.training.cpu.activations import CODES, activate, activate_backward
from paribus.training.cpu.classification_losses import binary_cross_entropy, weighted_cross_entropy
from paribus.training.cpu.clipping import norm_coefficient, sum_of_squares
from paribus.training.cpu.dropout import dropout_with_derivative
from paribus.training.cpu.optimizers import rmsprop, rmsprop_coefficients
from paribus.training.cpu.regression_losses import huber, l1
from tests.training.test_processors import OTHER_PROCESSORS, digest_on


def digest() -> str:
    """A hash of the results of the kernels that the digest of whole runs does not cover."""
    generator = np.random.default_rng(0)
    values, targets, gradient = 3 * generator.standard_normal((3, 37, 48), dtype=np.float32)
    bias, bias_gradient, column_losses = generator.standard_normal((3, 48), dtype=np.float32)
    half, scale = np.float32(0.5), np.float32(2)
    results = []
    for code in CODES.values():
        outputs, derivative, own = values.copy(), np.zeros_like(values), gradient.copy()
        activate(outputs, derivative, bias, code, half, 48)
        dropout_with_derivative(outputs, derivative, np.uint64(1), np.uint64(2), half, scale)
        activate_backward(own, outputs, derivative, code, scale, bias_gradient)
        results += outputs, derivative, own, bias_gradient.copy()
    for loss_of, extra in ((l1, ()), (huber, (half,))):
        output = values.copy()
        loss = loss_of(output, bias, bias_gradient, targets, 0, 45, column_losses, *extra)
        results += output, bias_gradient.copy(), np.array(loss)
    labels = generator.integers(0, 2, len(values))
    weights = np.abs(gradient[:, 0]).copy(), np.abs(gradient[0, :20]).copy()
    for loss_of, arguments in ((binary_cross_entropy, ()), (weighted_cross_entropy, (0.1, 20, weights[1], weights[0]))):
        output = values.copy()
        results += np.array(loss_of(output, bias, bias_gradient, labels, *arguments)), output, bias_gradient.copy()
    for centred in (0, 1):
        state = np.zeros((4, values.size), np.float32)
        coefficients = rmsprop_coefficients(np.array([0.01, 0.99, 1e-8, 0.9, centred, 0.01]))
        for own in (gradient, values):
            rmsprop(state[0], own.ravel(), *state[1:], coefficients)
        results.append(state)
    results.append(np.array(norm_coefficient(sum_of_squares(gradient.ravel()), 1.0)))
    return hashlib.sha256(b"".join(result.tobytes() for result in results)).hexdigest()


@pytest.mark.parametrize(("features", "statement"), OTHER_PROCESSORS.values(), ids=OTHER_PROCESSORS)
def test_kernels_have_the_same_bits_on_another_processor(features, statement):
    assert digest_on(features, statement, __name__) == digest()
