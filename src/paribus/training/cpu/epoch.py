"""An epoch of training as one compiled call: batch by batch and, within a batch, run by run.

Runs of one stream share the batch's gathered inputs and what is known of their zeros. Nothing that is computed for a
run depends on another run, so its bits are the same in every session. The call holds no lock of Python's: sessions
train side by side on threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from paribus.training.cpu.activations import relu_backward
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.denormals import flush_denormals, restore_denormals
from paribus.training.cpu.dropout import dropout
from paribus.training.cpu.inputs import gather, prefetch
from paribus.training.cpu.losses import cross_entropy, mse
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.optimizers import adam, adam_coefficients, sgd, sgd_coefficients
from paribus.training.cpu.passes import (
    GRADIENT_ROWS,
    bias_of,
    hidden,
    layer_inputs,
    layer_values,
    linear,
    output_block,
    weight_of,
)
from paribus.training.cpu.sparse_matmul import zero_skipping_matmul
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.zero_skipping import find_nonzero_steps

_ONE = np.float32(1)


class OptimizerArrays(NamedTuple):
    """What steps the parameters: hyperparameters (hyperparameter, run) float64, and two buffers (run, parameter)."""

    adaptive: bool
    decoupled: bool
    hyperparameters: Any
    first: Any
    second: Any


class InputArrays(NamedTuple):
    """All training examples: values (example, feature), their divisor and centre (stream, feature), where they are
    zero, the gathered batch (row, padded feature), and its nonzero steps."""

    values: Any
    divisor: Any
    centre: Any
    pattern: Any
    batch: Any
    steps: Any


class LossArrays(NamedTuple):
    """Whether targets are classes, and each run's label smoothing (run,)."""

    has_classes: bool
    smoothing: Any


class EpochArrays(NamedTuple):
    """What differs from epoch to epoch, see `engine.Epoch`: order and targets (stream, example), learning rates
    (batch, run), whether units are dropped, and the keys (stream,) for it."""

    order: Any
    targets: Any
    learning_rates: Any
    dropping: bool
    dropout_keys: Any


@compiled
def train_epoch(
    layers: Any,
    parameters: Any,
    optimizer: Any,
    work: Any,
    inputs: Any,
    loss: Any,
    dropout_shares: Any,
    stream_of: Any,
    epoch: Any,
    steps_before: int,
    losses: Any,
) -> None:
    """Train every run; `losses` (batch, run) takes the mean loss of each step. `parameters` are (run, parameter)."""
    setting = flush_denormals()
    batch_size = len(inputs.batch)
    for batch in range(losses.shape[0]):
        start = batch * batch_size
        rows = min(batch_size, epoch.order.shape[1] - start)
        for run in range(losses.shape[1]):
            stream = stream_of[run]
            if run == 0 or stream != stream_of[run - 1]:
                _gather(inputs, stream, epoch.order[stream, start : start + rows])
            targets = epoch.targets[stream, start : start + rows]
            losses[batch, run] = _train_step(
                layers,
                parameters[run],
                optimizer,
                work,
                inputs.batch[:rows],
                inputs.steps,
                targets,
                loss,
                dropout_shares[run],
                epoch,
                stream,
                batch,
                run,
                steps_before + batch + 1,
            )
    restore_denormals(setting)


@compiled
def _gather(inputs: Any, stream: int, order: Any) -> None:
    """Bring a batch together, and find where it is zero."""
    if inputs.steps.enabled:
        for example in order:
            prefetch(inputs.pattern.feature_bits, example)
            prefetch(inputs.pattern.feature_groups, example)
    gather(inputs.values, inputs.divisor, inputs.centre[stream], order, inputs.batch)
    if inputs.steps.enabled:
        find_nonzero_steps(inputs.pattern, order, inputs.steps)


