"""One epoch of training: every batch of every stream, on tensors that stay in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus.training.engine import Goal, Pictures, TrainingJob, engine_for
from paribus.training.networks import StackedNetwork
from paribus.training.optimizers import StackedOptimizer
from paribus.training.streams import Dropout, StreamData

Values = npt.NDArray[np.float64]


@final
class TrainingEpoch:
    """Trains every run of a network for an epoch at a time."""

    def __init__(
        self,
        network: StackedNetwork,
        streams: Sequence[slice],
        data: Sequence[StreamData],
        *,
        batch_size: int,
        goal: Goal,
        optimizer: StackedOptimizer,
        dropout: Dropout | None,
    ) -> None:
        self._data, self._optimizer, self._dropout = data, optimizer, dropout
        self.images = len(data[0].indices)
        self.steps = -(-self.images // batch_size)
        self._indices = torch.stack([own.indices for own in data])
        labels = [own.labels for own in data if own.labels is not None]
        self._labels = torch.stack(labels) if labels else None
        order = torch.zeros_like(self._indices)
        self._job = TrainingJob(
            network=network,
            streams=streams,
            pictures=Pictures(data[0].pool, data[0].divisor, torch.stack([own.center for own in data]), data[0].zeros),
            order=order,
            labels=torch.zeros_like(order),
            batch_size=batch_size,
            goal=goal,
            optimizer=optimizer.numbers,
            dropout=None if dropout is None else dropout.numbers,
            losses=torch.zeros(self.steps, network.runs, dtype=torch.float64, device=network.device),
        )
        self._train = engine_for(network.device).training(self._job)
        self._drawn: dict[int, Tensor] = {}

    def run(self, epoch: int, rates: Sequence[float]) -> Values:
        """Train epoch number `epoch` (from 0) at one learning rate a run; the mean of its batch losses (run,)."""
        self._optimizer.set_rates(rates)
        order = self._drawn.pop(epoch, None)
        order = (self._order(epoch) if order is None else order).to(self._indices.device)
        torch.gather(self._indices, 1, order, out=self._job.order)
        if self._labels is not None:
            torch.gather(self._labels, 1, order, out=self._job.labels)
        if self._dropout is not None:
            self._dropout.begin_epoch(epoch)
        self._train()
        self._drawn = {epoch + 1: self._order(epoch + 1)}  # while an accelerator is at work
        return exact_sums(self._job.losses) / self.steps

    def _order(self, epoch: int) -> Tensor:
        return torch.stack([data.order(epoch) for data in self._data])


def exact_sums(parts: Tensor) -> Values:
    """Sums over the first axis of (part, run), each rounded once, so that no order of adding can show."""
    return np.array([math.fsum(column) for column in parts.cpu().double().t().tolist()])
