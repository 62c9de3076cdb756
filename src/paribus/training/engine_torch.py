"""Training and measuring on an accelerator: every run at once, in PyTorch operations that never wait for the device.

Activations are (run, row, unit). What changes from batch to batch is a constant of its batch or lies in a tensor, so
that an epoch can be captured once and replayed as one launch (`replay`). It runs on a CPU as well, for comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from paribus.training.engine import Call, MeasuringJob, TrainingJob, stream_of_runs
from paribus.training.kernels_torch import Adam, CrossEntropy, Dropping, Picking, Sgd, SquaredError, spans
from paribus.training.networks import StackedNetwork
from paribus.training.replay import Replayed

AT_ONCE = 2**26
"""Floats of the widest layer that are measured in one go."""


def training(job: TrainingJob) -> Call:
    """See `Engine.training`."""
    network, images = job.network, job.order.shape[1]
    of_runs = _of_runs(job.streams, network)
    at = _Pass(network)
    pick = Picking(job.pictures, network.widths[0])
    loss = (CrossEntropy if job.goal.has_classes else SquaredError)(network, job.goal, images, job.batch_size)
    optimizer = (Sgd if job.optimizer.kind == "sgd" else Adam)(network, job.optimizer, at.gradients, len(job.losses))
    drop = None if job.dropout is None else Dropping(job.dropout, network, job.batch_size, len(job.losses))

    def epoch() -> None:
        labels = of_runs(job.labels)
        optimizer.begin()
        if drop is not None:
            drop.begin()
        for batch, span in enumerate(spans(images, job.batch_size)):
            inputs = of_runs(pick(job.order[:, span.rows]))
            kept = None if drop is None else drop.kept(batch, len(span), of_runs)
            output = at.forward(inputs, kept)
            at.backward(loss.gradient(output, inputs, labels[:, span.rows], span), drop and drop.scale)
            optimizer.step(batch)
        loss.tell(job.losses)

    return Replayed(epoch, network.device)


def measuring(job: MeasuringJob) -> Call:
    """See `Engine.measuring`."""
    network, images = job.network, job.images.shape[1]
    of_runs = _of_runs(job.streams, network)
    at = _Pass(network)
    loss = (CrossEntropy if job.goal.has_classes else SquaredError)(network, job.goal, images, job.rows)
    at_once = max(1, AT_ONCE // (network.runs * job.rows * max(network.widths)))

    def measure() -> None:
        labels = of_runs(job.labels)
        for span in spans(images, job.rows, at_once):
            inputs = of_runs(job.images[:, span.rows])
            loss.measure(at.forward(inputs), inputs, labels[:, span.rows], span)
        loss.tell(job.losses, job.correct)

    return Replayed(measure, network.device)


def _of_runs(streams: Sequence[slice], network: StackedNetwork) -> Callable[[Tensor], Tensor]:
    """From (stream, ...) to (run, ...), copying only where some runs share a stream and others do not."""
    if len(streams) == network.runs:
        return lambda values: values
    if len(streams) == 1:
        return lambda values: values.expand(network.runs, *values.shape[1:])
    stream_of = stream_of_runs(streams, network.device)
    return lambda values: values.index_select(0, stream_of)


class _Pass:
    """A way through a network and back. `gradients` (run, parameter) are laid out as the parameters are."""

    def __init__(self, network: StackedNetwork) -> None:
        self.gradients = torch.zeros_like(network.parameters)
        held, gradients = network.layout.views(network.parameters), network.layout.views(self.gradients)
        self._outputs_first = [a < b for a, b in zip(network.widths, network.widths[1:], strict=False)]
        self._weights = [
            weight.transpose(1, 2) if turned else weight
            for weight, turned in zip(held[0::2], self._outputs_first, strict=True)
        ]
        self._biases = [bias.unsqueeze(1) for bias in held[1::2]]
        self._weight_gradients, self._bias_gradients = gradients[0::2], gradients[1::2]

    def forward(self, inputs: Tensor, kept: Sequence[Tensor] | None = None) -> Tensor:
        """From images to the last layer's output; `kept` is what multiplies each hidden layer."""
        self._values = [inputs]
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            values = torch.baddbmm(bias, self._values[-1], weight)
            if i < len(self._weights) - 1:
                values.clamp_min_(0.0)
                if kept is not None:
                    values.mul_(kept[i])
            self._values.append(values)
        return self._values[-1]

    def backward(self, gradient: Tensor, scale: Tensor | None) -> None:
        """From the output's gradient to every parameter's; `scale` (run, 1, 1) is what dropout multiplied units by."""
        for i in range(len(self._weights) - 1, -1, -1):
            below = self._values[i]
            left, right = (gradient, below) if self._outputs_first[i] else (below, gradient)
            torch.bmm(left.transpose(1, 2), right, out=self._weight_gradients[i])
            torch.sum(gradient, 1, out=self._bias_gradients[i])
            if i:
                behind = torch.bmm(gradient, self._weights[i].transpose(1, 2))
                gradient = torch.ops.aten.threshold_backward(behind, below, 0)
                if scale is not None:
                    gradient.mul_(scale)
