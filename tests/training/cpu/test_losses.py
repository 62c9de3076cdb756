"""Losses against their definitions."""

from __future__ import annotations

import numpy as np

from paribus.training.cpu.losses import mse


def test_mse_has_the_bits_of_its_definition_in_vectors_of_columns_and_behind_them():
    rows, outputs, first, columns = 5, 61, 16, 48
    generator = np.random.default_rng(2)
    output, targets = (generator.standard_normal((rows, count), dtype=np.float32) for count in (columns, outputs))
    bias = generator.standard_normal(columns, dtype=np.float32)
    unpadded = outputs - first
    difference = output[:, :unpadded] + bias[:unpadded] - targets[:, first:]
    gradient = difference * np.float32(2 / (rows * outputs))
    bias_gradient, squares = np.full((2, columns), np.nan, np.float32)
    loss = mse(output, bias, bias_gradient, targets, first, outputs, squares)
    assert output[:, :unpadded].tobytes() == gradient.tobytes()
    assert not output[:, unpadded:].any()
    assert bias_gradient[:unpadded].tobytes() == np.add.accumulate(gradient)[-1].tobytes()
    assert not bias_gradient[unpadded:].any()
    assert loss == sum(map(float, np.add.accumulate(difference**2)[-1])) / (rows * outputs)
