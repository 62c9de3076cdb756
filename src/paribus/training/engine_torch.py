"""Training and measuring on an accelerator: every run at once, in PyTorch operations that never wait for the device.

Activations are (run, row, unit). What changes from batch to batch is a constant of its batch or lies in a tensor, so
that an epoch can be captured once and replayed as one launch (`replay`). It runs on a CPU as well, for comparison.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from paribus.training.engine import (
    Call,
    DropoutNumbers,
    Goal,
    MeasuringJob,
    OptimizerNumbers,
    TrainingJob,
    stream_of_runs,
)
from paribus.training.networks import StackedNetwork
from paribus.training.replay import Replayed


def training(job: TrainingJob) -> Call:
    """See `Engine.training`."""
    network, pictures = job.network, job.pictures
    at = _Pass(network)
    step = _stepping(network, job.optimizer, at.gradients)
    stream_of = stream_of_runs(job.streams, network.device)
    images = job.order.shape[1]
    drop = None if job.dropout is None else _Dropping(job.dropout, stream_of)

    def epoch() -> None:
        if drop is not None:
            drop.begin()
        for batch, start in enumerate(range(0, images, job.batch_size)):
            order = job.order[:, start : start + job.batch_size]
            picked = pictures.pool[order].to(torch.float32) / pictures.divisor - pictures.centers.unsqueeze(1)
            inputs = _padded(picked, network.widths[0])[stream_of]
            output = at.forward(inputs, drop)
            labels = job.labels[stream_of, start : start + job.batch_size]
            loss, gradient, _ = _judged(network, job.goal, output, labels, inputs)
            job.losses[batch] = loss
            at.backward(gradient)
            step()

    # a generator's numbers would be the same at every replay of a captured graph
    return epoch if drop is not None else Replayed(epoch, network.device)


def measuring(job: MeasuringJob) -> Call:
    """See `Engine.measuring`."""
    network = job.network
    at = _Pass(network)
    stream_of = stream_of_runs(job.streams, network.device)

    def measure() -> None:
        for part, start in enumerate(range(0, job.images.shape[1], job.rows)):
            inputs = job.images[stream_of, start : start + job.rows]
            labels = job.labels[stream_of, start : start + job.rows]
            loss, _, hits = _judged(network, job.goal, at.forward(inputs), labels, inputs)
            job.losses[part], job.correct[part] = loss, hits

    return Replayed(measure, network.device)


class _Pass:
    """A way through a network and back. `gradients` are laid out as `StackedNetwork.views` are."""

    def __init__(self, network: StackedNetwork) -> None:
        held = network.views(network.parameters)
        self.gradients = [torch.zeros_like(parameter) for parameter in held]
        self._biases = [bias.unsqueeze(1) for bias in held[1::2]]
        in_first = [a >= b for a, b in zip(network.widths, network.widths[1:], strict=False)]
        self._weights = [w if first else w.transpose(1, 2) for w, first in zip(held[0::2], in_first, strict=True)]
        self._weight_gradients = [
            g if first else g.transpose(1, 2) for g, first in zip(self.gradients[0::2], in_first, strict=True)
        ]

    def forward(self, inputs: Tensor, drop: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """From images to the last layer's output; `drop` gives what multiplies a hidden layer."""
        self._values, self._slopes = [inputs], []
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            values = torch.baddbmm(bias, self._values[-1], weight)
            if i < len(self._weights) - 1:
                values.clamp_min_(0.0)
                slopes = (values > 0).to(values.dtype)
                if drop is not None:
                    kept = drop(values)
                    values, slopes = values * kept, slopes * kept
                self._slopes.append(slopes)
            self._values.append(values)
        return self._values[-1]

    def backward(self, gradient: Tensor) -> None:
        """From the output's gradient to every parameter's."""
        for i in range(len(self._weights) - 1, -1, -1):
            self._weight_gradients[i].copy_(torch.bmm(self._values[i].transpose(1, 2), gradient))
            self.gradients[2 * i + 1].copy_(gradient.sum(1))
            if i:
                gradient = torch.bmm(gradient, self._weights[i].transpose(1, 2)).mul_(self._slopes[i - 1])


