"""Gradient clipping, of all runs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from paribus.spec.recipe import Clip


def clipping(clips: Sequence[Clip | None], gradients: Tensor) -> Callable[[], object] | None:
    """What clips `gradients` (run, parameter) in place, by each run's own bound; None where nothing is clipped.

    By norm as `torch.nn.utils.clip_grad_norm_`: times bound / (norm + 1e-6) if that is below 1. By value as
    `clip_grad_value_`. Raises ValueError where runs are clipped in different ways.
    """
    norms = [clip.norm for clip in clips if clip is not None and clip.norm is not None]
    values = [clip.value for clip in clips if clip is not None and clip.value is not None]
    if max(len(norms), len(values)) not in (0, len(clips)) or (norms and values):
        raise ValueError("the runs of a session clip gradients in one way")
    if not norms and not values:
        return None
    bounds = torch.tensor(norms or values, device=gradients.device).unsqueeze(1)

    def by_norm() -> None:
        norm = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
        gradients.mul_(torch.div(bounds, norm.add_(1e-6)).clamp_max_(1.0))

    def by_value() -> None:
        gradients.clamp_(-bounds, bounds)

    return by_norm if norms else by_value
