"""Optimizer steps, element by element over flat float32 arrays (parameter,): parameters, gradients and state.

Hyperparameters are float64. What follows from them alone is computed in float64 once per step, by the `_coefficients`
functions, and rounded to float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import power

_ZERO = np.float32(0)


@compiled
def sgd_coefficients(hyperparameters: Any) -> Any:
    """The coefficients of `sgd`, float32 (5,), from (learning rate, momentum, Nesterov (0 or 1), weight decay)."""
    of_buffer, of_gradient = (hyperparameters[1], 1.0) if hyperparameters[2] else (1.0, 0.0)
    rate, momentum, weight_decay = hyperparameters[0], hyperparameters[1], hyperparameters[3]
    return np.array([rate, momentum, of_buffer, of_gradient, weight_decay]).astype(np.float32)


@compiled
def sgd(parameter: Any, gradient: Any, buffer: Any, coefficients: Any) -> None:
    """A step of `torch.optim.SGD`. `buffer` is the momentum buffer, zero before the first step.

        g = gradient + decay * parameter;    buffer = momentum * buffer + g
        parameter -= rate * (of_buffer * buffer + of_gradient * g)

    `of_buffer` and `of_gradient` are 1 and 0, or momentum and 1 with Nesterov's momentum.
    """
    rate, momentum, decay = coefficients[0], coefficients[1], coefficients[4]
    of_buffer, of_gradient = coefficients[2], coefficients[3]
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        updated = momentum * buffer[i] + g
        buffer[i] = updated
        parameter[i] -= rate * (of_buffer * updated + of_gradient * g)


@compiled
def adam_coefficients(hyperparameters: Any, step: int, decoupled: bool) -> Any:
    """The coefficients of `adam` at step number `step`, from 1: float32 (9,).

    `hyperparameters` are (learning rate, beta1, beta2, eps, weight decay); `decoupled` is AdamW's weight decay. The
    bias corrections of both moments are part of the coefficients.
    """
    rate, beta1, beta2 = hyperparameters[0], hyperparameters[1], hyperparameters[2]
    eps, weight_decay = hyperparameters[3], hyperparameters[4]
    step_size, root_scale = rate / (1 - power(beta1, step)), 1 / np.sqrt(1 - power(beta2, step))
    parameter_scale, decay = (1 - rate * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    return np.array([beta1, 1 - beta1, beta2, 1 - beta2, step_size, root_scale, eps, parameter_scale, decay]).astype(
        np.float32
    )


@compiled
def adam(parameter: Any, gradient: Any, first: Any, second: Any, coefficients: Any) -> None:
    """A step of `torch.optim.Adam` or `AdamW`. `first` and `second` are the moments, zero before the first step.

    g = gradient + decay * parameter
    first = beta1 * first + (1 - beta1) * g;    second = beta2 * second + (1 - beta2) * g**2
    parameter = parameter_scale * parameter - step_size * first / (sqrt(second) * root_scale + eps)
    """
    beta1, gradient_share, beta2, square_share = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    step_size, root_scale, eps = coefficients[4], coefficients[5], coefficients[6]
    parameter_scale, decay = coefficients[7], coefficients[8]
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        mean = beta1 * first[i] + gradient_share * g
        square = beta2 * second[i] + square_share * g * g
        first[i], second[i] = mean, square
        parameter[i] = parameter_scale * parameter[i] - step_size * mean / (np.sqrt(square) * root_scale + eps)


@compiled
def rmsprop_coefficients(hyperparameters: Any) -> Any:
    """The coefficients of `rmsprop`, float32 (7,).

    `hyperparameters` are (learning rate, alpha, eps, momentum, centred (0 or 1), weight decay).
    """
    rate, alpha, eps, momentum = hyperparameters[0], hyperparameters[1], hyperparameters[2], hyperparameters[3]
    return np.array([rate, alpha, 1 - alpha, eps, momentum, hyperparameters[4], hyperparameters[5]]).astype(np.float32)


@compiled
def rmsprop(parameter: Any, gradient: Any, square: Any, mean: Any, buffer: Any, coefficients: Any) -> None:
    """A step of `torch.optim.RMSprop`. The state is zero before the first step.

        g = gradient + decay * parameter
        square = alpha * square + (1 - alpha) * g**2;    mean = alpha * mean + (1 - alpha) * g    (if centred)
        buffer = momentum * buffer + g / (sqrt(square - mean**2, or square if not centred) + eps)
        parameter -= rate * buffer

    PyTorch calls them `square_avg`, `grad_avg` and `momentum_buffer`. `mean` is not touched if not centred. Rounding
    can make square - mean**2 slightly negative where the gradient is constant; it then counts as 0, where PyTorch gives
    NaN.
    """
    rate, alpha, new_share, eps = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    momentum, centred, decay = coefficients[4], coefficients[5], coefficients[6]
    if centred:
        for i in range(len(parameter)):
            g = gradient[i] + decay * parameter[i]
            second, first = alpha * square[i] + new_share * g * g, alpha * mean[i] + new_share * g
            square[i], mean[i] = second, first
            variance = second - first * first
            variance = _ZERO if variance < _ZERO else variance
            updated = momentum * buffer[i] + g / (np.sqrt(variance) + eps)
            buffer[i] = updated
            parameter[i] -= rate * updated
    else:
        for i in range(len(parameter)):
            g = gradient[i] + decay * parameter[i]
            second = alpha * square[i] + new_share * g * g
            square[i] = second
            updated = momentum * buffer[i] + g / (np.sqrt(second) + eps)
            buffer[i] = updated
            parameter[i] -= rate * updated
