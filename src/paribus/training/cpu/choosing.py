"""Which examples of a batch a run chooses for the other of its pair (co-teaching)."""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.elementary import exp, log

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def choose(output: Any, bias: Any, labels: Any, smoothing: float, classes: int, kept_share: float, chosen: Any) -> None:
    """Set `chosen` (row,) to 1 for the share `kept_share` of rows, those with the smallest losses, and to 0 elsewhere.

    Losses are those of `cross_entropy`, in float64. They are sorted by a stable algorithm, so of equal ones the first
    count, on every processor. The number of rows is rounded down, and at least 1. `output` (row, unit) is used up.
    """
    rows = len(output)
    losses = np.zeros(rows)
    for row in range(rows):
        logits, total, power_sum = output[row], 0.0, _ZERO
        largest = logits[0] + bias[0]
        for column in range(classes):
            logits[column] += bias[column]
            total += logits[column]
            largest = max(largest, logits[column])
        for column in range(classes):
            power_sum += exp(logits[column] - largest)
        of_label = (1 - smoothing) * logits[labels[row]] + smoothing * total / classes
        losses[row] = largest - of_label + log(np.float64(power_sum))
    chosen[:] = _ZERO
    for row in np.argsort(losses, kind="mergesort")[: max(1, int(kept_share * rows))]:
        chosen[row] = _ONE
