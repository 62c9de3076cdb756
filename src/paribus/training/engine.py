"""What a cohort has to have done, and who does it: compiled loops on a CPU, PyTorch on an accelerator.

A job holds tensors that stay in place. An engine binds a job once; what it returns does it again at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from paribus.training.cpu.zero_skipping import ZeroPattern
from paribus.training.networks import StackedNetwork

Call = Callable[[], object]


@dataclass(frozen=True)
class Goal:
    """What runs minimise, or are measured by: the mean over a batch, as PyTorch's `reduction="mean"`.

    Cross-entropy, with label smoothing by run (run,) float64; or, without classes, the squared error over images and
    pixels.
    """

    has_classes: bool
    smoothing: Tensor


@dataclass(frozen=True)
class OptimizerNumbers:
    """How parameters step: one float64 a run each (number, run), and slots laid out as the parameters are.

    Of "sgd": rate, momentum, Nesterov (0 or 1), weight decay. Of "adam" and "adamw": rate, beta1, beta2, eps, weight
    decay. `taken` (1,) counts steps.
    """

    kind: Literal["sgd", "adam", "adamw"]
    numbers: Tensor
    slots: Sequence[Tensor]
    taken: Tensor


@dataclass(frozen=True)
class Pictures:
    """What streams train on: rows of `pool` (image, pixel) over `divisor`, less their `centers` (stream, pixel).

    Where there are `zeros`, no centre is another.
    """

    pool: Tensor
    divisor: float
    centers: Tensor
    zeros: ZeroPattern | None


@dataclass(frozen=True)
class DropoutNumbers:
    """The share of hidden units that each run drops (run,), and where its stream's draws begin (stream,)."""

    rates: Tensor
    seeds: Tensor


@dataclass(frozen=True)
class TrainingJob:
    """One epoch: every batch of `order` (stream, image), whose `labels` are in that order.

    `losses` (batch, run) takes the mean of each.
    """

    network: StackedNetwork
    streams: Sequence[slice]
    pictures: Pictures
    order: Tensor
    labels: Tensor
    batch_size: int
    goal: Goal
    optimizer: OptimizerNumbers
    dropout: DropoutNumbers | None
    losses: Tensor


@dataclass(frozen=True)
class MeasuringJob:
    """One look at `images` (stream, image, pixel), `rows` of them at a time.

    `losses` (part, run) takes the mean of each part, `correct` (part, run) how many of its images meet their label.
    """

    network: StackedNetwork
    streams: Sequence[slice]
    images: Tensor
    labels: Tensor
    rows: int
    goal: Goal
    losses: Tensor
    correct: Tensor


class Engine(Protocol):
    """Binds jobs."""

    def training(self, job: TrainingJob) -> Call:
        """An epoch of training at every call."""
        ...

    def measuring(self, job: MeasuringJob) -> Call:
        """A measurement at every call."""
        ...


def engine_for(device: torch.device) -> Engine:
    """Who works on a device."""
    if device.type == "cpu":
        from paribus.training import engine_compiled

        return engine_compiled
    from paribus.training import engine_torch

    return engine_torch


def stream_of_runs(streams: Sequence[slice], device: torch.device) -> Tensor:
    """The stream of each run (run,)."""
    return torch.tensor([s for s, runs in enumerate(streams) for _ in range(runs.stop - runs.start)], device=device)
