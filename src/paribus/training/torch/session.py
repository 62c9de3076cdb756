"""Runs in training on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor

from paribus.training.engine import Architecture, Doubles, Epoch, Floats, Inputs, Networks, RunSettings, Session, State
from paribus.training.torch import transfer
from paribus.training.torch.batches import Batches
from paribus.training.torch.clipping import clipping
from paribus.training.torch.dropout import Dropout
from paribus.training.torch.graphs import Replayed
from paribus.training.torch.inputs import ScaledInputs, Uploads
from paribus.training.torch.losses import LOSSES
from paribus.training.torch.margins import class_margins
from paribus.training.torch.networks import StackedNetworks
from paribus.training.torch.optimizers import OPTIMIZERS
from paribus.training.torch.parameters import Parameters
from paribus.training.torch.propagation import BackwardPass, ForwardPass
from paribus.training.torch.streams import StreamToRuns
from paribus.training.torch.transfer import Array


@final
class StackedSession(Session):
    """Trains every run of a session, an epoch at a time."""

    def __init__(
        self,
        architecture: Architecture,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool,
        uploads: Uploads,
        device: torch.device,
    ) -> None:
        self._architecture, self._runs, self._batch_size = architecture, runs, batch_size
        self._keeps_margins = keeps_margins
        self._parameters = Parameters(architecture, states, device)
        self._per_run = StreamToRuns(streams, device)
        self._inputs = ScaledInputs(inputs, self._parameters.layout.padded[0], uploads, device)
        self._networks = StackedNetworks(architecture, self._parameters, self._per_run, uploads)
        self._forward = ForwardPass(self._parameters, architecture.activations, training=True)
        self._backward = BackwardPass(self._parameters, self._forward)
        self._clip = clipping([run.clip for run in runs], self._backward.gradients)
        optimizers, values = [run.optimizer for run in runs], self._parameters.values
        buffers = {
            name: self._parameters.stack(states, f"{name}/") if steps else torch.zeros_like(values)
            for name in optimizers[0].buffers
        }
        self._optimizer = OPTIMIZERS[optimizers[0].kind](optimizers, values, self._backward.gradients, buffers)
        self._steps = torch.tensor([steps], device=device)
        self._program: _Program | None = None

    @property
    def networks(self) -> Networks:
        return self._networks

    def state(self, run: int) -> State:
        return self._parameters.state(run, self._optimizer.buffers)

    def margins(self) -> Floats:
        if self._program is None or self._program.margins is None:
            raise ValueError("no margins have been kept")
        return transfer.to_host(self._program.margins)

    def train_epoch(self, epoch: Epoch) -> Doubles:
        arrays = _arrays(epoch, self._parameters.layout.padded)
        if self._program is None or not self._program.fits(arrays):
            self._program = self._bind(arrays)
        self._parameters.tracked = [seen + len(epoch.learning_rates) for seen in self._parameters.tracked]
        losses = self._program(arrays)
        if epoch.memory is not None:
            epoch.memory[:] = transfer.to_host(self._program.held["memory"])
        return losses

    def _bind(self, arrays: Mapping[str, Array]) -> _Program:
        """What trains epochs whose arrays have these shapes."""
        held = {name: transfer.to_device(array, self._parameters.device) for name, array in arrays.items()}
        corrupted = "inputs" in held and "targets" not in held
        order, rates = held["order"], held["learning_rates"].unsqueeze(2)
        momenta = held["momenta"].unsqueeze(2) if "momenta" in held else None
        batches = Batches(order.shape[1], self._batch_size)
        loss = LOSSES[self._runs[0].loss.kind](
            [run.loss for run in self._runs], self._architecture.widths[-1], batches, self._per_run
        )
        dropout = self._dropout(len(batches))
        ahead = torch.arange(1, len(batches) + 1, device=order.device).view(-1, 1, 1)
        losses = torch.zeros(len(batches), len(self._runs), dtype=torch.float64, device=order.device)
        margins = None
        if self._keeps_margins:
            margins = torch.zeros(len(self._runs), order.shape[1], device=order.device)

        def train() -> None:
            self._optimizer.begin(rates, momenta, self._steps + ahead)
            self._steps.add_(len(batches))
            loss.begin(held)
            if dropout is not None:
                dropout.begin(held["dropout_keys"])
            for batch, rows in enumerate(batches):
                inputs = self._per_run(self._seen(held, rows))
                masks = None if dropout is None else dropout.masks(batch, rows.stop - rows.start)
                outputs = self._forward(inputs, masks)
                if margins is not None:
                    classes = self._per_run(held["targets"][:, rows])
                    margins[:, rows] = class_margins(outputs[:, :, : self._architecture.widths[-1]], classes)
                clean = self._per_run(self._inputs(order[:, rows])) if corrupted else inputs
                if "kept_share" in held:
                    loss.choose(batch, rows, outputs, held["kept_share"])
                self._backward(loss.gradient(rows, outputs, clean), masks)
                if self._clip is not None:
                    self._clip()
                self._optimizer.step(batch)
            losses.copy_(loss.means())

        return _Program(held, Replayed(train, order.device), losses, margins)

    def _seen(self, held: Mapping[str, Tensor], rows: slice) -> Tensor:
        """What the networks of each stream see: the epoch's own inputs, or else the session's."""
        own = held.get("inputs")
        return self._inputs(held["order"][:, rows]) if own is None else self._inputs.of_epoch(own[:, rows])

    def _dropout(self, batches: int) -> Dropout | None:
        shares = [run.dropout for run in self._runs]
        if not any(shares) or not self._architecture.activations:
            return None
        return Dropout(shares, self._architecture, self._per_run, self._batch_size, batches)


@dataclass(frozen=True)
class _Program:
    """An epoch's training, bound to `held`: tensors that stay in place, into which each epoch's arrays are copied."""

    held: Mapping[str, Tensor]
    train: Replayed
    losses: Tensor
    margins: Tensor | None

    def fits(self, arrays: Mapping[str, Array]) -> bool:
        return {name: (tuple(tensor.shape), tensor.element_size()) for name, tensor in self.held.items()} == {
            name: (array.shape, array.itemsize) for name, array in arrays.items()
        }

    def __call__(self, arrays: Mapping[str, Array]) -> Doubles:
        for name, tensor in self.held.items():
            tensor.copy_(transfer.to_device(arrays[name], tensor.device))
        self.train()
        return transfer.to_host(self.losses)


def _arrays(epoch: Epoch, widths: Sequence[int]) -> dict[str, Array]:
    """The arrays that an epoch has, by name, with inputs and numbers to be predicted padded to these widths."""
    named = {field.name: getattr(epoch, field.name) for field in fields(epoch) if field.name != "mixed"}
    if epoch.mixed is not None:
        named |= {"others": epoch.mixed.targets, "shares": epoch.mixed.shares}
    if epoch.targets is not None and epoch.targets.ndim == 3:
        named["targets"] = transfer.padded(epoch.targets, widths[-1])
    if epoch.inputs is not None:
        named["inputs"] = transfer.padded(epoch.inputs, widths[0])
    return {name: array for name, array in named.items() if array is not None}
