"""One run's way through its network and back, for one batch: what training, evaluation and inference are made of.

Activations and gradients of all layers lie one after the other in `Buffers.values` and `Buffers.gradients`; those of
layer l (from 1) begin at rows * (widths of layers 1 to l - 1). A run's step stays in the core's cache: buffers hold one
run at a time, and a weight's gradient is made some rows at a time and used up before the next.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from paribus.training.cpu.activations import relu
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.losses import cross_entropy, mse
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.parameters import Layers
from paribus.training.cpu.sparse_matmul import skipping_buffers, zero_skipping_matmul
from paribus.training.cpu.transpose import transpose

OUTPUT_BLOCK: Final = 128
"""Outputs of a wide last layer, such as an autoencoder's, that are computed and trained at a time: they stay in cache."""
GRADIENT_ROWS: Final = 48
"""Rows of a weight's gradient that are made and used up at a time: whole tiles of `SKIP_ROWS`."""


class Buffers(NamedTuple):
    """Workspace of one run's pass, float32.

    Activations, their gradients, a transposed weight, part of a weight's gradient, two rows (unit,) of sums over the
    batch, and the buffers of matmuls that skip zeros.
    """

    values: Any
    gradients: Any
    transposed: Any
    weight_gradient: Any
    bias_gradient: Any
    column_sums: Any
    skipping: Any


def buffers(layers: Layers, rows: int) -> Buffers:
    """Workspace for batches of up to `rows` examples."""
    count, widest = rows * int(layers.widths[1:].sum()), int(layers.widths.max())
    sizes = count, count, int(layers.sizes.max()), GRADIENT_ROWS * widest, widest, widest
    skipping = skipping_buffers(max(rows, GRADIENT_ROWS), rows, int(layers.widths[1]))
    return Buffers(*(np.zeros(size, np.float32) for size in sizes), skipping)


@compiled
def output_block(widths: Any, has_classes: bool) -> int:
    """How many of the last layer's outputs are computed at a time.

    The error of a number is its own. Classes are normalised together, and a weight with fewer outputs than inputs is
    stored by inputs, so its outputs are not adjacent.
    """
    return widths[-1] if has_classes or widths[-2] >= widths[-1] else OUTPUT_BLOCK


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
    start = layers.starts[2 * layer + 1]
    return parameters[start : start + layers.sizes[2 * layer + 1]]


@compiled
def weight_of(layers: Any, parameters: Any, layer: int) -> Any:
    """A layer's weight as it is stored: (in, out), or, where it has more outputs than inputs, (out, in)."""
    start, width_in, width_out = layers.starts[2 * layer], layers.widths[layer], layers.widths[layer + 1]
    tensor = parameters[start : start + layers.sizes[2 * layer]]
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
    factor = transpose(weight[first:last], work.transposed) if widths[layer] < widths[layer + 1] else weight
    if layer == 0 and steps.enabled:
        zero_skipping_matmul(below, factor, out, False, 0, steps, work.skipping)
    else:
        matmul(below, factor, out, False, 0, False)
    return out


@compiled
def hidden(layers: Any, parameters: Any, work: Any, layer: int, inputs: Any, steps: Any, rows: int) -> Any:
    """A hidden layer's activations (row, unit)."""
    values = linear(layers, parameters, work, layer, 0, layers.widths[layer + 1], inputs, steps, rows)
    relu(values, bias_of(layers, parameters, layer))
    return values
