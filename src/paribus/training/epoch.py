"""One epoch of training: every batch of every stream, on tensors that stay in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus.training.losses import StackedLoss
from paribus.training.networks import Pass, StackedNetwork
from paribus.training.optimizers import StackedOptimizer
from paribus.training.replay import Replayed
from paribus.training.streams import Dropout, StreamData, labels_by_run

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
        loss: StackedLoss,
        optimizer: StackedOptimizer,
        dropout: Dropout | None,
    ) -> None:
        self._streams, self._data = streams, data
        self._loss, self._optimizer, self._dropout = loss, optimizer, dropout
        images = len(data[0].indices)
        starts = range(0, images, batch_size)
        self._batches = [slice(start, min(start + batch_size, images)) for start in starts]
        self._passes = {
            rows: Pass(network, streams, rows, backward=True, dropout=dropout is not None)
            for rows in {batch.stop - batch.start for batch in self._batches}
        }
        self._rows = torch.zeros(len(streams), images, dtype=torch.int64, device=network.device)
        self._labels = torch.zeros(network.runs, 1, images, dtype=torch.int64, device=network.device)
        self._losses = torch.zeros(self.steps, network.runs, device=network.device)
        self._one_pool = all(part.inputs is data[0].inputs for part in data)
        # a generator's numbers would be the same at every replay of a captured graph
        self._train = Replayed(self._steps, network.device) if dropout is None else self._steps

    @property
    def steps(self) -> int:
        return len(self._batches)

    @property
    def images(self) -> int:
        return self._rows.shape[1]

    def run(self, epoch: int, rates: Sequence[float]) -> Values:
        """Train epoch number `epoch` (from 0) at one learning rate a run; the mean of its batch losses (run,)."""
        self._optimizer.set_rates(rates)
        orders = [data.order(epoch) for data in self._data]
        torch.stack([data.indices[order] for data, order in zip(self._data, orders, strict=True)], out=self._rows)
        labels = [None if d.labels is None else d.labels[order] for d, order in zip(self._data, orders, strict=True)]
        ordered = labels_by_run(labels, self._streams)
        if ordered is not None:
            self._labels.copy_(ordered)
        if self._dropout is not None:
            self._dropout.begin_epoch(epoch)
        self._train()
        return exact_sums(self._losses) / self.steps

    def _steps(self) -> None:
        for step, batch in enumerate(self._batches):
            at = self._passes[batch.stop - batch.start]
            self._fill(at.inputs, self._rows[:, batch])
            at.labels = self._labels[:, :, batch]
            if self._dropout is not None:
                self._dropout.draw(at.masks)
            at.forward()
            self._losses[step] = self._loss.value(at)
            self._loss.gradient(at)
            at.backward()
            self._optimizer.step()

    def _fill(self, inputs: Tensor, rows: Tensor) -> None:
        """Copy `rows` (stream, row) of each stream's pictures into `inputs` (stream, row, pixel)."""
        if not inputs.is_contiguous():  # a view of a buffer whose tiles are filled up
            for s, data in enumerate(self._data):
                inputs[s].copy_(data.inputs[rows[s]])
        elif self._one_pool:
            torch.index_select(self._data[0].inputs, 0, rows.reshape(-1), out=inputs.view(-1, inputs.shape[2]))
        else:
            for s, data in enumerate(self._data):
                torch.index_select(data.inputs, 0, rows[s], out=inputs[s])


def exact_sums(parts: Tensor) -> Values:
    """Sums over the first axis of (part, run), each rounded once, so that no order of adding can show."""
    return np.array([math.fsum(column) for column in parts.cpu().double().t().tolist()])
