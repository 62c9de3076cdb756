"""What a training step is made of besides matrix products: images, activations, dropout, losses, optimizers.

Every sum has one order, and nothing depends on another run. Matrices are (image, unit), float32, with whole tiles.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from paribus.training.compiling import compiled, fused, whole, written
from paribus.training.elementary import exponential, logarithm
from paribus.training.vectors import FLOAT, LANES, REGISTER, floats, loaded, loop, nothing, spread, store

ZERO, ONE = np.float32(0), np.float32(1)
GOLDEN, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
U27, U30, U31, U40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
STEP = np.float32(2.0**-24)
AHEAD: Final = 4
"""An order goes to and fro in memory, where no processor foresees it: so many images ahead are asked for."""
LINE: Final = 64
"""Bytes that come from memory at once."""


def _write_fetch(builder: Any, address: Any) -> None:
    """Ask for the line at an address, to be read soon and kept in every cache, and wait for nothing."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(ask, [builder.inttoptr(address, byte), *(ir.Constant(number, what) for what in (0, 3, 1))])


_fetch = written(1, _write_fetch)


@compiled
def fetch(rows: Any, row: int) -> None:
    """Ask for one of an array's `rows`, to be read soon."""
    size = rows.shape[1] * rows.itemsize
    begin = rows.ctypes.data + row * size
    for line in range(begin, begin + size, LINE):
        _fetch((line,))


@compiled
def pick(pool: Any, divisor: Any, center: Any, order: Any, inputs: Any) -> None:
    """Fill `inputs` (row, pixel) with the images of `pool` over `divisor`, less `center`, that `order` (row,) names.

    An image over 1, or bytes over 255, is multiplied with the inverse in two parts, of which the second is what the
    first has lost by rounding: that gives the quotient's very bits in a third of a division's time.
    """
    inverse = ONE / divisor
    rest = fused(-inverse, divisor, ONE) * inverse
    for row in range(len(order)):
        if row + AHEAD < len(order):
            fetch(pool, order[row + AHEAD])
        image, into = pool[order[row]], inputs[row]
        for pixel in range(len(center)):
            level = np.float32(image[pixel])
            into[pixel] = fused(level, inverse, level * rest) - center[pixel]


@compiled
def activate(values: Any, bias: Any) -> None:
    """Add the bias, then ReLU."""
    rows, units = values.shape
    for row in range(rows):
        own = values[row]
        for unit in range(units):
            value = own[unit] + bias[unit]
            own[unit] = ZERO if value < ZERO else value  # what is not a number stays one


@compiled
def activate_backward(gradient: Any, values: Any, scale: Any, sums: Any) -> None:
    """The gradient before ReLU, and dropout's `scale`, from the one behind it; `sums` becomes the bias'."""
    rows, units = gradient.shape
    sums[:] = ZERO
    for row in range(rows):
        for unit in range(units):
            slope = gradient[row, unit] * scale
            slope = ZERO if values[row, unit] <= ZERO else slope
            gradient[row, unit] = slope
            sums[unit] += slope


@compiled
def drop(values: Any, seed: Any, place: Any, rate: Any, scale: Any) -> None:
    """Zero where a unit's number (see `uniform`) is below `rate`, and what is left in proportion."""
    rows, units = values.shape
    begin = _mixed(seed + (place + np.uint64(1)) * GOLDEN)
    for row in range(rows):
        own = values[row]
        for unit in range(units):
            number = np.float32(_mixed(begin + np.uint64(row * units + unit) * GOLDEN) >> U40) * STEP
            own[unit] *= scale if number >= rate else ZERO


@compiled
def uniform(seed: Any, place: Any, count: int) -> Any:
    """The numbers by which dropout decides for a layer's units, row by row: float32 in [0, 1)."""
    numbers = np.empty(count, np.float32)
    begin = _mixed(np.uint64(seed) + (np.uint64(place) + np.uint64(1)) * GOLDEN)
    for i in range(count):
        numbers[i] = np.float32(_mixed(begin + np.uint64(i) * GOLDEN) >> U40) * STEP
    return numbers


@compiled
def _mixed(z: Any) -> Any:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014)."""
    z = (z ^ (z >> U30)) * FIRST
    z = (z ^ (z >> U27)) * SECOND
    return z ^ (z >> U31)


@compiled
def cross_entropy(output: Any, bias: Any, sums: Any, labels: Any, smooth: float, classes: int) -> Any:
    """(mean loss, images put into their class); `output` becomes its own gradient, and `sums` the bias'."""
    rows = len(output)
    share, rest, most = ONE / np.float32(rows), np.float32(smooth / classes), np.float32(1 - smooth)
    sums[:] = ZERO
    loss, hits = 0.0, 0
    for row in range(rows):
        values, label = output[row], labels[row]
        highest, best, mean = values[0] + bias[0], 0, 0.0
        for column in range(classes):
            value = values[column] + bias[column]
            values[column] = value
            mean += value
            if value > highest:
                highest, best = value, column
        hits += best == label
        loss += highest - (1 - smooth) * values[label] - smooth * mean / classes
        for column in range(classes):
            values[column] -= highest
    numbers = output.reshape(output.size)  # of all rows at once: a row is too short for vectors
    for i in range(len(numbers)):
        numbers[i] = exponential(numbers[i])
    for row in range(rows):
        values, label, total = output[row], labels[row], ZERO
        for column in range(classes):
            total += values[column]
        loss += logarithm(np.float64(total))
        own = (values[label] / total - (rest + most)) * share
        for column in range(len(values)):
            values[column] = (values[column] / total - rest) * share
        values[label] = own
        values[classes:] = ZERO
        for column in range(len(values)):
            sums[column] += values[column]
    return loss / rows, hits