class _Dropping:
    """What multiplies a hidden layer: one draw a stream, of which each run keeps its own share."""

    def __init__(self, numbers: DropoutNumbers, stream_of: Tensor) -> None:
        self._seeds, self._stream_of = numbers.seeds, stream_of
        self._rates = numbers.rates.view(-1, 1, 1)
        self._generators = [torch.Generator(stream_of.device) for _ in numbers.seeds]

    def begin(self) -> None:
        """Start every stream's draws anew."""
        for generator, seed in zip(self._generators, self._seeds.tolist(), strict=True):
            generator.manual_seed(seed)

    def __call__(self, values: Tensor) -> Tensor:
        drawn = [torch.rand(values.shape[1:], generator=one, device=values.device) for one in self._generators]
        return (torch.stack(drawn)[self._stream_of] >= self._rates) / (1 - self._rates)


def _judged(
    network: StackedNetwork, goal: Goal, output: Tensor, labels: Tensor, inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor | int]:
    """(mean loss (run,), its gradient in whole tiles, images put into their class (run,))."""
    columns, rows = network.layers[-1], output.shape[1]
    live = output[:, :, :columns]
    if not goal.has_classes:
        difference = live - inputs[:, :, :columns]
        loss = difference.double().square().mean((1, 2))
        return loss, _padded(difference * (2 / (rows * columns)), output.shape[2]), 0
    smooth, label = goal.smoothing.view(-1, 1, 1), labels.unsqueeze(2)
    log_p = torch.log_softmax(live, 2)
    loss = -((1 - smooth) * log_p.gather(2, label) + smooth * log_p.mean(2, keepdim=True)).mean((1, 2))
    target = (smooth / columns).float().expand(live.shape).clone()
    target.scatter_add_(2, label, (1 - smooth).float().expand(label.shape))
    hits = (live.max(2).indices == labels).sum(1)
    return loss, _padded((log_p.exp() - target) / rows, output.shape[2]), hits


def _padded(values: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def _stepping(network: StackedNetwork, of: OptimizerNumbers, gradients: list[Tensor]) -> Call:
    """One step of every run."""
    views = [network.views(flat) for flat in (network.parameters, *of.slots)]
    update = _sgd if of.kind == "sgd" else _adam

    def step() -> None:
        of.taken.add_(1)
        for parameter, *slots, gradient in zip(*views, gradients, strict=True):
            shape = (-1, *[1] * (parameter.dim() - 1))
            update(parameter, gradient, slots, [number.view(shape) for number in of.numbers], of)

    return step


def _sgd(p: Tensor, g: Tensor, slots: list[Tensor], numbers: list[Tensor], _of: OptimizerNumbers) -> None:
    rate, momentum, nesterov, decay = (number.float() for number in numbers)
    slope = g + decay * p
    kept = slots[0].mul_(momentum).add_(slope)
    p.sub_(rate * torch.where(nesterov > 0, slope + momentum * kept, kept))


def _adam(p: Tensor, g: Tensor, slots: list[Tensor], numbers: list[Tensor], of: OptimizerNumbers) -> None:
    rate, beta1, beta2, eps, decay = numbers
    (mean, square), steps = slots, of.taken
    if of.kind == "adamw":
        p.mul_((1 - rate * decay).float())
        slope = g
    else:
        slope = g + decay.float() * p
    mean.mul_(beta1.float()).add_((1 - beta1).float() * slope)
    square.mul_(beta2.float()).add_((1 - beta2).float() * slope * slope)
    root = square.sqrt().mul_((1 - beta2**steps).rsqrt().float()).add_(eps.float())
    p.sub_((rate / (1 - beta1**steps)).float() * mean / root)
