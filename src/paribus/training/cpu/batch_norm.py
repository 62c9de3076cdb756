"""Batch normalisation of a hidden layer (Ioffe and Szegedy 2015), as `torch.nn.BatchNorm1d` does it by default.

With z the layer's values, bias included, of n examples, and w, b its own weight and bias (unit,), in training:

    m = mean(z),  v = mean((z - m)**2),  s = 1 / sqrt(v + eps),  x = (z - m) s,  y = w x + b
    running mean = 0.9 running mean + 0.1 m,  running variance = 0.9 running variance + 0.1 v n / (n - 1)

and otherwise y = w (z - running mean) / sqrt(running variance + eps) + b. Backward, with g the gradient of y:

    dw = sum(g x),  db = sum(g),  dz = w s (g - db / n - x dw / n)

Matrices are (row, unit), contiguous float32; sums go over rows in their order. Those of m and v are float64, as
PyTorch's are. Units are independent of each other. Padding has z = 0 and w = 0, and stays 0.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paribus.training.cpu.compiling import compiled

EPS: Final = 1e-5
MOMENTUM: Final = 0.1
"""The share of the newest batch in the running statistics."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def normalise_batch(
    values: Any, layer_bias: Any, weight: Any, normalised: Any, scale: Any, running_mean: Any, running_variance: Any
) -> None:
    """`values` = w x from z without bias, `normalised` = x and `scale` (unit,) = s; the running statistics move on."""
    rows, units = values.shape
    sums, means = np.zeros(units, np.float64), np.empty(units, np.float32)
    for row in range(rows):
        into = values[row]
        for unit in range(units):
            into[unit] += layer_bias[unit]
            sums[unit] += np.float64(into[unit])
    for unit in range(units):
        mean = sums[unit] / rows
        means[unit] = np.float32(mean)
        running_mean[unit] = np.float32((1.0 - MOMENTUM) * np.float64(running_mean[unit]) + MOMENTUM * mean)
        sums[unit] = 0.0
    for row in range(rows):
        own, into = values[row], normalised[row]
        for unit in range(units):
            centred = own[unit] - means[unit]
            into[unit] = centred
            sums[unit] += np.float64(centred) * np.float64(centred)
    for unit in range(units):
        scale[unit] = np.float32(1.0 / np.sqrt(sums[unit] / rows + EPS))
        kept = (1.0 - MOMENTUM) * np.float64(running_variance[unit])
        running_variance[unit] = np.float32(kept + MOMENTUM * (sums[unit] / (rows - 1)))
    for row in range(rows):
        own, into = normalised[row], values[row]
        for unit in range(units):
            x = own[unit] * scale[unit]
            own[unit] = x
            into[unit] = weight[unit] * x


@compiled
def normalise_running(
    values: Any, layer_bias: Any, weight: Any, scale: Any, running_mean: Any, running_variance: Any
) -> None:
    """`values` = w (z - running mean) s from z without bias; `scale` (unit,) is overwritten."""
    rows, units = values.shape
    for unit in range(units):
        scale[unit] = weight[unit] * np.float32(1.0 / np.sqrt(np.float64(running_variance[unit]) + EPS))
    for row in range(rows):
        into = values[row]
        for unit in range(units):
            into[unit] = (into[unit] + layer_bias[unit] - running_mean[unit]) * scale[unit]


@compiled
def normalise_backward(
    gradient: Any, normalised: Any, weight: Any, scale: Any, bias_gradient: Any, weight_gradient: Any
) -> None:
    """`gradient` = dz from g, in place, and `weight_gradient` = dw; `bias_gradient` = db is given."""
    rows, units = gradient.shape
    weight_gradient[:] = _ZERO
    for row in range(rows):
        own, x = gradient[row], normalised[row]
        for unit in range(units):
            weight_gradient[unit] += own[unit] * x[unit]
    share = _ONE / np.float32(rows)
    for row in range(rows):
        own, x = gradient[row], normalised[row]
        for unit in range(units):
            rest = own[unit] - share * bias_gradient[unit] - x[unit] * (share * weight_gradient[unit])
            own[unit] = weight[unit] * scale[unit] * rest
