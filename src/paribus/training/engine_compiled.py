"""Training and measuring on a CPU: a whole epoch as one compiled call, batch by batch and, within a batch, run by run.

A run's step stays in the core's cache from its forward pass to its optimizer: activations and gradients are one run's
at a time. Runs of one stream share the batch's images. Every matrix product is a call of its own and every sum has one
order, so that a run's bits are the same beside any other runs. The calls hold no lock: cohorts train side by side.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from paribus.training.blas import product, sgemm_address
from paribus.training.compiling import compiled
from paribus.training.engine import Call, MeasuringJob, TrainingJob, stream_of_runs
from paribus.training.networks import StackedNetwork

ZERO, ONE = np.float32(0), np.float32(1)
GOLDEN, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
U27, U30, U31, U40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
STEP = np.float32(2.0**-24)


def training(job: TrainingJob) -> Call:
    """See `Engine.training`."""
    network, optimizer, dropout = job.network, job.optimizer, job.dropout
    runs, streams = network.runs, len(job.streams)
    rates = torch.zeros(runs) if dropout is None else dropout.rates
    seeds = torch.zeros(streams, dtype=torch.int64) if dropout is None else dropout.seeds
    first, second = optimizer.slots[0], optimizer.slots[-1]
    gradients = torch.zeros(sum(network.sizes))
    tensors = (first, second, gradients, *_scratch(network, job.batch_size), job.pictures.pool, job.pictures.centers)
    return partial(
        _train,
        _network(network),
        *(tensor.numpy() for tensor in tensors),
        np.float32(job.pictures.divisor),
        stream_of_runs(job.streams, network.device).numpy(),
        job.order.numpy(),
        job.labels.numpy(),
        job.batch_size,
        job.goal.has_classes,
        job.goal.smoothing.numpy(),
        optimizer.kind != "sgd",
        optimizer.kind == "adamw",
        optimizer.numbers.numpy(),
        optimizer.taken.numpy(),
        dropout is not None,
        rates.numpy(),
        seeds.numpy(),
        job.losses.numpy(),
    )


def measuring(job: MeasuringJob) -> Call:
    """See `Engine.measuring`."""
    network = job.network
    _, hidden, _, squares = _scratch(network, job.rows)
    return partial(
        _measure,
        _network(network),
        hidden.numpy(),
        squares.numpy(),
        stream_of_runs(job.streams, network.device).numpy(),
        job.images.numpy(),
        job.labels.numpy(),
        job.rows,
        job.goal.has_classes,
        job.goal.smoothing.numpy(),
        job.losses.numpy(),
        job.correct.numpy(),
    )


def _network(network: StackedNetwork) -> tuple[Any, ...]:
    """A network as the loops take it: address of `sgemm`, runs, live outputs, widths, blocks, parameters."""
    widths = np.array(network.widths, dtype=np.int64)
    blocks, parameters = network.blocks.numpy(), network.parameters.numpy()
    return sgemm_address(), network.runs, network.layers[-1], widths, blocks, parameters


def _scratch(network: StackedNetwork, rows: int) -> tuple[torch.Tensor, ...]:
    """What one run's pass needs: inputs (row, pixel), activations and their gradients, and a row of sums."""
    hidden = torch.zeros(rows * sum(network.widths[1:]))
    return torch.zeros(rows, network.widths[0]), hidden, torch.zeros_like(hidden), torch.zeros(2, network.widths[-1])


