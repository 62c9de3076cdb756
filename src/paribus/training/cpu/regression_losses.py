"""Regression losses: the mean over rows and outputs of f(d), with d = output + bias - target.

    mse    f(d) = d**2                                        f'(d) = 2 d
    l1     f(d) = |d|                                         f'(d) = sign(d), 0 for 0
    huber  f(d) = d**2 / 2 if |d| < delta,                    f'(d) = d, limited to [-delta, delta]
           else delta (|d| - delta / 2)

Each adds the last layer's bias, gives the mean loss over a batch, and turns the output into its gradient,
f'(d) / (rows * outputs). A call may have only some columns of the layer, because every column is independent: column c
of `output` (row, column) is output `first` + c of the layer, and column `first` + c of `targets` (row, at least
`outputs`). It then gives these columns' share of the mean loss. `outputs` is the unpadded width of the layer; columns
behind it are padding, whose gradient is zero. `bias_gradient` (column,) becomes the gradient's sum over rows.

Sums: f(d) is added up column by column, over rows in their order, in float32; `column_losses` (column,) is the
workspace for that. These sums are added in the order of columns, in float64. `bias_gradient` is summed over rows in
their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from paribus.training.cpu.compiling import compiled, int64, llvm_intrinsic
from paribus.training.cpu.vectors import (
    FLOAT,
    LANES,
    REGISTER_LANES,
    broadcast,
    float_pointers,
    load,
    loop,
    prefetch,
    store,
    zeros,
)

_ZERO, _HALF = np.float32(0), np.float32(0.5)


def _emit_mse_columns(
    builder: Any,
    output: Any,
    output_row: Any,
    target: Any,
    target_row: Any,
    bias: Any,
    losses: Any,
    bias_gradient: Any,
    rows: Any,
    outputs: Any,
) -> None:
    """`mse` of `LANES` columns, whose sums stay in registers from the first row to the last.

    Addresses, and the distances from one row to the next in float32 elements; `outputs` is the layer's width, by which
    the mean divides.
    """
    output, target, bias, losses, bias_gradient = float_pointers(builder, output, target, bias, losses, bias_gradient)
    parts = [int64(lane) for lane in range(0, LANES, REGISTER_LANES)]
    count = builder.sitofp(builder.mul(rows, outputs), ir.DoubleType())
    scale = broadcast(builder, builder.fptrunc(builder.fdiv(ir.Constant(ir.DoubleType(), 2.0), count), FLOAT))
    biases = [load(builder, builder.gep(bias, [part])) for part in parts]

    def take_row(_row: Any, output_now: Any, target_now: Any, *sums: Any) -> list[Any]:
        after: list[Any] = []
        prefetch(builder, builder.ptrtoint(builder.gep(target_now, [int64(LANES)]), rows.type))
        for part, shift, square, total in zip(parts, biases, sums[::2], sums[1::2], strict=True):
            place = builder.gep(output_now, [part])
            difference = builder.fsub(
                builder.fadd(load(builder, place), shift), load(builder, builder.gep(target_now, [part]))
            )
            gradient = builder.fmul(difference, scale)
            store(builder, gradient, place)
            after += builder.fadd(square, builder.fmul(difference, difference)), builder.fadd(total, gradient)
        return [builder.gep(output_now, [output_row]), builder.gep(target_now, [target_row]), *after]

    _, _, *sums = loop(builder, rows, [output, target, *(zeros() for _ in 2 * parts)], take_row)
    for part, square, total in zip(parts, sums[::2], sums[1::2], strict=True):
        store(builder, square, builder.gep(losses, [part]))
        store(builder, total, builder.gep(bias_gradient, [part]))


_mse_columns = llvm_intrinsic(9, _emit_mse_columns)


@compiled
def mse(
    output: Any, bias: Any, bias_gradient: Any, targets: Any, first: int, outputs: int, column_losses: Any
) -> float:
    """The mean squared error, as `torch.nn.functional.mse_loss`; see the module for arguments and sums."""
    rows, columns = output.shape
    unpadded = min(columns, outputs - first)
    scale = np.float32(2.0 / (rows * outputs))
    vectorised = unpadded - unpadded % LANES
    for column in range(0, vectorised, LANES):
        output_at, target_at = output.ctypes.data + 4 * column, targets.ctypes.data + 4 * (first + column)
        sums_at = (
            bias.ctypes.data + 4 * column,
            column_losses.ctypes.data + 4 * column,
            bias_gradient.ctypes.data + 4 * column,
        )
        _mse_columns((output_at, columns, target_at, targets.shape[1], *sums_at, rows, outputs))
    bias_gradient[vectorised:] = _ZERO
    column_losses[vectorised:unpadded] = _ZERO
    for row in range(rows):
        values, target = output[row], targets[row, first : first + unpadded]
        for column in range(vectorised, unpadded):
            difference = values[column] + bias[column] - target[column]
            column_losses[column] += difference * difference
            difference *= scale
            values[column] = difference
            bias_gradient[column] += difference
        values[unpadded:] = _ZERO
    return _total(column_losses, unpadded) / (rows * outputs)


@compiled
def l1(output: Any, bias: Any, bias_gradient: Any, targets: Any, first: int, outputs: int, column_losses: Any) -> float:
    """The mean absolute error, as `torch.nn.functional.l1_loss`; see the module for arguments and sums."""
    rows, columns = output.shape
    unpadded = min(columns, outputs - first)
    scale = np.float32(1.0 / (rows * outputs))
    bias_gradient[:] = _ZERO
    column_losses[:unpadded] = _ZERO
    for row in range(rows):
        values, target = output[row], targets[row, first : first + unpadded]
        for column in range(unpadded):
            difference = values[column] + bias[column] - target[column]
            column_losses[column] += abs(difference)
            gradient = scale if difference > _ZERO else (-scale if difference < _ZERO else _ZERO)
            values[column] = gradient
            bias_gradient[column] += gradient
        values[unpadded:] = _ZERO
    return _total(column_losses, unpadded) / (rows * outputs)


@compiled
def huber(
    output: Any,
    bias: Any,
    bias_gradient: Any,
    targets: Any,
    first: int,
    outputs: int,
    column_losses: Any,
    delta: Any,
) -> float:
    """The Huber loss with a float32 `delta`, as `torch.nn.functional.huber_loss`; see the module for the rest."""
    rows, columns = output.shape
    unpadded = min(columns, outputs - first)
    scale = np.float32(1.0 / (rows * outputs))
    bias_gradient[:] = _ZERO
    column_losses[:unpadded] = _ZERO
    for row in range(rows):
        values, target = output[row], targets[row, first : first + unpadded]
        for column in range(unpadded):
            difference = values[column] + bias[column] - target[column]
            size = abs(difference)
            quadratic, linear = _HALF * size * size, delta * (size - _HALF * delta)
            column_losses[column] += quadratic if size < delta else linear
            limited = -delta if difference < -delta else (delta if difference > delta else difference)
            gradient = limited * scale
            values[column] = gradient
            bias_gradient[column] += gradient
        values[unpadded:] = _ZERO
    return _total(column_losses, unpadded) / (rows * outputs)


@compiled
def add_squared_errors(output: Any, bias: Any, targets: Any, first: int, outputs: int, sums: Any) -> None:
    """Add the sum over rows of d**2 of each column to `sums` (output,), float64; `output` stays as it is.

    Evaluation needs it beside any loss: an error in the targets' units is that of each output by itself.
    """
    rows, columns = output.shape
    for column in range(min(columns, outputs - first)):
        total = 0.0
        for row in range(rows):
            difference = np.float64(output[row, column] + bias[column] - targets[row, first + column])
            total += difference * difference
        sums[first + column] += total


@compiled
def _total(column_losses: Any, unpadded: int) -> float:
    total = 0.0
    for column in range(unpadded):
        total += column_losses[column]
    return total
