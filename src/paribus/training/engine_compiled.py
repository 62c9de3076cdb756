"""Training and measuring on a CPU: a whole epoch as one compiled call, batch by batch and, within a batch, run by run.

A run's step stays in the core's cache from its forward pass to its optimizer: activations are one run's at a time, and
a weight's gradient is made a few rows at a time and used up before the next. Runs of one stream share the batch's
images, and what is known of their zeros (see `cpu.zero_skipping`). Nothing that is computed for a run depends on
another, so that its bits are the same beside any other runs. The calls hold no lock: cohorts train side by side.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from paribus.training.cpu.activations import relu, relu_backward
from paribus.training.cpu.classification_losses import cross_entropy
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.dropout import dropout as apply_dropout
from paribus.training.cpu.inputs import gather, prefetch
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.optimizers import adam, adam_coefficients, sgd, sgd_coefficients
from paribus.training.cpu.regression_losses import mse
from paribus.training.cpu.sparse_matmul import skipping_buffers, zero_skipping_matmul
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.zero_skipping import (
    NO_PATTERN,
    NonzeroSteps,
    find_nonzero_features,
    find_nonzero_steps,
    nonzero_bits,
    nonzero_steps,
    similarity_rank,
    step_lists,
)
from paribus.training.engine import Call, MeasuringJob, TrainingJob, stream_of_runs
from paribus.training.networks import TILE, StackedNetwork

ONE = np.float32(1)
PANEL = 128
"""Outputs of an autoencoder that are computed, judged and trained at a time: few enough to stay in cache."""
BLOCK = 48
"""Rows of a weight's gradient that are made and used up at a time: whole groups of `SKIP_ROWS`."""
UNITS = 32
"""Outputs of the first layer from which steps are left out of a batch: with fewer, choosing them costs what they save.
How many runs share the choice must not count: what a diverging run comes to could depend on its company."""


class _Scratch(NamedTuple):
    """What one run's pass needs, numbers in a row but for `sums`.

    Activations and their gradients, a transposed weight, part of a weight's gradient, two rows of sums (2, unit), and
    buffers of matmuls that skip steps.
    """

    values: Any
    gradients: Any
    transposed: Any
    made: Any
    sums: Any
    skipping: Any


def training(job: TrainingJob) -> Call:
    """See `Engine.training`."""
    network, optimizer, dropout = job.network, job.optimizer, job.dropout
    runs, streams = network.runs, len(job.streams)
    zeros = job.pictures.zeros if network.widths[1] >= UNITS else None
    rates = torch.zeros(runs) if dropout is None else dropout.rates
    seeds = torch.zeros(streams, dtype=torch.int64) if dropout is None else dropout.seeds
    # a row is a little wider than an image: rows a power of two apart would push each other out of the cache
    inputs = torch.zeros(job.batch_size, network.widths[0] + TILE)
    return partial(
        _train,
        _network(network),
        (
            optimizer.kind != "sgd",
            optimizer.kind == "adamw",
            optimizer.numbers.numpy(),
            optimizer.taken.numpy(),
            network.parameters.numpy(),
            optimizer.slots[0].numpy(),
            optimizer.slots[-1].numpy(),
        ),
        _scratch(network, job.batch_size),
        (job.pictures.pool.numpy(), np.float32(job.pictures.divisor), job.pictures.centers.numpy()),
        NO_PATTERN if zeros is None else zeros,
        inputs.numpy(),
        nonzero_steps(zeros, job.batch_size, network.widths[0]),
        stream_of_runs(job.streams, network.device).numpy(),
        job.order.numpy(),
        job.labels.numpy(),
        (job.goal.has_classes, job.goal.smoothing.numpy()),
        (dropout is not None, rates.numpy(), seeds.numpy()),
        job.losses.numpy(),
    )