@compiled
def _train(
    network: Any,
    first: Any,
    second: Any,
    gradients: Any,
    inputs: Any,
    hidden: Any,
    hidden_gradients: Any,
    squares: Any,
    pool: Any,
    centers: Any,
    divisor: Any,
    stream_of: Any,
    order: Any,
    labels: Any,
    batch_size: int,
    has_classes: bool,
    smoothing: Any,
    adaptive: bool,
    decoupled: bool,
    numbers: Any,
    taken: Any,
    dropping: bool,
    rates: Any,
    seeds: Any,
    losses: Any,
) -> None:
    _, runs, columns, widths, blocks, parameters = network
    layers, images = len(widths) - 1, order.shape[1]
    for batch in range(losses.shape[0]):
        start = batch * batch_size
        rows = min(batch_size, images - start)
        taken[0] += 1
        for run in range(runs):
            stream = stream_of[run]
            if run == 0 or stream != stream_of[run - 1]:
                pick(pool, divisor, centers[stream], order[stream, start : start + rows], inputs)
            images_in = inputs[:rows]
            scale = ONE / (ONE - rates[run])
            for layer in range(layers):
                _forward(network, run, layer, images_in, hidden, rows)
                if layer < layers - 1:
                    values = _values(hidden, widths, layer + 1, rows)
                    _activate(values, _bias(network, run, layer))
                    if dropping:
                        place = np.uint64(batch * layers + layer)
                        _drop(values, np.uint64(seeds[stream]), place, rates[run], scale)
            output, bias = _values(hidden, widths, layers, rows), _bias(network, run, layers - 1)
            sums = _own(gradients, blocks, runs, 2 * layers - 1)
            if has_classes:
                of = labels[stream, start : start + rows]
                loss, _ = _cross_entropy(output, bias, sums, of, smoothing[run], columns)
            else:
                loss = _squared_error(output, bias, sums, images_in, columns, squares[0])
            losses[batch, run] = loss
            _backward(network, run, images_in, hidden, hidden_gradients, gradients, rows, scale)
            for block in range(len(blocks)):
                begin, length = blocks[block, 0] + run * blocks[block, 1], blocks[block, 1]
                parameter, gradient = parameters[begin : begin + length], _own(gradients, blocks, runs, block)
                one, two = first[begin : begin + length], second[begin : begin + length]
                if adaptive:
                    adam(parameter, gradient, one, two, taken[0], numbers[:, run], decoupled)
                else:
                    sgd(parameter, gradient, one, numbers[:, run])


@compiled
def _measure(
    network: Any,
    hidden: Any,
    squares: Any,
    stream_of: Any,
    images: Any,
    labels: Any,
    most_rows: int,
    has_classes: bool,
    smoothing: Any,
    losses: Any,
    correct: Any,
) -> None:
    _, runs, columns, widths, _, _ = network
    layers = len(widths) - 1
    for part in range(losses.shape[0]):
        start = part * most_rows
        rows = min(most_rows, images.shape[1] - start)
        for run in range(runs):
            stream = stream_of[run]
            images_in = images[stream, start : start + rows]
            for layer in range(layers):
                _forward(network, run, layer, images_in, hidden, rows)
                if layer < layers - 1:
                    _activate(_values(hidden, widths, layer + 1, rows), _bias(network, run, layer))
            output, bias = _values(hidden, widths, layers, rows), _bias(network, run, layers - 1)
            if has_classes:
                of = labels[stream, start : start + rows]
                loss, hits = _cross_entropy(output, bias, squares[1], of, smoothing[run], columns)
                correct[part, run] = hits
            else:
                loss = _squared_error(output, bias, squares[1], images_in, columns, squares[0])
            losses[part, run] = loss


@compiled
def _values(hidden: Any, widths: Any, layer: int, rows: int) -> Any:
    """What goes out of layer number `layer` (from 1): (row, unit)."""
    begin = rows * widths[1:layer].sum()
    return hidden[begin : begin + rows * widths[layer]].reshape(rows, widths[layer])


@compiled
def _bias(network: Any, run: int, layer: int) -> Any:
    _, _, _, _, blocks, parameters = network
    begin = blocks[2 * layer + 1, 0] + run * blocks[2 * layer + 1, 1]
    return parameters[begin : begin + blocks[2 * layer + 1, 1]]


@compiled
def _weight(network: Any, run: int, layer: int) -> Any:
    """As it is held: (in, out), or, where it has more outputs than inputs, (out, in)."""
    _, _, _, widths, blocks, parameters = network
    begin = blocks[2 * layer, 0] + run * blocks[2 * layer, 1]
    return parameters[begin : begin + blocks[2 * layer, 1]].reshape(
        max(widths[layer], widths[layer + 1]), min(widths[layer], widths[layer + 1])
    )


