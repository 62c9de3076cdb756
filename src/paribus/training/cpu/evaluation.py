"""Evaluation and inference, with the arithmetic of training's forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from paribus.training.cpu.classification_losses import predict_classes
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.denormals import flush_denormals, restore_denormals
from paribus.training.cpu.inputs import gather, multiply
from paribus.training.cpu.parameters import padded
from paribus.training.cpu.passes import (
    LOSS_CODES,
    Targets,
    bias_of,
    hidden,
    layer_values,
    linear,
    loss_and_gradient,
    output_block,
)
from paribus.training.cpu.regression_losses import add_squared_errors
from paribus.training.cpu.zero_skipping import (
    NonzeroSteps,
    find_nonzero_features,
    nonzero_bits,
    similarity_rank,
    step_lists,
)
from paribus.training.engine import Floats, Inputs, Integers

EVALUATION_ROWS: Final = 256
"""Examples that are evaluated at a time: a constant, because sums over a set are rounded once for each part."""


ANY_NUMBERS: Final = LOSS_CODES["mse"]
"""A loss of numbers: outputs of inference are independent of each other."""


class EvaluationArrays(NamedTuple):
    """A set of examples as compiled code takes it.

    The scaled features (stream, example, padded feature); the targets, as classes (stream, example) or numbers (stream,
    example, output), and whether networks `reconstruct` their inputs instead; weights (row,) of examples, all 1; the
    nonzero steps of each part of each stream; and an empty memory, as what is evaluated remembers nothing.
    """

    features: Any
    labels: Any
    weights: Any
    numbers: Any
    reconstructing: bool
    steps: Any
    memory: Any


@compiled
def evaluate(
    layers: Any,
    parameters: Any,
    statistics: Any,
    work: Any,
    stream_of: Any,
    examples: Any,
    loss: Any,
    losses: Any,
    correct: Any,
    squares: Any,
    predicted: Any,
) -> None:
    """`losses` (part, run) take the mean loss of each part of the examples, `correct` (part, run) how many are
    put into their class.

    `squares` (part, run, output) take the sum of squared errors of each output; without outputs they are not wanted.
    Nor are the classes `predicted` (run, example) without examples.
    """
    setting = flush_denormals()
    widths = layers.widths
    last, block = len(widths) - 2, output_block(layers, loss.kind)
    for part in range(losses.shape[0]):
        start = part * EVALUATION_ROWS
        rows = min(EVALUATION_ROWS, examples.features.shape[1] - start)
        for run in range(losses.shape[1]):
            stream, own = stream_of[run], parameters[run]
            inputs = examples.features[stream, start : start + rows]
            steps, rows_in = _steps_of(examples.steps, stream, part), slice(start, start + rows)
            numbers = inputs if examples.reconstructing else examples.numbers[stream, rows_in]
            labels, ones = examples.labels[stream, rows_in], examples.weights[:rows]
            targets = Targets(labels, ones, numbers, False, labels, ones, examples.memory)
            for layer in range(last):
                hidden(layers, own, statistics[run], work, layer, inputs, steps, rows, False)
            total = 0.0
            squares[part, run] = 0.0
            for first in range(0, widths[last + 1], block):
                end = min(first + block, widths[last + 1])
                output = linear(layers, own, work, last, first, end, inputs, steps, rows)
                if squares.shape[2]:
                    bias = bias_of(layers, own, last)[first:end]
                    add_squared_errors(output, bias, numbers, first, layers.outputs, squares[part, run])
                if predicted.shape[1]:
                    bias = bias_of(layers, own, last)
                    predict_classes(output, bias, layers.outputs, predicted[run, rows_in])
                mean, count = loss_and_gradient(layers, own, work, loss, run, output, first, targets)
                total += mean
                correct[part, run] = count
            losses[part, run] = total
    restore_denormals(setting)


@compiled
def _steps_of(steps: Any, stream: int, part: int) -> Any:
    """The nonzero steps of one part of one stream."""
    enabled = steps.enabled[stream]
    at = part if enabled else 0
    return NonzeroSteps(
        enabled,
        steps.row_order[stream, at],
        steps.features[stream, at],
        steps.feature_counts[stream, at],
        steps.examples,
        steps.example_counts,
    )


@compiled
def infer(layers: Any, parameters: Any, statistics: Any, work: Any, inputs: Any, no_steps: Any, outputs: Any) -> None:
    """The last layer's outputs (row, output) of one run for `inputs` (row, padded feature); activations of the hidden
    layers stay in `work.values`."""
    setting = flush_denormals()
    widths, rows = layers.widths, len(inputs)
    last, block = len(widths) - 2, output_block(layers, ANY_NUMBERS)
    for layer in range(last):
        hidden(layers, parameters, statistics, work, layer, inputs, no_steps, rows, False)
    for first in range(0, widths[last + 1], block):
        end = min(first + block, widths[last + 1])
        values = linear(layers, parameters, work, last, first, end, inputs, no_steps, rows)
        bias = bias_of(layers, parameters, last)
        for row in range(rows):
            for column in range(first, min(end, layers.outputs)):
                outputs[row, column] = values[row, column - first] + bias[column]
    restore_denormals(setting)


@compiled
def hidden_activations(layers: Any, work: Any, layer: int, rows: int) -> Any:
    """The activations (row, unit) of hidden layer number `layer` (from 1) that the last pass left, with padding."""
    return layer_values(work.values, layers.widths, layer, rows)


def scaled_features(inputs: Inputs, rows: Sequence[Integers]) -> Floats:
    """The features (stream, example, padded feature) of some examples, as networks see them.

    `rows` has the rows of `inputs` of each stream, or one entry for all of them.
    """
    streams = len(rows) if inputs.centre is None else len(inputs.centre)
    width = inputs.values.shape[1]
    features = np.zeros((streams, len(rows[0]), padded(width)), np.float32)
    none = np.zeros(width, np.float32)
    for stream in range(streams):
        centre = none if inputs.centre is None else inputs.centre[stream]
        order = rows[stream if len(rows) > 1 else 0]
        gather(inputs.values, np.float32(inputs.divisor), centre, order, features[stream])
        if inputs.factor is not None:
            multiply(features[stream], inputs.factor[stream], len(order))
    return features


def evaluation_steps(features: Floats) -> NonzeroSteps:
    """The nonzero steps of every part of every stream's examples (stream, part, ...); `enabled` is (stream,)."""
    streams, examples, width = features.shape
    ranks = [similarity_rank(own) for own in features]
    enabled = np.array([rank is not None for rank in ranks])
    parts = -(-examples // EVALUATION_ROWS) * int(enabled.any())
    bits, (numbers, counts) = nonzero_bits(features), step_lists(EVALUATION_ROWS, width)
    row_order = np.zeros((streams, parts, EVALUATION_ROWS), np.int64)
    all_numbers, all_counts = (np.zeros((streams, parts, *one.shape), one.dtype) for one in (numbers, counts))
    for stream, rank in enumerate(ranks):
        for part in range(parts if rank is not None else 0):
            order = np.arange(part * EVALUATION_ROWS, min(examples, (part + 1) * EVALUATION_ROWS))
            into = row_order[stream, part], all_numbers[stream, part], all_counts[stream, part]
            find_nonzero_features(bits[stream], order, rank, *into)
    return NonzeroSteps(enabled, row_order, all_numbers, all_counts, *step_lists(0, 0))
