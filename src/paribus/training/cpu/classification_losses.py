"""Classification losses: mean loss and number of correct examples of a batch, and the gradient of the mean loss.

`output` (row, unit) is padded float32, one row per example, without the last layer's `bias` (unit,), which the loss
adds. `labels` (row,) are int64 classes. Behind the call `output` is the gradient of the mean loss with respect to
itself, with zeros in padding columns, and `bias_gradient` (unit,) its sum over rows, in their order, in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import exp, log, log1p, sigmoid

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
    loss, correct = 0.0, 0
    for row in range(rows):
        logits, label = output[row], labels[row]
        largest, best, total = logits[0] + bias[0], 0, 0.0
        for column in range(classes):
            logit = logits[column] + bias[column]
            logits[column] = logit
            total += logit
            if logit > largest:
                largest, best = logit, column
        correct += best == label
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
    return loss / rows, correct


@compiled
def weighted_cross_entropy(
    output: Any,
    bias: Any,
    bias_gradient: Any,
    labels: Any,
    smoothing: float,
    classes: int,
    class_weights: Any,
    example_weights: Any,
) -> Any:
    """(weighted mean loss, correct as in `cross_entropy`) with float32 weights by class (class,) and by example (row,).

    The class weights w are those of `torch.nn.functional.cross_entropy(..., weight=w, label_smoothing=s)`. An example
    weight v multiplies its example's loss and its part of the divisor: with all w = 1 the result is the weighted mean
    sum of v loss / sum of v. In the notation of `cross_entropy`, with a = (1 - s) w[y] and u[c] = s / C w[c]:

        loss = sum of v ((a + sum of u[c]) log(sum of e**z[c]) - a z[y] - sum of u[c] z[c]) / sum of v w[y]
        gradient[c] = v ((a + sum of u[c]) p[c] - u[c] - a [c = y]) / sum of v w[y]

    If all weights in a batch are zero, loss and gradient are NaN, as in PyTorch. Sums are ordered as in
    `cross_entropy`; the divisor is summed over rows in their order, in float64.
    """
    rows = len(output)
    bias_gradient[:] = _ZERO
    weight_sum, off_label = 0.0, smoothing / classes
    for c in range(classes):
        weight_sum += class_weights[c]
    loss, divisor, correct = 0.0, 0.0, 0
    for row in range(rows):
        logits, label = output[row], labels[row]
        largest, best = _add_bias(logits, bias, classes)
        correct += best == label
        on_label = (1 - smoothing) * class_weights[label]
        total = 0.0
        if off_label > 0:  # zero times an infinite logit would be NaN
            for column in range(classes):
                total += off_label * class_weights[column] * logits[column]
        log_share = on_label + off_label * weight_sum
        loss += example_weights[row] * (log_share * largest - on_label * logits[label] - total)
        divisor += np.float64(example_weights[row]) * class_weights[label]
        for column in range(classes):
            logits[column] -= largest
    flat = output.reshape(output.size)  # one loop over all rows, as a row is too short for vector instructions
    for i in range(len(flat)):
        flat[i] = exp(flat[i])
    for row in range(rows):
        powers, label, power_sum = output[row], labels[row], _ZERO
        for column in range(classes):
            power_sum += powers[column]
        on_label = (1 - smoothing) * class_weights[label]
        log_share, share = on_label + off_label * weight_sum, example_weights[row] / divisor
        loss += example_weights[row] * log_share * log(np.float64(power_sum))
        of_power, of_weight = np.float32(log_share), np.float32(off_label)
        for column in range(classes):
            target = of_weight * class_weights[column]
            if column == label:
                target += np.float32(on_label)
            powers[column] = (of_power * (powers[column] / power_sum) - target) * np.float32(share)
        powers[classes:] = _ZERO
        for column in range(len(powers)):
            bias_gradient[column] += powers[column]
    return loss / divisor, correct


@compiled
def mixed_cross_entropy(
    output: Any, bias: Any, bias_gradient: Any, labels: Any, others: Any, shares: Any, smoothing: float, classes: int
) -> Any:
    """(mean loss, correct as in `cross_entropy`) of examples with two labels: y with the share v, and y' with the rest.

    In the notation of `cross_entropy`, whose sums are ordered in the same way:

        loss = log(sum of e**z[c]) - (1 - s) (v z[y] + (1 - v) z[y']) - s / C * (sum of z[c])
        gradient[c] = (p[c] - s / C - (1 - s) (v [c = y] + (1 - v) [c = y'])) / rows
    """
    rows = len(output)
    share, off_label, on_label = _ONE / np.float32(rows), np.float32(smoothing / classes), np.float32(1 - smoothing)
    bias_gradient[:] = _ZERO
    loss, correct = 0.0, 0
    for row in range(rows):
        logits, label, own = output[row], labels[row], np.float64(shares[row])
        largest, best = _add_bias(logits, bias, classes)
        correct += best == label
        total = 0.0
        for column in range(classes):
            total += logits[column]
        of_labels = own * logits[label] + (1.0 - own) * logits[others[row]]
        loss += largest - (1 - smoothing) * of_labels - smoothing * total / classes
        for column in range(classes):
            logits[column] -= largest
    flat = output.reshape(output.size)  # one loop over all rows, as a row is too short for vector instructions
    for i in range(len(flat)):
        flat[i] = exp(flat[i])
    for row in range(rows):
        powers, power_sum = output[row], _ZERO
        for column in range(classes):
            power_sum += powers[column]
        loss += log(np.float64(power_sum))
        for column in range(classes):
            powers[column] = powers[column] / power_sum - off_label
        powers[labels[row]] -= on_label * shares[row]
        powers[others[row]] -= on_label * (_ONE - shares[row])
        powers[classes:] = _ZERO
        for column in range(len(powers)):
            powers[column] *= share
            bias_gradient[column] += powers[column]
    return loss / rows, correct


@compiled
def predict_classes(output: Any, bias: Any, classes: int, predicted: Any) -> None:
    """Write the class of each row to `predicted` (row,): the first with the largest logit, and of a single logit, 1 if
    it is above 0. `output` stays as it is, without its bias."""
    for row in range(len(output)):
        logits, best = output[row], 0
        largest = logits[0] + bias[0]
        if classes == 1:
            predicted[row] = largest > _ZERO
            continue
        for column in range(1, classes):
            if logits[column] + bias[column] > largest:
                largest, best = logits[column] + bias[column], column
        predicted[row] = best


@compiled
def _add_bias(logits: Any, bias: Any, classes: int) -> Any:
    """Add the bias of one row; its largest logit, and the first class that has it."""
    largest, best = logits[0] + bias[0], 0
    for column in range(classes):
        logit = logits[column] + bias[column]
        logits[column] = logit
        if logit > largest:
            largest, best = logit, column
    return largest, best


@compiled
def binary_cross_entropy(output: Any, bias: Any, bias_gradient: Any, labels: Any) -> Any:
    """(mean loss, correct) of one logit per row, as `torch.nn.functional.binary_cross_entropy_with_logits`.

    Column 0 of `output` is the logit without its bias, the others are padding; `labels` are 0 or 1. With z the logit
    and y the label:

        loss = (1 - y) z - log(sigmoid(z)),    log(sigmoid(z)) = min(z, 0) - log(1 + e**-|z|)
        gradient = (sigmoid(z) - y) / rows

    A row is a hit if z > 0 for the label 1, or z <= 0 for the label 0. The loss is summed in float64.
    """
    rows = len(output)
    share = _ONE / np.float32(rows)
    bias_gradient[:] = _ZERO
    loss, correct = 0.0, 0
    for row in range(rows):
        values, label = output[row], labels[row]
        z = values[0] + bias[0]
        correct += (z > _ZERO) == (label == 1)
        log_sigmoid = np.float64(_ZERO if z > _ZERO else z) - log1p(np.float64(exp(-abs(z))))
        loss += (1.0 - label) * z - log_sigmoid
        gradient = (sigmoid(z) - np.float32(label)) * share
        values[0], values[1:] = gradient, _ZERO
        bias_gradient[0] += gradient
    return loss / rows, correct
