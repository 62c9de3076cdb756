"""An epoch of training as one compiled call: batch by batch and, within a batch, run by run.

Runs of one stream share the batch's gathered inputs and what is known of their zeros. Nothing that is computed for a
run depends on another run, so its bits are the same in every session. The call holds no lock of Python's: sessions
train side by side on threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from paribus.training.cpu.activations import RELU, activate_backward
from paribus.training.cpu.batch_norm import normalise_backward
from paribus.training.cpu.choosing import choose
from paribus.training.cpu.clipping import clip_by_value, norm_coefficient, scale, sum_of_squares
from paribus.training.cpu.compiling import compiled, inlined
from paribus.training.cpu.denormals import flush_denormals, restore_denormals
from paribus.training.cpu.dropout import dropout, dropout_with_derivative
from paribus.training.cpu.inputs import gather, multiply, prefetch
from paribus.training.cpu.margins import class_margins
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.optimizers import step_coefficients, step_parameters
from paribus.training.cpu.parameters import SHARED_WEIGHT, TIED_WEIGHT
from paribus.training.cpu.passes import (
    GRADIENT_ROWS,
    Targets,
    bias_of,
    hidden,
    layer_inputs,
    layer_values,
    linear,
    loss_and_gradient,
    norm_scale,
    output_block,
    weight_of,
)
from paribus.training.cpu.sparse_matmul import zero_skipping_matmul
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.zero_skipping import find_nonzero_steps

_ZERO, _ONE = np.float32(0), np.float32(1)


class InputArrays(NamedTuple):
    """All training examples: values (example, feature), their divisor, whether they are `scaled`, centre and factor
    (stream, feature), where they are zero, the gathered batch (row, padded feature), and its nonzero steps."""

    values: Any
    divisor: Any
    centre: Any
    scaled: bool
    factor: Any
    pattern: Any
    batch: Any
    steps: Any


class EpochArrays(NamedTuple):
    """What differs from epoch to epoch, see `engine.Epoch`.

    The order (stream, example) of the inputs; the targets in that order, as classes (stream, example) or numbers
    (stream, example, output), whichever the loss takes, and whether networks `reconstruct` their inputs instead; then,
    whether these inputs are `corrupted`, and the order (stream, example) of the clean ones; weights (stream, example);
    learning rates (batch, run); whether momentum is cycled, and momenta (batch, run); whether units are dropped, and
    the keys (stream,) for it. Whether examples are `mixed`, with the `others`' classes and `shares` (stream, example);
    the `memory` (run, example, class) of a loss that has one; whether pairs of runs are `teaching` each other, and the
    `kept_share` (run,) of a batch that each run is trained on.
    """

    order: Any
    labels: Any
    numbers: Any
    reconstructing: bool
    corrupted: bool
    clean_order: Any
    weights: Any
    learning_rates: Any
    cycling: bool
    momenta: Any
    dropping: bool
    dropout_keys: Any
    mixed: bool
    others: Any
    shares: Any
    memory: Any
    teaching: bool
    kept_share: Any


@compiled
def train_epoch(
    layers: Any,
    parameters: Any,
    statistics: Any,
    optimizer: Any,
    work: Any,
    inputs: Any,
    clean: Any,
    loss: Any,
    dropout_shares: Any,
    stream_of: Any,
    epoch: Any,
    steps_before: int,
    losses: Any,
    margins: Any,
) -> None:
    """Train every run; `losses` (batch, run) takes the mean loss of each step. `parameters` are (run, parameter), and
    the running `statistics` of batch normalisation (run, statistic); `margins` (run, example) or, unwanted, (run, 0).

    Networks that reconstruct corrupted `inputs` are to give the `clean` ones, which are `inputs` themselves otherwise.
    """
    setting = flush_denormals()
    batch_size, runs = len(inputs.batch), losses.shape[1]
    chosen = np.ones((runs, batch_size if epoch.teaching else 0), np.float32)
    choices = runs if epoch.teaching else 0  # before they train on a batch, all runs choose from it
    for batch in range(losses.shape[0]):
        start = batch * batch_size
        rows = min(batch_size, epoch.order.shape[1] - start)
        for turn in range(choices + runs):
            run = turn % runs
            stream = stream_of[run]
            if run == 0 or stream != stream_of[run - 1]:
                _gather(inputs, stream, epoch.order[stream, start : start + rows])
                if epoch.corrupted:
                    _gather(clean, stream, epoch.clean_order[stream, start : start + rows])
            own = slice(start, start + rows)
            numbers = clean.batch[:rows] if epoch.reconstructing else epoch.numbers[stream, own]
            targets = Targets(
                epoch.labels[stream, own],
                chosen[run ^ 1, :rows] if epoch.teaching else epoch.weights[stream, own],
                numbers,
                epoch.mixed,
                epoch.others[stream, own],
                epoch.shares[stream, own],
                epoch.memory[run, own],
            )
            losses[batch, run] = _train_step(
                layers,
                parameters[run],
                statistics[run],
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
                chosen[run, : rows if turn < choices else 0],
                margins[run, own],
            )
    restore_denormals(setting)


@compiled
def _gather(inputs: Any, stream: int, order: Any) -> None:
    if inputs.steps.enabled:
        for example in order:
            prefetch(inputs.pattern.feature_bits, example)
            prefetch(inputs.pattern.feature_groups, example)
    gather(inputs.values, inputs.divisor, inputs.centre[stream], order, inputs.batch)
    if inputs.scaled:
        multiply(inputs.batch, inputs.factor[stream], len(order))
    if inputs.steps.enabled:
        find_nonzero_steps(inputs.pattern, order, inputs.steps)


@inlined
def _train_step(
    layers: Any,
    parameters: Any,
    statistics: Any,
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
    chosen: Any,
    margins: Any,
) -> float:
    """Forward, backward and optimizer step of one run, whose rows are given, on one batch; its mean loss.

    Where there is anything to be `chosen` (row,) for the run's pair, nothing is trained: after the forward pass, it is
    1 for the examples with the smallest losses, and 0 for the others. `margins` (row,) are empty where not wanted.
    """
    widths, rows = layers.widths, len(inputs)
    last = len(widths) - 2
    dropout_scale = _ONE / (_ONE - share)
    for layer in range(last):
        values = hidden(layers, parameters, statistics, work, layer, inputs, skipping, rows, True)
        if epoch.dropping:
            position, key = np.uint64(batch * (last + 1) + layer), epoch.dropout_keys[stream]
            if layers.activations[layer] == RELU:
                dropout(values, key, position, share, dropout_scale)
            else:
                derivatives = layer_values(work.derivatives, widths, layer + 1, rows)
                dropout_with_derivative(values, derivatives, key, position, share, dropout_scale)
    if len(chosen):
        output = linear(layers, parameters, work, last, 0, widths[last + 1], inputs, skipping, rows)
        bias = bias_of(layers, parameters, last)
        choose(output, bias, targets.labels, loss.smoothing[run], layers.outputs, epoch.kept_share[run], chosen)
        return 0.0
    coefficients = step_coefficients(optimizer, epoch, run, batch, step)
    total, block = 0.0, output_block(layers, loss.kind)
    for first in range(0, widths[last + 1], block):
        end = min(first + block, widths[last + 1])
        output = linear(layers, parameters, work, last, first, end, inputs, skipping, rows)
        if len(margins):
            class_margins(output, bias_of(layers, parameters, last), targets.labels, layers.outputs, margins)
        part, _ = loss_and_gradient(layers, parameters, work, loss, run, output, first, targets)
        total += part
        _backward(layers, parameters, optimizer, work, run, last, first, inputs, skipping, output, coefficients)
    for layer in range(last - 1, -1, -1):
        gradient = layer_values(work.gradients, widths, layer + 1, rows)
        activate_backward(
            gradient,
            layer_values(work.values, widths, layer + 1, rows),
            layer_values(work.derivatives, widths, layer + 1, rows),
            layers.activations[layer],
            dropout_scale,
            work.bias_gradient[: widths[layer + 1]],
        )
        if layers.normalises:
            _normalise_backward(layers, parameters, optimizer, work, run, layer, gradient, coefficients)
        _backward(layers, parameters, optimizer, work, run, layer, 0, inputs, skipping, gradient, coefficients)
    if optimizer.clips_norm:
        _clip_and_step(parameters, optimizer, run, layers, coefficients)
    return total


@compiled
def _normalise_backward(
    layers: Any, parameters: Any, optimizer: Any, work: Any, run: int, layer: int, gradient: Any, coefficients: Any
) -> None:
    """From the gradient (row, unit) behind a hidden layer's normalisation to the one before it, in place, and a step of
    its weight and bias. `work.bias_gradient` is that of the normalisation, and becomes that of the layer: exactly 0."""
    rows, width = gradient.shape
    start, bias_gradient, weight_gradient = layers.norms[layer], work.bias_gradient[:width], work.column_sums[:width]
    normalise_backward(
        gradient,
        layer_values(work.normalised, layers.widths, layer + 1, rows),
        parameters[start : start + width],
        norm_scale(work, layers.widths, layer),
        bias_gradient,
        weight_gradient,
    )
    _use(parameters, optimizer, run, start, weight_gradient, coefficients)
    _use(parameters, optimizer, run, start + width, bias_gradient, coefficients)
    bias_gradient[:] = _ZERO


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
    coefficients: Any,
) -> None:
    """From the gradient (row, output) of a layer's outputs, from output `first` on, to that of its inputs, and a step
    of the layer's parameters.

    The gradient of the inputs is made before the weights change. That of a weight, x.T @ g or g.T @ x as the weight is
    stored, is made `GRADIENT_ROWS` rows at a time, and used up at once; that of a tied weight is kept for the layer
    that shares its own with it, whose turn comes later. That of the bias is in `work.bias_gradient`.
    """
    weight, widths = weight_of(layers, parameters, layer), layers.widths
    outputs_first, tying = layers.outputs_first[layer], layers.tying[layer]
    rows, outputs = gradient.shape
    below = layer_inputs(work.values, widths, layer, inputs, rows)
    if layer:
        factor = weight[first : first + outputs] if outputs_first else transpose(weight, work.transposed)
        matmul(gradient, factor, layer_values(work.gradients, widths, layer, rows), False, 0, first > 0)
    left, right = (gradient, below) if outputs_first else (below, gradient)
    stored_rows, columns = outputs if outputs_first else widths[layer], weight.shape[1]
    start = layers.weights[layer] + first * columns
    for row in range(0, stored_rows, GRADIENT_ROWS):
        flat = work.weight_gradient[: min(GRADIENT_ROWS, stored_rows - row) * columns]
        some_rows = flat.reshape(len(flat) // columns, columns)
        if layer == 0 and skipping.enabled and not outputs_first:
            zero_skipping_matmul(left, right, some_rows, True, row, skipping, work.skipping)
        else:
            matmul(left, right, some_rows, True, row, False)
        at = start + row * columns
        if tying == TIED_WEIGHT:
            work.tied_gradient[at : at + len(flat)] = flat
            continue
        if tying == SHARED_WEIGHT:
            _add(flat, work.tied_gradient[at : at + len(flat)])
        _use(parameters, optimizer, run, at, flat, coefficients)
    bias_start = layers.biases[layer] + first
    _use(parameters, optimizer, run, bias_start, work.bias_gradient[:outputs], coefficients)


@compiled
def _add(into: Any, added: Any) -> None:
    for i in range(len(into)):
        into[i] += added[i]


@inlined
def _use(parameters: Any, optimizer: Any, run: int, start: int, gradient: Any, coefficients: Any) -> None:
    """Step a run's parameters from `start` on by their gradient, or keep it until the norm of all is known."""
    if optimizer.clips_norm:
        optimizer.gradients[start : start + len(gradient)] = gradient
        return
    if optimizer.clips_value:
        clip_by_value(gradient, optimizer.limits[run])
    step_parameters(parameters, optimizer, run, start, gradient, coefficients)


@compiled
def _clip_and_step(parameters: Any, optimizer: Any, run: int, layers: Any, coefficients: Any) -> None:
    """Step all of a run's parameters by gradients whose norm is clipped; squares are added tensor by tensor."""
    squares = 0.0
    for tensor in range(len(layers.tensors)):
        squares += sum_of_squares(optimizer.gradients[layers.tensors[tensor, 0] : layers.tensors[tensor, 1]])
    scale(optimizer.gradients, norm_coefficient(squares, np.float64(optimizer.limits[run])))
    step_parameters(parameters, optimizer, run, 0, optimizer.gradients, coefficients)
