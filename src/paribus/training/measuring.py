"""Measuring every run of a network on one split: loss and accuracy, without dropout or smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from paribus.training.epoch import Values, exact_sums
from paribus.training.losses import StackedLoss
from paribus.training.networks import Pass, StackedNetwork
from paribus.training.replay import Replayed

EVALUATION_ROWS = 256
"""Images measured at a time: a constant, because a product's bits may depend on its number of rows."""


@dataclass(frozen=True)
class Measured:
    """Loss (run,) and accuracy (run,) on one split; accuracy is NaN for autoencoders."""

    loss: Values
    accuracy: Values


@final
class Measuring:
    """One split for each stream: `inputs` (image, pixel) by stream, and labels (run, 1, image) or None.

    Where every stream has the same pictures, as a test split, all runs share one wide product.
    """

    def __init__(
        self,
        network: StackedNetwork,
        streams: Sequence[slice],
        inputs: Sequence[Tensor],
        labels: Tensor | None,
        loss: StackedLoss,
    ) -> None:
        if all(one is inputs[0] for one in inputs):
            streams, inputs = [slice(0, network.runs)], inputs[:1]
        self._inputs, self._labels, self._loss = inputs, labels, loss
        self._images = len(inputs[0])
        starts = range(0, self._images, EVALUATION_ROWS)
        self._chunks = [slice(start, min(start + EVALUATION_ROWS, self._images)) for start in starts]
        self._passes = {
            rows: Pass(network, streams, rows, backward=False)
            for rows in {chunk.stop - chunk.start for chunk in self._chunks}
        }
        self._losses = torch.zeros(len(self._chunks), network.runs, device=network.device)
        self._correct = torch.zeros(len(self._chunks), network.runs, dtype=torch.int64, device=network.device)
        self._measure = Replayed(self._steps, network.device)

    def run(self) -> Measured:
        """Measure every run as its parameters now are."""
        self._measure()
        loss = exact_sums(self._losses) / self._images
        if self._labels is None:
            return Measured(loss, np.full(len(loss), np.nan))
        return Measured(loss, exact_sums(self._correct) / self._images)

    def _steps(self) -> None:
        for part, chunk in enumerate(self._chunks):
            rows = chunk.stop - chunk.start
            at = self._passes[rows]
            for s, inputs in enumerate(self._inputs):
                at.inputs[s].copy_(inputs[chunk])
            at.forward()
            if self._labels is not None:
                at.labels = self._labels[:, :, chunk]
                self._correct[part] = at.correct()
            self._losses[part] = self._loss.value(at) * rows
