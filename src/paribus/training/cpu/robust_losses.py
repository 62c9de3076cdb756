"""Classification losses that do not trust every label. Arrays and results are those of `classification_losses.py`.

All of them are made of the probabilities p = softmax(z) of a row's logits z = output + bias; y is its label.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import exp, log

LEAST_SHARE: Final = np.float32(1e-4)
"""Early-learning regularisation keeps probabilities so far from 0 and 1."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def softmax(output: Any, bias: Any, labels: Any, classes: int) -> Any:
    """Turn each row into its probabilities, with zeros in padding; (correct, sum of log p[y], sum of log max p).

    The largest logit is subtracted before exp. Logarithms come from logits, so that none is of a probability that is
    rounded to 0; both sums are over rows in their order, in float64.
    """
    correct, of_labels, of_largest = 0, 0.0, 0.0
    for row in range(len(output)):
        logits = output[row]
        largest, best = logits[0] + bias[0], 0
        for column in range(classes):
            logit = logits[column] + bias[column]
            logits[column] = logit
            if logit > largest:
                largest, best = logit, column
        correct += best == labels[row]
        of_labels += np.float64(logits[labels[row]]) - largest
        for column in range(classes):
            logits[column] -= largest
    flat = output.reshape(output.size)  # one loop over all rows, as a row is too short for vector instructions
    for i in range(len(flat)):
        flat[i] = exp(flat[i])
    for row in range(len(output)):
        powers, power_sum = output[row], _ZERO
        for column in range(classes):
            power_sum += powers[column]
        of_largest -= log(np.float64(power_sum))
        for column in range(classes):
            powers[column] /= power_sum
        powers[classes:] = _ZERO
    return correct, of_labels + of_largest, of_largest


@compiled
def generalised_cross_entropy(output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, q: float) -> Any:
    """(mean loss, correct) of (1 - p[y]**q) / q. gradient[c] = p[y]**q (p[c] - [c = y]) / rows."""
    rows = len(output)
    correct, _, _ = softmax(output, bias, labels, classes)
    share, loss = _ONE / np.float32(rows), 0.0
    bias_gradient[:] = _ZERO
    for row in range(rows):
        p, label = output[row], labels[row]
        power = exp(np.float32(q * log(np.float64(p[label])))) if p[label] > _ZERO else p[label]
        loss += (1.0 - power) / q
        _of_label(p, label, power * share, classes, bias_gradient)
    return loss / rows, correct


@compiled
def symmetric_cross_entropy(
    output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, alpha: float, reverse: float
) -> Any:
    """(mean loss, correct) of -alpha log p[y] + reverse (1 - p[y]), where `reverse` is -beta log_zero.

    gradient[c] = (alpha + reverse p[y]) (p[c] - [c = y]) / rows.
    """
    rows = len(output)
    correct, log_p, _ = softmax(output, bias, labels, classes)
    share, loss = _ONE / np.float32(rows), -alpha * log_p
    bias_gradient[:] = _ZERO
    for row in range(rows):
        p, label = output[row], labels[row]
        loss += reverse * (1.0 - p[label])
        weight = np.float32(alpha) + np.float32(reverse) * p[label]
        _of_label(p, label, weight * share, classes, bias_gradient)
    return loss / rows, correct


@compiled
def _of_label(p: Any, label: int, weight: Any, classes: int, bias_gradient: Any) -> None:
    """Turn the probabilities of a row into `weight` times the gradient of cross-entropy; padding stays 0."""
    p[label] -= _ONE
    for column in range(classes):
        p[column] *= weight
        bias_gradient[column] += p[column]


@compiled
def soft_bootstrapping(output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, beta: float) -> Any:
    """(mean loss, correct) of -beta log p[y] + (1 - beta) H with the entropy H = -sum of p[c] log p[c].

    gradient[c] = (beta (p[c] - [c = y]) - (1 - beta) p[c] (log p[c] + H)) / rows. 0 log 0 is 0.
    """
    rows = len(output)
    correct, log_p, _ = softmax(output, bias, labels, classes)
    share, on_label, loss = _ONE / np.float32(rows), np.float32(beta), -beta * log_p
    bias_gradient[:] = _ZERO
    logarithms = np.zeros(classes)
    for row in range(rows):
        p, label, entropy = output[row], labels[row], 0.0
        for column in range(classes):
            logarithms[column] = log(np.float64(p[column])) if p[column] > _ZERO else 0.0
            entropy -= p[column] * logarithms[column]
        loss += (1.0 - beta) * entropy
        for column in range(classes):
            own = p[column] - (_ONE if column == label else _ZERO)
            of_entropy = p[column] * np.float32((1.0 - beta) * (logarithms[column] + entropy))
            p[column] = (on_label * own - of_entropy) * share
        for column in range(len(p)):
            bias_gradient[column] += p[column]
    return loss / rows, correct