def _write_strip(
    builder: Any,
    values: Any,
    values_row: Any,
    image: Any,
    image_row: Any,
    bias: Any,
    squares: Any,
    sums: Any,
    rows: Any,
    pixels: Any,
) -> None:
    """`squared_error` of `LANES` columns, whose sums stay in registers from the first row to the last.

    All but the last two are addresses, and strides from one row to the next in numbers.
    """
    values, image, bias, squares, sums = floats(builder, values, image, bias, squares, sums)
    parts = [whole(part) for part in range(0, LANES, REGISTER)]
    count = builder.sitofp(builder.mul(rows, pixels), ir.DoubleType())
    scale = spread(builder, builder.fptrunc(builder.fdiv(ir.Constant(ir.DoubleType(), 2.0), count), FLOAT))
    shifts = [loaded(builder, builder.gep(bias, [part])) for part in parts]

    def judge(_row: Any, value: Any, pixel: Any, *now: Any) -> list[Any]:
        after: list[Any] = []
        _write_fetch(builder, builder.ptrtoint(builder.gep(pixel, [whole(LANES)]), rows.type))
        for part, shift, square, total in zip(parts, shifts, now[::2], now[1::2], strict=True):
            place = builder.gep(value, [part])
            difference = builder.fsub(
                builder.fadd(loaded(builder, place), shift), loaded(builder, builder.gep(pixel, [part]))
            )
            slope = builder.fmul(difference, scale)
            store(builder, slope, place)
            after += builder.fadd(square, builder.fmul(difference, difference)), builder.fadd(total, slope)
        return [builder.gep(value, [values_row]), builder.gep(pixel, [image_row]), *after]

    _, _, *totals = loop(builder, rows, [values, image, *(nothing() for _ in 2 * parts)], judge)
    for part, square, total in zip(parts, totals[::2], totals[1::2], strict=True):
        store(builder, square, builder.gep(squares, [part]))
        store(builder, total, builder.gep(sums, [part]))


_strip = written(9, _write_strip)


@compiled
def squared_error(output: Any, bias: Any, sums: Any, images: Any, begin: int, pixels: int, squares: Any) -> float:
    """These columns' share of the mean loss over `pixels` in all; column 0 is pixel `begin`.

    `output` becomes its own gradient, and `sums` the bias'.
    """
    rows, columns = output.shape
    live = min(columns, pixels - begin)
    scale = np.float32(2.0 / (rows * pixels))
    strips = live - live % LANES
    for first in range(0, strips, LANES):
        value, pixel = output.ctypes.data + 4 * first, images.ctypes.data + 4 * (begin + first)
        into = bias.ctypes.data + 4 * first, squares.ctypes.data + 4 * first, sums.ctypes.data + 4 * first
        _strip((value, columns, pixel, images.shape[1], *into, rows, pixels))
    sums[strips:] = ZERO
    squares[strips:live] = ZERO
    for row in range(rows):
        values, image = output[row], images[row, begin : begin + live]
        for pixel in range(strips, live):
            difference = values[pixel] + bias[pixel] - image[pixel]
            squares[pixel] += difference * difference
            difference *= scale
            values[pixel] = difference
            sums[pixel] += difference
        values[live:] = ZERO
    total = 0.0
    for pixel in range(live):
        total += squares[pixel]
    return total / (rows * pixels)


@compiled
def sgd_numbers(numbers: Any) -> Any:
    """What `sgd` needs of a run's `OptimizerNumbers` (number,)."""
    ahead, here = (numbers[1], 1.0) if numbers[2] else (1.0, 0.0)
    return np.array([numbers[0], numbers[1], ahead, here, numbers[3]]).astype(np.float32)


@compiled
def sgd(parameter: Any, gradient: Any, buffer: Any, numbers: Any) -> None:
    """A step of `torch.optim.SGD`."""
    rate, momentum, ahead, here, decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(len(parameter)):
        slope = gradient[i] + decay * parameter[i]
        kept = momentum * buffer[i] + slope
        buffer[i] = kept
        parameter[i] -= rate * (ahead * kept + here * slope)


@compiled
def adam_numbers(numbers: Any, steps: int, decoupled: bool) -> Any:
    """What `adam` needs of a run's `OptimizerNumbers` (number,) in step number `steps`, from 1."""
    rate, beta1, beta2, eps, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    step, widen = rate / (1 - beta1**steps), 1 / np.sqrt(1 - beta2**steps)
    shrink, decay = (1 - rate * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    return np.array([beta1, 1 - beta1, beta2, 1 - beta2, step, widen, eps, shrink, decay]).astype(np.float32)


@compiled
def adam(parameter: Any, gradient: Any, first: Any, second: Any, numbers: Any) -> None:
    """A step of `torch.optim.Adam` or `AdamW`."""
    keep1, new1, keep2, new2 = numbers[0], numbers[1], numbers[2], numbers[3]
    step, widen, eps, shrink, decay = numbers[4], numbers[5], numbers[6], numbers[7], numbers[8]
    for i in range(len(parameter)):
        slope = gradient[i] + decay * parameter[i]
        mean = keep1 * first[i] + new1 * slope
        square = keep2 * second[i] + new2 * slope * slope
        first[i], second[i] = mean, square
        parameter[i] = shrink * parameter[i] - step * mean / (np.sqrt(square) * widen + eps)
