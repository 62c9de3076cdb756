"""How far examples are on the right side: the margin of their class."""

from __future__ import annotations

import torch
from torch import Tensor


def class_margins(outputs: Tensor, classes: Tensor) -> Tensor:
    """The output of each example's class less the largest other one, (..., example).

    `outputs` are (..., example, output) without padding, `classes` (..., example) int64. A single output z stands for
    class 1, and its margin is z or -z.
    """
    if outputs.shape[-1] == 1:
        single = outputs[..., 0]
        return torch.where(classes == 1, single, -single)
    own = classes.unsqueeze(-1)
    others = outputs.scatter(-1, own, -torch.inf)
    return outputs.gather(-1, own).squeeze(-1) - others.amax(-1)
