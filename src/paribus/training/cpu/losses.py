"""Losses: they add the last layer's bias, give the mean loss over a batch, and turn the output into its gradient.

`output` is (row, unit), float32 and padded, one row per example. Behind the call it is the gradient of the mean loss
with respect to itself, with zeros in padding columns, and `bias_gradient` (unit,) is its sum over rows, in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from paribus.training.cpu.compiling import compiled, int64, llvm_intrinsic
from paribus.training.cpu.elementary import exp, log
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

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def cross_entropy(output: Any, bias: Any, bias_gradient: Any, labels: Any, smoothing: float, classes: int) -> Any:
    """(mean loss, examples whose label has the largest logit), as `torch.nn.functional.cross_entropy`.

    With the logits z = output + bias of a row, its label y, C classes, s = `smoothing` and p = softmax(z):

        loss = log(sum of e**z[c]) - (1 - s) z[y] - s / C * (sum of z[c])
        gradient[c] = (p[c] - s / C - (1 - s) [c = y]) / rows

    The largest logit is subtracted before exp, which changes no result and prevents overflow. Among equal largest
    logits the first class counts. Sums over classes run in their order; the loss is summed in float64, the logarithms
    of all rows after the other terms of all rows.
    """
    rows = len(output)
    share, off_label, on_label = _ONE / np.float32(rows), np.float32(smoothing / classes), np.float32(1 - smoothing)
    bias_gradient[:] = _ZERO
    loss, hits = 0.0, 0
    for row in range(rows):
        logits, label = output[row], labels[row]
        largest, best, total = logits[0] + bias[0], 0, 0.0
        for column in range(classes):
            logit = logits[column] + bias[column]
            logits[column] = logit
            total += logit
            if logit > largest:
                largest, best = logit, column
        hits += best == label
        loss += largest - (1 - smoothing) * logits[label] - smoothing * total / classes
        for column in range(classes):
            logits[column] -= largest
    flat = output.reshape(output.size)  # one loop over all rows, as a row is too short for vector instructions
    for i in range(len(flat)):
        flat[i] = exp(flat[i])
    for row in range(rows):
        powers, label, power_sum = output[row], labels[row], _ZERO
        for column in range(classes):
            power_sum += powers[column]
        loss += log(np.float64(power_sum))
        at_label = (powers[label] / power_sum - (off_label + on_label)) * share
        for column in range(len(powers)):
            powers[column] = (powers[column] / power_sum - off_label) * share
        powers[label] = at_label
        powers[classes:] = _ZERO
        for column in range(len(powers)):
            bias_gradient[column] += powers[column]
    return loss / rows, hits


def _emit_mse_columns(
    builder: Any,
    output: Any,
    output_row: Any,
    target: Any,
    target_row: Any,
    bias: Any,
    squares: Any,
    bias_gradient: Any,
    rows: Any,
    outputs: Any,
) -> None:
    """`mse` of `LANES` columns, whose sums stay in registers from the first row to the last.

    Addresses, and the distances from one row to the next in float32 elements; `outputs` is the layer's width, by which
    the mean divides.
    """
    output, target, bias, squares, bias_gradient = float_pointers(builder, output, target, bias, squares, bias_gradient)
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
        store(builder, square, builder.gep(squares, [part]))
        store(builder, total, builder.gep(bias_gradient, [part]))


_mse_columns = llvm_intrinsic(9, _emit_mse_columns)


@compiled
def mse(output: Any, bias: Any, bias_gradient: Any, targets: Any, first: int, outputs: int, squares: Any) -> float:
    """The share of some columns in the mean squared error over rows and all `outputs` of the layer.

    Column c of `output` is output `first` + c of the layer, and is compared with that column of `targets`
    (row, at least `outputs`). With d = output + bias - target:

        loss = sum of d**2 / (rows * outputs),    gradient = 2 d / (rows * outputs)

    `squares` (unit,) is workspace. It takes the sum of d**2 of each column over rows, in their order, in float32; these
    sums are added in the order of columns, in float64.
    """
    rows, columns = output.shape
    unpadded = min(columns, outputs - first)
    scale = np.float32(2.0 / (rows * outputs))
    vectorised = unpadded - unpadded % LANES
    for column in range(0, vectorised, LANES):
        output_at, target_at = output.ctypes.data + 4 * column, targets.ctypes.data + 4 * (first + column)
        sums_at = (
            bias.ctypes.data + 4 * column,
            squares.ctypes.data + 4 * column,
            bias_gradient.ctypes.data + 4 * column,
        )
        _mse_columns((output_at, columns, target_at, targets.shape[1], *sums_at, rows, outputs))
    bias_gradient[vectorised:] = _ZERO
    squares[vectorised:unpadded] = _ZERO
    for row in range(rows):
        values, target = output[row], targets[row, first : first + unpadded]
        for column in range(vectorised, unpadded):
            difference = values[column] + bias[column] - target[column]
            squares[column] += difference * difference
            difference *= scale
            values[column] = difference
            bias_gradient[column] += difference
        values[unpadded:] = _ZERO
    total = 0.0
    for column in range(unpadded):
        total += squares[column]
    return total / (rows * outputs)