@compiled
def _own(gradients: Any, blocks: Any, runs: int, block: int) -> Any:
    """One tensor of the gradients of the run at hand."""
    begin = blocks[block, 0] // runs
    return gradients[begin : begin + blocks[block, 1]]


@compiled
def _forward(network: Any, run: int, layer: int, images: Any, hidden: Any, rows: int) -> None:
    """One layer's product, its bias left out."""
    sgemm, _, _, widths, _, _ = network
    below = images if layer == 0 else _values(hidden, widths, layer, rows)
    outputs_first = widths[layer] < widths[layer + 1]
    out = _values(hidden, widths, layer + 1, rows)
    product(sgemm, below, _weight(network, run, layer), out, False, outputs_first)


@compiled
def _backward(
    network: Any, run: int, images: Any, hidden: Any, hidden_gradients: Any, gradients: Any, rows: int, scale: Any
) -> None:
    """From the gradient that the loss has left in the output to every parameter's; the last bias' is there already."""
    sgemm, runs, _, widths, blocks, _ = network
    layers = len(widths) - 1
    gradient = _values(hidden, widths, layers, rows)
    for layer in range(layers - 1, -1, -1):
        below = images if layer == 0 else _values(hidden, widths, layer, rows)
        weight = _weight(network, run, layer)
        own = _own(gradients, blocks, runs, 2 * layer).reshape(weight.shape)
        outputs_first = widths[layer] < widths[layer + 1]
        if outputs_first:
            product(sgemm, gradient, below, own, True, False)
        else:
            product(sgemm, below, gradient, own, True, False)
        if layer:
            before = _values(hidden_gradients, widths, layer, rows)
            product(sgemm, gradient, weight, before, False, not outputs_first)
            _activate_backward(before, below, scale, _own(gradients, blocks, runs, 2 * layer - 1))
            gradient = before


@compiled
def pick(pool: Any, divisor: Any, center: Any, order: Any, inputs: Any) -> None:
    """Fill `inputs` (row, pixel) with the images of `pool` over `divisor`, less `center`, that `order` (row,) names."""
    for row in range(len(order)):
        image, into = pool[order[row]], inputs[row]
        for pixel in range(len(center)):
            into[pixel] = np.float32(image[pixel]) / divisor - center[pixel]


@compiled
def _activate(values: Any, bias: Any) -> None:
    rows, units = values.shape
    for row in range(rows):
        own = values[row]
        for unit in range(units):
            value = own[unit] + bias[unit]
            own[unit] = ZERO if value < ZERO else value  # what is not a number stays one


@compiled
def _drop(values: Any, seed: Any, place: Any, rate: Any, scale: Any) -> None:
    """Zero where a unit's number (see `uniform`) is below `rate`, and what is left in proportion."""
    rows, units = values.shape
    begin = _mixed(seed + (place + np.uint64(1)) * GOLDEN)
    for row in range(rows):
        own = values[row]
        for unit in range(units):
            number = np.float32(_mixed(begin + np.uint64(row * units + unit) * GOLDEN) >> U40) * STEP
            own[unit] *= scale if number >= rate else ZERO


