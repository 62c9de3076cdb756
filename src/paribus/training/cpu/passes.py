"""One run's way through its network and back, for one batch: what training, evaluation and inference are made of.

Activations, their derivatives and their gradients lie one layer after the other in `Buffers.values`, `derivatives` and
`gradients`; those of layer l (from 1) begin at rows * (widths of layers 1 to l - 1). A run's step stays in the core's
cache: buffers hold one run at a time, and a weight's gradient is made some rows at a time and used up before the next.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from paribus.training.cpu.activations import activate
from paribus.training.cpu.batch_norm import normalise_batch, normalise_running
from paribus.training.cpu.classification_losses import (
    binary_cross_entropy,
    cross_entropy,
    mixed_cross_entropy,
    weighted_cross_entropy,
)
from paribus.training.cpu.compiling import compiled, inlined
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.parameters import Layers, aligned_zeros
from paribus.training.cpu.regression_losses import huber, l1, mse
from paribus.training.cpu.robust_losses import (
    early_learning,
    forward_correction,
    generalised_cross_entropy,
    hard_bootstrapping,
    soft_bootstrapping,
    symmetric_cross_entropy,
)
from paribus.training.cpu.sparse_matmul import skipping_buffers, zero_skipping_matmul
from paribus.training.cpu.transpose import transpose

OUTPUT_BLOCK: Final = 128
"""Outputs of a wide last layer, as an autoencoder's, that are computed and trained at a time: they stay in cache."""
GRADIENT_ROWS: Final = 48
"""Rows of a weight's gradient that are made and used up at a time: whole tiles of `SKIP_ROWS`."""


LOSS_CODES: Final = {
    "cross-entropy": 0,
    "binary-cross-entropy": 1,
    "generalised-cross-entropy": 2,
    "symmetric-cross-entropy": 3,
    "soft-bootstrapping": 4,
    "hard-bootstrapping": 5,
    "forward-correction": 6,
    "early-learning-regularisation": 7,
    "mse": 8,
    "l1": 9,
    "huber": 10,
}
"""What compiled code calls each loss. Those of classes come before `mse`, those of numbers from `mse` on.

`loss_and_gradient` has a branch for each; a code without one has the loss NaN."""
(
    _CROSS_ENTROPY,
    _BINARY_CROSS_ENTROPY,
    _GENERALISED,
    _SYMMETRIC,
    _SOFT_BOOTSTRAPPING,
    _HARD_BOOTSTRAPPING,
    _FORWARD_CORRECTION,
    _EARLY_LEARNING,
    _MSE,
    _L1,
    _HUBER,
) = LOSS_CODES.values()


class LossArrays(NamedTuple):
    """The loss of every run: its kind, one of `LOSS_CODES`, and the hyperparameters of each run.

    Label smoothing (run,), class weights (run, class) float32, whether classes or examples are `weighted`, Huber's
    delta (run,) float32, the `coefficients` (run, 2) of a robust loss, and the logarithms `chances` (run, given class,
    true class) float32 of the probabilities that classes are labelled as others.
    """

    kind: int
    smoothing: Any
    class_weights: Any
    weighted: bool
    deltas: Any
    coefficients: Any
    chances: Any


class Targets(NamedTuple):
    """What outputs are compared with, in the order of a batch's rows.

    Classes (row,), weights (row,) of the examples for a weighted loss, and numbers (row, at least output), which are
    the inputs where a network reconstructs them. Then whether examples are `mixed`, with the `others`' classes (row,)
    and the `shares` (row,) that are an example's own; and the `memory` (row, class) of a loss that has one.
    """

    labels: Any
    weights: Any
    numbers: Any
    mixed: bool
    others: Any
    shares: Any
    memory: Any


class Buffers(NamedTuple):
    """Workspace of one run's pass, float32.

    Activations, their derivatives and gradients, a transposed weight, part of a weight's gradient, two rows (unit,) of
    sums over the batch, and the buffers of matmuls that skip zeros. With batch normalisation, the normalised values,
    which lie as activations do, and what they were multiplied by, one hidden layer's row (unit,) after the other. With
    tied weights, a row (parameter,) for the gradients that the later half of the layers adds to those of the earlier.
    """

    values: Any
    derivatives: Any
    gradients: Any
    transposed: Any
    weight_gradient: Any
    bias_gradient: Any
    column_sums: Any
    skipping: Any
    normalised: Any
    scales: Any
    tied_gradient: Any