@compiled
def hard_bootstrapping(output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, beta: float) -> Any:
    """(mean loss, correct) of -beta log p[y] - (1 - beta) log p[m] with the most probable class m, the first of equals.

    gradient[c] = (p[c] - beta [c = y] - (1 - beta) [c = m]) / rows.
    """
    rows = len(output)
    correct, log_p, log_largest = softmax(output, bias, labels, classes)
    share, on_label, on_best = _ONE / np.float32(rows), np.float32(beta), np.float32(1.0 - beta)
    bias_gradient[:] = _ZERO
    for row in range(rows):
        p, best = output[row], 0
        for column in range(classes):
            if p[column] > p[best]:
                best = column
        p[labels[row]] -= on_label
        p[best] -= on_best
        for column in range(len(p)):
            p[column] *= share
            bias_gradient[column] += p[column]
    return -(beta * log_p + (1.0 - beta) * log_largest) / rows, correct


@compiled
def _kept_within(p: Any) -> Any:
    """A probability, but at least `LEAST_SHARE` and at most 1 less that."""
    return min(max(p, LEAST_SHARE), _ONE - LEAST_SHARE)


@compiled
def early_learning(
    output: Any,
    bias: Any,
    bias_gradient: Any,
    labels: Any,
    classes: int,
    strength: float,
    momentum: float,
    memory: Any,
) -> Any:
    """(mean loss, correct) of -log p[y] + strength log(1 - d) with d = sum of t[c] k[c].

    k[c] is p[c], but at least 0.0001 and at most 0.9999. t is a row of `memory` (row, class), float32, which first
    becomes momentum t + (1 - momentum) k / (sum of k). With a[c] = t[c] p[c] where k[c] is p[c], and 0 elsewhere:

        gradient[c] = (p[c] - [c = y] - strength (a[c] - p[c] sum of a) / (1 - d)) / rows
    """
    rows = len(output)
    correct, log_p, _ = softmax(output, bias, labels, classes)
    share, loss = _ONE / np.float32(rows), -log_p
    bias_gradient[:] = _ZERO
    kept, fresh = np.float32(momentum), np.float32(1.0 - momentum)
    for row in range(rows):
        p, t, label, total = output[row], memory[row], labels[row], _ZERO
        for column in range(classes):
            total += _kept_within(p[column])
        product, pull = 0.0, 0.0
        for column in range(classes):
            k = _kept_within(p[column])
            t[column] = kept * t[column] + fresh * (k / total)
            product += np.float64(t[column]) * k
            pull += np.float64(t[column]) * p[column] * (k == p[column])
        loss += strength * log(1.0 - product)
        factor = strength / (1.0 - product)
        for column in range(classes):
            k = _kept_within(p[column])
            own = np.float64(t[column]) * (k == p[column]) - pull
            p[column] *= np.float32(1.0 - factor * own)
        p[label] -= _ONE
        for column in range(len(p)):
            p[column] *= share
            bias_gradient[column] += p[column]
    return loss / rows, correct


@compiled
def forward_correction(output: Any, bias: Any, bias_gradient: Any, labels: Any, classes: int, chances: Any) -> Any:
    """(mean loss, correct) of -log(sum of p[c] t[c]), the probability of the label as it is given.

    t[c] is the probability that examples of class c are labelled as y; `chances` (given class, true class) are the
    logarithms of these, float32. With r = softmax(z + log t), the probabilities of the true class once the label is
    known, gradient = (p - r) / rows. Correct examples are counted by p. Both softmaxes are of logits less their
    largest, so that no sum of probabilities is rounded to 0.
    """
    rows = len(output)
    share, loss, correct = _ONE / np.float32(rows), 0.0, 0
    bias_gradient[:] = _ZERO
    joint = np.zeros(classes, np.float32)
    for row in range(rows):
        logits, chance = output[row], chances[labels[row]]
        largest, largest_joint, best = logits[0] + bias[0], logits[0] + bias[0] + chance[0], 0
        for column in range(classes):
            logit = logits[column] + bias[column]
            logits[column], joint[column] = logit, logit + chance[column]
            if logit > largest:
                largest, best = logit, column
            if joint[column] > largest_joint:
                largest_joint = joint[column]
        correct += best == labels[row]
        power_sum, joint_sum = _ZERO, _ZERO
        for column in range(classes):
            logits[column] = exp(logits[column] - largest)
            joint[column] = exp(joint[column] - largest_joint)
            power_sum += logits[column]
            joint_sum += joint[column]
        loss += np.float64(largest) - largest_joint + log(np.float64(power_sum)) - log(np.float64(joint_sum))
        for column in range(classes):
            logits[column] = (logits[column] / power_sum - joint[column] / joint_sum) * share
        logits[classes:] = _ZERO
        for column in range(len(logits)):
            bias_gradient[column] += logits[column]
    return loss / rows, correct