@compiled
def _train_step(
    layers: Any,
    parameters: Any,
    optimizer: Any,
    work: Any,
    inputs: Any,
    skipping: Any,
    targets: Any,
    loss: Any,
    share: Any,
    epoch: Any,
    stream: int,
    batch: int,
    run: int,
    step: int,
) -> float:
    """Forward, backward and optimizer step of one run (`parameters` is its row) on one batch; its mean loss."""
    widths, rows = layers.widths, len(inputs)
    last = len(widths) - 2
    scale = _ONE / (_ONE - share)
    for layer in range(last):
        values = hidden(layers, parameters, work, layer, inputs, skipping, rows)
        if epoch.dropping:
            position = np.uint64(batch * (last + 1) + layer)
            dropout(values, epoch.dropout_keys[stream], position, share, scale)
    coefficients = _coefficients(optimizer, run, epoch.learning_rates[batch, run], step)
    total, block = 0.0, output_block(widths, loss.has_classes)
    for first in range(0, widths[last + 1], block):
        end = min(first + block, widths[last + 1])
        output = linear(layers, parameters, work, last, first, end, inputs, skipping, rows)
        bias_gradient = work.bias_gradient[: end - first]
        total += _loss_and_gradient(layers, parameters, work, loss, run, output, bias_gradient, first, inputs, targets)
        _backward(
            layers, parameters, optimizer, work, run, last, first, inputs, skipping, output, bias_gradient, coefficients
        )
    for layer in range(last - 1, -1, -1):
        gradient = layer_values(work.gradients, widths, layer + 1, rows)
        bias_gradient = work.bias_gradient[: widths[layer + 1]]
        relu_backward(gradient, layer_values(work.values, widths, layer + 1, rows), scale, bias_gradient)
        _backward(
            layers, parameters, optimizer, work, run, layer, 0, inputs, skipping, gradient, bias_gradient, coefficients
        )
    return total


@compiled
def _loss_and_gradient(
    layers: Any,
    parameters: Any,
    work: Any,
    loss: Any,
    run: int,
    output: Any,
    bias_gradient: Any,
    first: int,
    inputs: Any,
    targets: Any,
) -> float:
    """These outputs' share of the mean loss; `output` becomes its own gradient."""
    columns = output.shape[1]
    bias = bias_of(layers, parameters, len(layers.widths) - 2)[first : first + columns]
    if loss.has_classes:
        mean, _ = cross_entropy(output, bias, bias_gradient, targets, loss.smoothing[run], layers.outputs)
        return mean
    return mse(output, bias, bias_gradient, inputs, first, layers.outputs, work.column_sums)


@compiled
def _backward(
    layers: Any,
    parameters: Any,
    optimizer: Any,
    work: Any,
    run: int,
    layer: int,
    first: int,
    inputs: Any,
    skipping: Any,
    gradient: Any,
    bias_gradient: Any,
    coefficients: Any,
) -> None:
    """From the gradient (row, output) of a layer's outputs, from output `first` on, to that of its inputs, and a step
    of the layer's parameters.

    The gradient of the inputs is made before the weights change. That of a weight, x.T @ g or g.T @ x as the weight is
    stored, is made `GRADIENT_ROWS` rows at a time, and used up at once.
    """
    weight, widths = weight_of(layers, parameters, layer), layers.widths
    outputs_first = widths[layer] < widths[layer + 1]
    rows, outputs = gradient.shape
    below = layer_inputs(work.values, widths, layer, inputs, rows)
    if layer:
        factor = weight[first : first + outputs] if outputs_first else transpose(weight, work.transposed)
        matmul(gradient, factor, layer_values(work.gradients, widths, layer, rows), False, 0, first > 0)
    left, right = (gradient, below) if outputs_first else (below, gradient)
    stored_rows, columns = outputs if outputs_first else widths[layer], weight.shape[1]
    start = layers.starts[2 * layer] + first * columns
    for row in range(0, stored_rows, GRADIENT_ROWS):
        flat = work.weight_gradient[: min(GRADIENT_ROWS, stored_rows - row) * columns]
        some_rows = flat.reshape(len(flat) // columns, columns)
        if layer == 0 and skipping.enabled and not outputs_first:
            zero_skipping_matmul(left, right, some_rows, True, row, skipping, work.skipping)
        else:
            matmul(left, right, some_rows, True, row, False)
        _step(parameters, optimizer, run, start + row * columns, flat, coefficients)
    _step(parameters, optimizer, run, layers.starts[2 * layer + 1] + first, bias_gradient, coefficients)


@compiled
def _coefficients(optimizer: Any, run: int, learning_rate: float, step: int) -> Any:
    """What the optimizer multiplies by in step number `step` of a run."""
    own = optimizer.hyperparameters[:, run].copy()
    own[0] = learning_rate
    return adam_coefficients(own, step, optimizer.decoupled) if optimizer.adaptive else sgd_coefficients(own)


@compiled
def _step(parameters: Any, optimizer: Any, run: int, start: int, gradient: Any, coefficients: Any) -> None:
    """Step a run's parameters from `start` on by their gradient."""
    end = start + len(gradient)
    first = optimizer.first[run, start:end]
    if optimizer.adaptive:
        adam(parameters[start:end], gradient, first, optimizer.second[run, start:end], coefficients)
    else:
        sgd(parameters[start:end], gradient, first, coefficients)
