"""Optimizer steps, element by element over flat float32 arrays (parameter,): parameters, gradients and state.

Hyperparameters are float64. What follows from them alone is computed in float64 once per step, by the `_coefficients`
functions, and rounded to float32.

A new kind needs its hyperparameters, its two functions, a code, and a branch in `step_coefficients` and in
`step_parameters`. A code without a branch makes all parameters NaN.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from paribus.spec.optimizers import Adam, AdamW, OptimizerBase, RmsProp, Sgd
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import power

OPTIMIZER_CODES: Final = {"sgd": 0, "adam": 1, "adamw": 2, "rmsprop": 3}
"""What compiled code calls each optimizer."""
_SGD, _ADAM, _ADAMW, _RMSPROP = OPTIMIZER_CODES.values()
MOMENTUM: Final = {"sgd": 1, "adam": 1, "adamw": 1, "rmsprop": 3}
"""The hyperparameter that a schedule may cycle: momentum, or Adam's first beta."""
_ZERO, _NAN = np.float32(0), np.float32(np.nan)


class OptimizerArrays(NamedTuple):
    """What steps the parameters.

    The optimizer's kind, one of `OPTIMIZER_CODES`, and what `hyperparameters` gives of each run (hyperparameter, run)
    float64, of which number `momentum` may be cycled; three buffers (run, parameter), of which it uses as many as it
    needs; and how gradients are clipped: not at all, or by value or norm with the limits (run,). By norm, `gradients`
    (parameter,) holds all of a run's gradients before the step.
    """

    kind: int
    hyperparameters: Any
    momentum: int
    first: Any
    second: Any
    third: Any
    clips_value: bool
    clips_norm: bool
    limits: Any
    gradients: Any


def hyperparameters(optimizer: OptimizerBase) -> tuple[float, ...]:
    """What compiled code takes of an optimizer, in the order of its `_coefficients` function.

    The learning rate, the first, comes with each step. Raises ValueError for a kind without arithmetic here.
    """
    match optimizer:
        case Sgd():
            return (0.0, optimizer.momentum, float(optimizer.nesterov), optimizer.weight_decay)
        case Adam() | AdamW():
            return (0.0, *optimizer.betas, optimizer.eps, optimizer.weight_decay)
        case RmsProp():
            keys = optimizer.alpha, optimizer.eps, optimizer.momentum, float(optimizer.centered)
            return (0.0, *keys, optimizer.weight_decay)
        case _:
            raise ValueError(f"the compiled engine has no optimizer {optimizer.kind}")


@compiled
def step_coefficients(optimizer: Any, epoch: Any, run: int, batch: int, step: int) -> Any:
    """What the optimizer multiplies by in step number `step`, from 1, of a run: the step of `batch` in an epoch.

    `optimizer` are `OptimizerArrays`, `epoch` the `EpochArrays` with the rates.
    """
    own = optimizer.hyperparameters[:, run].copy()
    own[0] = epoch.learning_rates[batch, run]
    if epoch.cycling:
        own[optimizer.momentum] = epoch.momenta[batch, run]
    if optimizer.kind == _SGD:
        return sgd_coefficients(own)
    if optimizer.kind == _RMSPROP:
        return rmsprop_coefficients(own)
    if optimizer.kind == _ADAM or optimizer.kind == _ADAMW:
        return adam_coefficients(own, step, optimizer.kind == _ADAMW)
    return np.full(len(own), _NAN)


@compiled
def step_parameters(parameters: Any, optimizer: Any, run: int, start: int, gradient: Any, coefficients: Any) -> None:
    """Step a run's parameters from `start` on by their gradient."""
    end = start + len(gradient)
    own, first = parameters[start:end], optimizer.first[run, start:end]
    if optimizer.kind == _SGD:
        sgd(own, gradient, first, coefficients)
        return
    second = optimizer.second[run, start:end]
    if optimizer.kind == _RMSPROP:
        rmsprop(own, gradient, first, optimizer.third[run, start:end], second, coefficients)
    elif optimizer.kind == _ADAM or optimizer.kind == _ADAMW:
        adam(own, gradient, first, second, coefficients)
    else:
        own[:] = _NAN


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