def buffers(layers: Layers, rows: int) -> Buffers:
    """Workspace for batches of up to `rows` examples."""
    count, widest = rows * int(layers.widths[1:].sum()), int(layers.widths.max())
    return Buffers(
        values=aligned_zeros(count),
        derivatives=aligned_zeros(count),
        gradients=aligned_zeros(count),
        transposed=aligned_zeros(int((layers.widths[:-1] * layers.widths[1:]).max())),
        weight_gradient=aligned_zeros(GRADIENT_ROWS * widest),
        bias_gradient=aligned_zeros(widest),
        column_sums=aligned_zeros(widest),
        skipping=skipping_buffers(max(rows, GRADIENT_ROWS), rows, int(layers.widths[1])),
        normalised=aligned_zeros(count if layers.normalises else 0),
        scales=aligned_zeros(int(layers.widths[1:-1].sum()) if layers.normalises else 0),
        tied_gradient=aligned_zeros(int(layers.tensors.max()) if layers.tying.any() else 0),
    )


@compiled
def output_block(layers: Any, loss_kind: int) -> int:
    """How many of the last layer's outputs are computed at a time.

    The error of a number is its own. Classes are normalised together, and a weight with fewer outputs than inputs is
    stored by inputs, so its outputs are not adjacent.
    """
    return layers.widths[-1] if loss_kind < _MSE or not layers.outputs_first[-1] else OUTPUT_BLOCK


@compiled
def layer_values(values: Any, widths: Any, layer: int, rows: int) -> Any:
    """What comes out of layer number `layer` (from 1), or its gradient: (row, unit)."""
    start = rows * widths[1:layer].sum()
    return values[start : start + rows * widths[layer]].reshape(rows, widths[layer])


@compiled
def layer_inputs(values: Any, widths: Any, layer: int, inputs: Any, rows: int) -> Any:
    """What goes into the layer of index `layer` (from 0)."""
    return inputs if layer == 0 else layer_values(values, widths, layer, rows)


@compiled
def bias_of(layers: Any, parameters: Any, layer: int) -> Any:
    """A layer's bias (out,) in a run's row of parameters."""
    start = layers.biases[layer]
    return parameters[start : start + layers.widths[layer + 1]]


@compiled
def weight_of(layers: Any, parameters: Any, layer: int) -> Any:
    """A layer's weight as it is stored: (in, out), or (out, in) where outputs come first."""
    start, width_in, width_out = layers.weights[layer], layers.widths[layer], layers.widths[layer + 1]
    tensor = parameters[start : start + width_in * width_out]
    return tensor.reshape(max(width_in, width_out), min(width_in, width_out))


@compiled
def linear(
    layers: Any, parameters: Any, work: Any, layer: int, first: int, last: int, inputs: Any, steps: Any, rows: int
) -> Any:
    """A layer's outputs from `first` to `last`, without bias: (row, output), in their place in `work.values`.

    `inputs` (row, feature) and `steps`, their nonzero steps, are the network's.
    """
    widths, weight = layers.widths, weight_of(layers, parameters, layer)
    below = layer_inputs(work.values, widths, layer, inputs, rows)
    start = rows * widths[1 : layer + 1].sum()
    out = work.values[start : start + rows * (last - first)].reshape(rows, last - first)
    factor = transpose(weight[first:last], work.transposed) if layers.outputs_first[layer] else weight
    if layer == 0 and steps.enabled:
        zero_skipping_matmul(below, factor, out, False, 0, steps, work.skipping)
    else:
        matmul(below, factor, out, False, 0, False)
    return out


@compiled
def normalise(
    layers: Any, parameters: Any, statistics: Any, work: Any, layer: int, values: Any, bias: Any, training: bool
) -> Any:
    """Normalise a hidden layer's `values` (row, unit), which have no bias yet; the bias that is to be added then."""
    rows, width = values.shape
    mean = 2 * layers.widths[1 : layer + 1].sum()
    running_mean, running_variance = statistics[mean : mean + width], statistics[mean + width : mean + 2 * width]
    start = layers.norms[layer]
    weight, scale = parameters[start : start + width], norm_scale(work, layers.widths, layer)
    if training:
        normalised = layer_values(work.normalised, layers.widths, layer + 1, rows)
        normalise_batch(values, bias, weight, normalised, scale, running_mean, running_variance)
    else:
        normalise_running(values, bias, weight, scale, running_mean, running_variance)
    return parameters[start + width : start + 2 * width]


