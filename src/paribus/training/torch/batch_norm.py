"""Batch normalisation of all runs at once, as `torch.nn.BatchNorm1d` does it by default.

With z (run, example, unit) a layer's values, y = w x + b and x = (z - mean) / sqrt(variance + eps): of the batch, with
its biased variance, in training, and by the running statistics otherwise. Backward, with g the gradient of y and n
examples:

    dw = sum(g x),  db = sum(g),  dz = w / sqrt(variance + eps) (g - db / n - x dw / n)

Padding has z = 0 and w = 0, and stays 0.
"""

from __future__ import annotations

from typing import Final, final

import torch
from torch import Tensor

EPS: Final = 1e-5
MOMENTUM: Final = 0.1
"""The share of the newest batch in the running statistics."""

Pair = tuple[Tensor, Tensor]


@final
class BatchNorm:
    """One hidden layer's normalisation: its weight and bias, and its running mean and variance, each (run, unit)."""

    def __init__(self, parameters: Pair, statistics: Pair) -> None:
        self._weight, self._bias = (tensor.unsqueeze(1) for tensor in parameters)
        self._running_mean, self._running_variance = (tensor.unsqueeze(1) for tensor in statistics)
        self._normalised = self._scale = torch.empty(0)

    def of_batch(self, values: Tensor) -> Tensor:
        """y by the batch's own statistics, with which the running ones move on."""
        examples = values.shape[1]
        mean = values.mean(1, keepdim=True)
        centred = values - mean
        variance = centred.square().mean(1, keepdim=True)
        self._running_mean.lerp_(mean, MOMENTUM)
        self._running_variance.lerp_(variance * (examples / (examples - 1)), MOMENTUM)
        self._scale = (variance + EPS).rsqrt_()
        self._normalised = centred.mul_(self._scale)
        return torch.addcmul(self._bias, self._normalised, self._weight)

    def by_running_statistics(self, values: Tensor) -> Tensor:
        """y as evaluation has it."""
        scale = (self._running_variance + EPS).rsqrt_().mul_(self._weight)
        return torch.addcmul(self._bias, values - self._running_mean, scale)

    def backward(self, gradient: Tensor, parameter_gradients: Pair) -> Tensor:
        """dz from g; dw and db are written to `parameter_gradients` (run, unit)."""
        of_weight, of_bias = parameter_gradients
        torch.sum(gradient, 1, out=of_bias)
        torch.sum(gradient * self._normalised, 1, out=of_weight)
        examples = gradient.shape[1]
        rest = gradient - (of_bias / examples).unsqueeze(1)
        rest.addcmul_(self._normalised, (of_weight / examples).unsqueeze(1), value=-1)
        return rest.mul_(self._weight * self._scale)
