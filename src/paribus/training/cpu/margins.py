"""How far each example of a training step is on the right side: the margin of its class."""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus.training.cpu.compiling import compiled


@compiled
def class_margins(output: Any, bias: Any, labels: Any, outputs: int, margins: Any) -> None:
    """`margins` (row,) take, with z = output + bias (row, output), the z of a row's class less the largest other z.

    `output` (row, at least outputs) comes without bias, as for the loss, and is not changed. A single output z stands
    for class 1, and its margin is z or -z.
    """
    for row in range(len(output)):
        if outputs == 1:
            logit = output[row, 0] + bias[0]
            margins[row] = logit if labels[row] == 1 else -logit
            continue
        label, largest = labels[row], np.float32(-np.inf)
        for column in range(outputs):
            logit = output[row, column] + bias[column]
            if column != label and logit > largest:
                largest = logit
        margins[row] = output[row, label] + bias[label] - largest