def measuring(job: MeasuringJob) -> Call:
    """See `Engine.measuring`."""
    network, images = job.network, job.images.numpy()
    return partial(
        _measure,
        _network(network),
        _scratch(network, job.rows),
        stream_of_runs(job.streams, network.device).numpy(),
        images,
        _choices(images, job.rows),
        job.labels.numpy(),
        job.rows,
        (job.goal.has_classes, job.goal.smoothing.numpy()),
        job.losses.numpy(),
        job.correct.numpy(),
    )


def _network(network: StackedNetwork) -> tuple[Any, ...]:
    """A network as the loops take it: runs, live outputs, widths, blocks, parameters."""
    widths = np.array(network.widths, dtype=np.int64)
    return network.runs, network.layers[-1], widths, network.blocks.numpy(), network.parameters.numpy()


def _scratch(network: StackedNetwork, rows: int) -> _Scratch:
    count, widest = rows * sum(network.widths[1:]), max(network.widths)
    sizes = count, count, max(network.layout.sizes), BLOCK * widest, (2, widest)
    values, gradients, transposed, made, sums = (np.zeros(size, np.float32) for size in sizes)
    return _Scratch(
        values, gradients, transposed, made, sums, skipping_buffers(max(rows, BLOCK), rows, network.widths[1])
    )