@compiled
def _mixed(z: Any) -> Any:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014)."""
    z = (z ^ (z >> U30)) * FIRST
    z = (z ^ (z >> U27)) * SECOND
    return z ^ (z >> U31)


@compiled
def _activate_backward(gradient: Any, values: Any, scale: Any, sums: Any) -> None:
    rows, units = gradient.shape
    sums[:] = ZERO
    for row in range(rows):
        own, active = gradient[row], values[row]
        for unit in range(units):
            value = ZERO if active[unit] <= ZERO else own[unit] * scale
            own[unit] = value
            sums[unit] += value


@compiled
def _cross_entropy(output: Any, bias: Any, sums: Any, labels: Any, smooth: float, classes: int) -> Any:
    """(mean loss, images put into their class); `output` becomes its own gradient, and `sums` the bias'."""
    rows = len(output)
    share, rest, most = ONE / np.float32(rows), np.float32(smooth / classes), np.float32(1 - smooth)
    sums[:] = ZERO
    loss, hits = 0.0, 0
    for row in range(rows):
        values, label = output[row], labels[row]
        highest, best = values[0] + bias[0], 0
        for column in range(classes):
            value = values[column] + bias[column]
            values[column] = value
            if value > highest:
                highest, best = value, column
        hits += best == label
        total, mean, own = ZERO, 0.0, np.float64(values[label])
        for column in range(classes):
            mean += values[column]
            values[column] = np.exp(values[column] - highest)
            total += values[column]
        loss += np.log(np.float64(total)) + highest - (1 - smooth) * own - smooth * mean / classes
        for column in range(classes):
            target = rest + (most if column == label else ZERO)
            value = (values[column] / total - target) * share
            values[column] = value
            sums[column] += value
        values[classes:] = ZERO
    return loss / rows, hits


@compiled
def _squared_error(output: Any, bias: Any, sums: Any, images: Any, pixels: int, squares: Any) -> float:
    """The mean loss; `output` becomes its own gradient, and `sums` the bias'."""
    rows = len(output)
    scale = np.float32(2.0 / (rows * pixels))
    sums[:] = ZERO
    squares[:] = ZERO
    for row in range(rows):
        values, image = output[row], images[row]
        for pixel in range(pixels):
            difference = values[pixel] + bias[pixel] - image[pixel]
            squares[pixel] += difference * difference
            difference *= scale
            values[pixel] = difference
            sums[pixel] += difference
        values[pixels:] = ZERO
    total = 0.0
    for pixel in range(pixels):
        total += squares[pixel]
    return total / (rows * pixels)


@compiled
def sgd(parameter: Any, gradient: Any, buffer: Any, numbers: Any) -> None:
    """A step of `torch.optim.SGD`."""
    rate, momentum, decay = np.float32(numbers[0]), np.float32(numbers[1]), np.float32(numbers[3])
    ahead, here = (momentum, ONE) if numbers[2] else (ONE, ZERO)
    for i in range(len(parameter)):
        slope = gradient[i] + decay * parameter[i]
        kept = momentum * buffer[i] + slope
        buffer[i] = kept
        parameter[i] -= rate * (ahead * kept + here * slope)


@compiled
def adam(parameter: Any, gradient: Any, first: Any, second: Any, steps: int, numbers: Any, decoupled: bool) -> None:
    """A step of `torch.optim.Adam` or `AdamW`."""
    rate, beta1, beta2, weight_decay = numbers[0], numbers[1], numbers[2], numbers[4]
    keep1, keep2, eps = np.float32(beta1), np.float32(beta2), np.float32(numbers[3])
    new1, new2 = np.float32(1 - beta1), np.float32(1 - beta2)
    step = np.float32(rate / (1 - beta1**steps))
    widen = np.float32(1 / np.sqrt(1 - beta2**steps))
    shrink = np.float32(1 - rate * weight_decay if decoupled else 1.0)
    decay = np.float32(0.0 if decoupled else weight_decay)
    for i in range(len(parameter)):
        slope = gradient[i] + decay * parameter[i]
        mean = keep1 * first[i] + new1 * slope
        square = keep2 * second[i] + new2 * slope * slope
        first[i], second[i] = mean, square
        parameter[i] = shrink * parameter[i] - step * mean / (np.sqrt(square) * widen + eps)


@compiled
def uniform(seed: Any, place: Any, count: int) -> Any:
    """The numbers by which dropout decides for a layer's units, row by row: float32 in [0, 1)."""
    numbers = np.empty(count, np.float32)
    begin = _mixed(np.uint64(seed) + (np.uint64(place) + np.uint64(1)) * GOLDEN)
    for i in range(count):
        numbers[i] = np.float32(_mixed(begin + np.uint64(i) * GOLDEN) >> U40) * STEP
    return numbers
