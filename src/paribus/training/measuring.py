"""Measuring every run of a network on one split: loss and accuracy, without dropout or smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from paribus.training.engine import Goal, MeasuringJob, engine_for
from paribus.training.epoch import Values, exact_sums
from paribus.training.networks import StackedNetwork

EVALUATION_ROWS = 256
"""Images measured at a time: a constant, because sums over an image set are rounded once for each part."""


@dataclass(frozen=True)
class Measured:
    """Loss (run,) and accuracy (run,) on one split; accuracy is NaN for autoencoders."""

    loss: Values
    accuracy: Values


@final
class Measuring:
    """One split for each stream: `inputs` (image, pixel) and `labels` (image,) by stream, or None.

    Where every stream has the same pictures, as a test split, they are held once.
    """

    def __init__(
        self,
        network: StackedNetwork,
        streams: Sequence[slice],
        inputs: Sequence[Tensor],
        labels: Sequence[Tensor] | None,
        goal: Goal,
    ) -> None:
        if all(one is inputs[0] for one in inputs):
            streams, inputs, labels = [slice(0, network.runs)], inputs[:1], None if labels is None else labels[:1]
        self._images = len(inputs[0])
        self._rows = [min(EVALUATION_ROWS, self._images - at) for at in range(0, self._images, EVALUATION_ROWS)]
        device = network.device
        losses = torch.zeros(len(self._rows), network.runs, dtype=torch.float64, device=device)
        self._job = MeasuringJob(
            network=network,
            streams=streams,
            images=_held(inputs, network.widths[0]),
            labels=torch.zeros(len(streams), 0, dtype=torch.int64, device=device)
            if labels is None
            else torch.stack(list(labels)),
            rows=EVALUATION_ROWS,
            goal=goal,
            losses=losses,
            correct=torch.zeros_like(losses, dtype=torch.int64),
        )
        self._measure = engine_for(device).measuring(self._job)

    def run(self) -> Measured:
        """Measure every run as its parameters now are."""
        self._measure()
        weights = torch.tensor(self._rows, device=self._job.losses.device).unsqueeze(1)
        loss = exact_sums(self._job.losses * weights) / self._images
        if not self._job.goal.has_classes:
            return Measured(loss, np.full(len(loss), np.nan))
        return Measured(loss, exact_sums(self._job.correct) / self._images)


def _held(inputs: Sequence[Tensor], width: int) -> Tensor:
    """Each stream's images with whole tiles (stream, image, pixel): a view where one stream's fill them already."""
    images, pixels = inputs[0].shape
    if len(inputs) == 1 and width == pixels:
        return inputs[0].unsqueeze(0)
    held = torch.zeros(len(inputs), images, width, device=inputs[0].device)
    for into, own in zip(held, inputs, strict=True):
        into[:, :pixels] = own
    return held