@compiled
def norm_scale(work: Any, widths: Any, layer: int) -> Any:
    """What a hidden layer's centred values were multiplied by when they were normalised, (unit,)."""
    start = widths[1 : layer + 1].sum()
    return work.scales[start : start + widths[layer + 1]]


@inlined
def hidden(
    layers: Any,
    parameters: Any,
    statistics: Any,
    work: Any,
    layer: int,
    inputs: Any,
    steps: Any,
    rows: int,
    training: bool,
) -> Any:
    """A hidden layer's activations (row, unit); `training` says by what they are normalised, if they are."""
    values = linear(layers, parameters, work, layer, 0, layers.widths[layer + 1], inputs, steps, rows)
    bias = bias_of(layers, parameters, layer)
    if layers.normalises:
        bias = normalise(layers, parameters, statistics, work, layer, values, bias, training)
    activate(
        values,
        layer_values(work.derivatives, layers.widths, layer + 1, rows),
        bias,
        layers.activations[layer],
        layers.activation_parameters[layer],
        layers.units[layer + 1],
    )
    return values


@compiled
def loss_and_gradient(
    layers: Any, parameters: Any, work: Any, loss: Any, run: int, output: Any, first: int, targets: Any
) -> tuple[float, int]:
    """The share in the mean loss, and the correct examples, of the last layer's outputs (row, output) from `first` on.

    `output` comes without bias and becomes its own gradient; `work.bias_gradient` becomes the bias' gradient.
    """
    columns, outputs = output.shape[1], layers.outputs
    bias = bias_of(layers, parameters, len(layers.widths) - 2)[first : first + columns]
    bias_gradient, sums = work.bias_gradient[:columns], work.column_sums
    if loss.kind < _MSE:
        return _of_classes(output, bias, bias_gradient, targets, outputs, loss, run)
    if loss.kind == _MSE:
        return mse(output, bias, bias_gradient, targets.numbers, first, outputs, sums), 0
    if loss.kind == _L1:
        return l1(output, bias, bias_gradient, targets.numbers, first, outputs, sums), 0
    if loss.kind == _HUBER:
        return huber(output, bias, bias_gradient, targets.numbers, first, outputs, sums, loss.deltas[run]), 0
    return np.nan, 0


@inlined
def _of_classes(output: Any, bias: Any, bias_gradient: Any, targets: Any, classes: int, loss: Any, run: int) -> Any:
    """A loss of `classification_losses.py`."""
    labels = targets.labels
    if loss.kind == _BINARY_CROSS_ENTROPY:
        return binary_cross_entropy(output, bias, bias_gradient, labels)
    if loss.kind == _EARLY_LEARNING:
        strength, momentum = loss.coefficients[run, 0], loss.coefficients[run, 1]
        return early_learning(output, bias, bias_gradient, labels, classes, strength, momentum, targets.memory)
    if loss.kind != _CROSS_ENTROPY:
        return _robust(output, bias, bias_gradient, labels, classes, loss, run)
    smoothing = loss.smoothing[run]
    if targets.mixed:
        return mixed_cross_entropy(
            output, bias, bias_gradient, labels, targets.others, targets.shares, smoothing, classes
        )
    if loss.weighted:
        weights = loss.class_weights[run]
        return weighted_cross_entropy(output, bias, bias_gradient, labels, smoothing, classes, weights, targets.weights)
    return cross_entropy(output, bias, bias_gradient, labels, smoothing, classes)


@inlined
def _robust(output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, loss: Any, run: int) -> Any:
    """A loss of `robust_losses.py`."""
    first, second = loss.coefficients[run, 0], loss.coefficients[run, 1]
    if loss.kind == _GENERALISED:
        return generalised_cross_entropy(output, bias, bias_gradient, labels, classes, first)
    if loss.kind == _SYMMETRIC:
        return symmetric_cross_entropy(output, bias, bias_gradient, labels, classes, first, second)
    if loss.kind == _SOFT_BOOTSTRAPPING:
        return soft_bootstrapping(output, bias, bias_gradient, labels, classes, first)
    if loss.kind == _HARD_BOOTSTRAPPING:
        return hard_bootstrapping(output, bias, bias_gradient, labels, classes, first)
    if loss.kind == _FORWARD_CORRECTION:
        return forward_correction(output, bias, bias_gradient, labels, classes, loss.chances[run])
    return np.nan, 0