def _choices(images: Any, rows: int) -> NonzeroSteps:
    """Of every part of every stream's images (stream, part, ...), with nothing for gradients; `known` is (stream,)."""
    streams, count, pixels = images.shape
    of = [similarity_rank(own) for own in images]
    known = np.array([place is not None for place in of])
    parts = -(-count // rows) * known.any()
    lit, (which, counts) = nonzero_bits(images), step_lists(rows, pixels)
    row_order = np.zeros((streams, parts, rows), np.int64)
    all_which, all_counts = (np.zeros((streams, parts, *one.shape), one.dtype) for one in (which, counts))
    for stream, place in enumerate(of):
        for part in range(parts if place is not None else 0):
            order = np.arange(part * rows, min(count, (part + 1) * rows))
            into = row_order[stream, part], all_which[stream, part], all_counts[stream, part]
            find_nonzero_features(lit[stream], order, place, *into)
    return NonzeroSteps(known, row_order, all_which, all_counts, *step_lists(0, 0))


@compiled
def _train(
    network: Any,
    optimizer: Any,
    scratch: Any,
    pictures: Any,
    zeros: Any,
    inputs: Any,
    choosing: Any,
    stream_of: Any,
    order: Any,
    labels: Any,
    goal: Any,
    dropout: Any,
    losses: Any,
) -> None:
    runs, _, widths, _, _ = network
    pool, divisor, centers = pictures
    dropping, rates, seeds = dropout
    sums = scratch.sums[0]
    last, images, batch_size = len(widths) - 2, order.shape[1], len(inputs)
    panel = _panel(widths, goal[0])
    optimizer[3][0] += losses.shape[0]
    for batch in range(losses.shape[0]):
        start = batch * batch_size
        rows = min(batch_size, images - start)
        images_in = inputs[:rows], choosing
        for run in range(runs):
            stream = stream_of[run]
            if run == 0 or stream != stream_of[run - 1]:
                taken = order[stream, start : start + rows]
                if choosing.enabled:
                    for image in taken:
                        prefetch(zeros.feature_bits, image)
                        prefetch(zeros.feature_groups, image)
                gather(pool, divisor, centers[stream], taken, inputs)
                if choosing.enabled:
                    find_nonzero_steps(zeros, taken, choosing)
            of, scale = labels[stream, start : start + rows], ONE / (ONE - rates[run])
            for layer in range(last):
                values = _hidden(network, scratch, run, layer, images_in, rows)
                if dropping:
                    place = np.uint64(batch * (last + 1) + layer)
                    apply_dropout(values, np.uint64(seeds[stream]), place, rates[run], scale)
            numbers = _numbers(optimizer, run, batch + 1 - losses.shape[0])
            loss = 0.0
            for begin in range(0, widths[last + 1], panel):
                end = min(begin + panel, widths[last + 1])
                output, own, share, _ = _judged(network, scratch, goal, run, begin, end, images_in, of)
                loss += share
                _backward(network, optimizer, scratch, run, last, begin, images_in, output, own, numbers)
            losses[batch, run] = loss
            for layer in range(last - 1, -1, -1):
                gradient, own = _values(scratch.gradients, widths, layer + 1, rows), sums[: widths[layer + 1]]
                relu_backward(gradient, _values(scratch.values, widths, layer + 1, rows), scale, own)
                _backward(network, optimizer, scratch, run, layer, 0, images_in, gradient, own, numbers)


@compiled
def _measure(
    network: Any,
    scratch: Any,
    stream_of: Any,
    images: Any,
    choices: Any,
    labels: Any,
    most_rows: int,
    goal: Any,
    losses: Any,
    correct: Any,
) -> None:
    runs, _, widths, _, _ = network
    last = len(widths) - 2
    panel = _panel(widths, goal[0])
    for part in range(losses.shape[0]):
        start = part * most_rows
        rows = min(most_rows, images.shape[1] - start)
        for run in range(runs):
            stream = stream_of[run]
            known = choices.enabled[stream]
            at = part if known else 0
            choosing = NonzeroSteps(
                known,
                choices.row_order[stream, at],
                choices.features[stream, at],
                choices.feature_counts[stream, at],
                choices.examples,
                choices.example_counts,
            )
            images_in, of = (images[stream, start : start + rows], choosing), labels[stream, start : start + rows]
            for layer in range(last):
                _hidden(network, scratch, run, layer, images_in, rows)
            loss = 0.0
            for begin in range(0, widths[last + 1], panel):
                end = min(begin + panel, widths[last + 1])
                _, _, share, hits = _judged(network, scratch, goal, run, begin, end, images_in, of)
                loss += share
                correct[part, run] = hits
            losses[part, run] = loss


@compiled
def _panel(widths: Any, has_classes: bool) -> int:
    """How many of the last layer's outputs are computed at a time.

    A pixel's error is its own. Classes are judged together, and a weight with fewer outputs than inputs is held by
    inputs.
    """
    return widths[-1] if has_classes or widths[-2] >= widths[-1] else PANEL


@compiled
def _values(hidden: Any, widths: Any, layer: int, rows: int) -> Any:
    """What goes out of layer number `layer` (from 1): (row, unit)."""
    begin = rows * widths[1:layer].sum()
    return hidden[begin : begin + rows * widths[layer]].reshape(rows, widths[layer])


@compiled
def _below(hidden: Any, widths: Any, layer: int, images: Any, rows: int) -> Any:
    """What goes into layer index `layer`."""
    return images[0] if layer == 0 else _values(hidden, widths, layer, rows)


@compiled
def _bias(network: Any, run: int, layer: int) -> Any:
    _, _, _, blocks, parameters = network
    begin, length = blocks[2 * layer + 1]
    return parameters[run, begin : begin + length]


@compiled
def _weight(network: Any, run: int, layer: int) -> Any:
    """As it is held: (in, out), or, where it has more outputs than inputs, (out, in)."""
    _, _, widths, blocks, parameters = network
    begin, length = blocks[2 * layer]
    long, short = max(widths[layer], widths[layer + 1]), min(widths[layer], widths[layer + 1])
    return parameters[run, begin : begin + length].reshape(long, short)


@compiled
def _hidden(network: Any, scratch: Any, run: int, layer: int, images: Any, rows: int) -> Any:
    """A hidden layer's activations."""
    widths = network[2]
    below = _below(scratch.values, widths, layer, images, rows)
    values = _product(network, scratch, run, layer, 0, widths[layer + 1], below, images[1], rows)
    relu(values, _bias(network, run, layer))
    return values


@compiled
def _product(
    network: Any, scratch: Any, run: int, layer: int, begin: int, end: int, below: Any, choosing: Any, rows: int
) -> Any:
    """A layer's outputs from `begin` to `end`, their bias left out."""
    widths, weight = network[2], _weight(network, run, layer)
    at = rows * widths[1 : layer + 1].sum()
    out = scratch.values[at : at + rows * (end - begin)].reshape(rows, end - begin)
    factor = transpose(weight[begin:end], scratch.transposed) if widths[layer] < widths[layer + 1] else weight
    if layer == 0 and choosing.enabled:
        zero_skipping_matmul(below, factor, out, False, 0, choosing, scratch.skipping)
    else:
        matmul(below, factor, out, False, 0, False)
    return out


@compiled
def _judged(
    network: Any, scratch: Any, goal: Any, run: int, begin: int, end: int, images: Any, labels: Any
) -> tuple[Any, Any, float, int]:
    """The last layer's outputs from `begin` to `end` as their own gradient, their bias' gradient, their share of the
    mean loss, and how many images are put into their class."""
    _, columns, widths, _, _ = network
    has_classes, smoothing = goal
    last, rows, own = len(widths) - 2, len(images[0]), scratch.sums[0, : end - begin]
    below = _below(scratch.values, widths, last, images, rows)
    output = _product(network, scratch, run, last, begin, end, below, images[1], rows)
    bias = _bias(network, run, last)[begin:end]
    if has_classes:
        loss, hits = cross_entropy(output, bias, own, labels, smoothing[run], columns)
        return output, own, loss, hits
    return output, own, mse(output, bias, own, images[0], begin, columns, scratch.sums[1]), 0


@compiled
def _backward(
    network: Any,
    optimizer: Any,
    scratch: Any,
    run: int,
    layer: int,
    begin: int,
    images: Any,
    gradient: Any,
    sums: Any,
    numbers: Any,
) -> None:
    """From the gradient of a layer's outputs, from `begin` on, to that of its inputs; then a step of its parameters.

    `sums` is the bias' own gradient.
    """
    _, _, widths, blocks, _ = network
    weight, outputs_first = _weight(network, run, layer), widths[layer] < widths[layer + 1]
    rows, outputs = gradient.shape
    below = _below(scratch.values, widths, layer, images, rows)
    if layer:
        factor = weight[begin : begin + outputs] if outputs_first else transpose(weight, scratch.transposed)
        matmul(gradient, factor, _values(scratch.gradients, widths, layer, rows), False, 0, begin > 0)
    left, right, choosing = gradient, below, images[1]
    if not outputs_first:
        left, right = below, gradient
    held, columns = outputs if outputs_first else widths[layer], weight.shape[1]
    at = blocks[2 * layer, 0] + begin * columns
    for row in range(0, held, BLOCK):
        made = scratch.made[: min(BLOCK, held - row) * columns]
        rows_made = made.reshape(len(made) // columns, columns)
        if layer == 0 and choosing.enabled and not outputs_first:
            zero_skipping_matmul(left, right, rows_made, True, row, choosing, scratch.skipping)
        else:
            matmul(left, right, rows_made, True, row, False)
        _step(optimizer, run, at + row * columns, made, numbers)
    _step(optimizer, run, blocks[2 * layer + 1, 0] + begin, sums, numbers)


@compiled
def _numbers(optimizer: Any, run: int, later: int) -> Any:
    """What the optimizer needs of a run, `later` steps after the last one that is counted."""
    adaptive, decoupled, numbers, taken, _, _, _ = optimizer
    return (
        adam_coefficients(numbers[:, run], taken[0] + later, decoupled)
        if adaptive
        else sgd_coefficients(numbers[:, run])
    )


@compiled
def _step(optimizer: Any, run: int, begin: int, gradient: Any, numbers: Any) -> None:
    """Step a run's parameters from `begin` on by their gradient."""
    adaptive, _, _, _, parameters, first, second = optimizer
    end = begin + len(gradient)
    if adaptive:
        adam(parameters[run, begin:end], gradient, first[run, begin:end], second[run, begin:end], numbers)
    else:
        sgd(parameters[run, begin:end], gradient, first[run, begin:end], numbers)
