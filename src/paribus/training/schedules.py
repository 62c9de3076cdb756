"""Learning rates of one run, epoch by epoch, with the values of `torch.optim.lr_scheduler`.

PyTorch's schedulers are recurrences: each rate is made from the one before, so a rounding error stays in all later
rates. They are repeated here operation by operation in float64, so that the rates are PyTorch's to the last bit: a
power of gamma is a product of factors here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, assert_never, final

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from paribus.spec.recipe import Recipe
from paribus.spec.rules import has_settled
from paribus.spec.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Settle,
    Step,
)

Doubles = npt.NDArray[np.float64]
PLATEAU_EPS = 1e-8
"""A plateau changes the rate only by more than this, as PyTorch's `eps`."""


@dataclass(frozen=True)
class EpochRates:
    """Learning rates (batch,) of one epoch, and momenta (batch,) where the schedule cycles them."""

    learning_rates: Doubles
    momenta: Doubles | None = None


class RunSchedule(ABC):
    """The learning rates of one run."""

    @abstractmethod
    def rates(self, epoch: int, batches: int) -> EpochRates:
        """Rates of the epoch that follows `epoch` finished ones, of `batches` training steps."""

    def observe(self, metrics: Mapping[str, float]) -> None:  # noqa: B027 - most schedules look at no metric
        """Take note of a finished epoch."""

    def state(self) -> dict[str, Any]:
        """Plain values from which `restore` resumes."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - as above
        """Resume from `state`."""


class _ByEpoch(RunSchedule):
    """One rate for each epoch."""

    @abstractmethod
    def rate(self, epoch: int) -> float: ...

    @override
    def rates(self, epoch: int, batches: int) -> EpochRates:
        return EpochRates(np.full(batches, self.rate(epoch)))


@final
class KnownInAdvance(_ByEpoch):
    """Rates that do not depend on the course of training."""

    def __init__(self, values: tuple[float, ...]) -> None:
        self._values = values

    @override
    def rate(self, epoch: int) -> float:
        return self._values[epoch]


@final
class OneCycleRates(RunSchedule):
    """`OneCycleLR`: rates and momenta of each training step."""

    def __init__(self, spec: OneCycle, lr: float, epochs: int) -> None:
        self._spec, self._lr, self._epochs = spec, lr, epochs

    @override
    def rates(self, epoch: int, batches: int) -> EpochRates:
        total, first = self._epochs * batches, epoch * batches
        steps = [self._at(step, total) for step in range(first, first + batches)]
        rates, momenta = (np.array(column) for column in zip(*steps, strict=True))
        return EpochRates(rates, momenta if self._spec.cycle_momentum else None)

    def _at(self, step: int, total: int) -> tuple[float, float]:
        """Learning rate and momentum of one step: annealed within the phase that the step lies in."""
        begin = 0.0
        phases = self._phases(total)
        for i, phase in enumerate(phases):
            if step <= phase.end or i == len(phases) - 1:
                share = (step - begin) / ((phase.end - begin) or 1.0)
                return self._annealed(*phase.lr, share), self._annealed(*phase.momentum, share)
            begin = phase.end
        raise AssertionError("a step lies in one of the phases")

    def _phases(self, total: int) -> tuple[_Phase, ...]:
        spec = self._spec
        low = self._lr / spec.div_factor
        least = low / spec.final_div_factor
        up, down = (spec.max_momentum, spec.base_momentum), (spec.base_momentum, spec.max_momentum)
        rise = _Phase(float(spec.pct_start * total) - 1, (low, self._lr), up)
        if not spec.three_phase:
            return rise, _Phase(total - 1, (self._lr, least), down)
        fall = _Phase(float(2 * spec.pct_start * total) - 2, (self._lr, low), down)
        return rise, fall, _Phase(total - 1, (low, least), (spec.max_momentum, spec.max_momentum))

    def _annealed(self, begin: float, end: float, share: float) -> float:
        if self._spec.anneal_strategy == "linear":
            return (end - begin) * share + begin
        return end + (begin - end) / 2.0 * (math.cos(math.pi * share) + 1)


@dataclass(frozen=True)
class _Phase:
    """A part of a cycle, up to step `end`: from the first to the second learning rate, and momentum."""

    end: float
    lr: tuple[float, float]
    momentum: tuple[float, float]


@final
class Plateau(_ByEpoch):
    """`ReduceLROnPlateau`, by one metric of one run."""

    def __init__(self, spec: ReduceOnPlateau, lr: float) -> None:
        self._spec, self._lr = spec, lr
        self._rising = spec.metric.endswith("accuracy")
        self._best = -math.inf if self._rising else math.inf
        self._bad_epochs = self._cooldown = 0

    @override
    def rate(self, epoch: int) -> float:
        return self._lr

    @override
    def observe(self, metrics: Mapping[str, float]) -> None:
        value = metrics[self._spec.metric]
        if self._is_better(value):
            self._best, self._bad_epochs = value, 0
        else:
            self._bad_epochs += 1
        if self._cooldown > 0:
            self._cooldown -= 1
            self._bad_epochs = 0
        if self._bad_epochs > self._spec.patience:
            lower = max(self._lr * self._spec.factor, self._spec.min_lr)
            if self._lr - lower > PLATEAU_EPS:
                self._lr = lower
            self._cooldown, self._bad_epochs = self._spec.cooldown, 0

    def _is_better(self, value: float) -> bool:
        if self._rising:
            return value > self._best * (self._spec.threshold + 1.0)
        return value < self._best * (1.0 - self._spec.threshold)

    @override
    def state(self) -> dict[str, Any]:
        # hexadecimal, because `best` begins at infinity, which JSON does not have
        return {"lr": self._lr, "best": self._best.hex(), "bad": self._bad_epochs, "cooldown": self._cooldown}

    @override
    def restore(self, state: Mapping[str, Any]) -> None:
        self._lr, self._best = state["lr"], float.fromhex(state["best"])
        self._bad_epochs, self._cooldown = int(state["bad"]), int(state["cooldown"])


@final
class SettleOnce(_ByEpoch):
    """Times `gamma` from the epoch after the training loss has settled (`paribus.spec.rules.has_settled`)."""

    def __init__(self, spec: Settle, lr: float) -> None:
        self._spec = spec
        self._lr = lr
        self._recent: list[float] = []
        self._settled = False

    @override
    def rate(self, epoch: int) -> float:
        return self._lr * self._spec.gamma if self._settled else self._lr

    @override
    def observe(self, metrics: Mapping[str, float]) -> None:
        length = 2 * self._spec.window
        self._recent = [*self._recent, metrics["train_loss"]][-length:]
        if len(self._recent) == length and has_settled(self._recent, self._spec.threshold):
            self._settled = True

    @override
    def state(self) -> dict[str, Any]:
        return {"recent": [value.hex() for value in self._recent], "settled": self._settled}

    @override
    def restore(self, state: Mapping[str, Any]) -> None:
        self._recent = [float.fromhex(value) for value in state["recent"]]
        self._settled = bool(state["settled"])


def schedule_of(recipe: Recipe) -> RunSchedule:
    """The schedule of one run."""
    lr, schedule, epochs = recipe.optimizer.lr, recipe.schedule, recipe.training.epochs
    if isinstance(schedule, ReduceOnPlateau):
        return Plateau(schedule, lr)
    if isinstance(schedule, Settle):
        return SettleOnce(schedule, lr)
    if isinstance(schedule, OneCycle):
        return OneCycleRates(schedule, lr, epochs)
    return KnownInAdvance(tuple(islice(_known_rates(schedule, lr, epochs), epochs)))


def _known_rates(
    schedule: Constant | Step | MultiStep | Exponential | Cosine | CosineRestarts, lr: float, epochs: int
) -> Iterator[float]:
    """The rate of each epoch, from the first on."""
    match schedule:
        case Constant():
            return _multiplied(lr, lambda _: 1.0)
        case Step():
            return _multiplied(lr, lambda epoch: schedule.gamma if epoch % schedule.step_size == 0 else 1.0)
        case MultiStep():
            return _multiplied(lr, lambda epoch: schedule.gamma if epoch in schedule.milestones else 1.0)
        case Exponential():
            return _multiplied(lr, lambda _: schedule.gamma)
        case Cosine():
            return _warm_cosine(schedule, lr, epochs)
        case CosineRestarts():
            return _cosine_restarts(schedule, lr)
        case _:
            assert_never(schedule)


def _multiplied(lr: float, factor: Any) -> Iterator[float]:
    epoch = 0
    while True:
        yield lr
        epoch += 1
        lr *= factor(epoch)


def _warm_cosine(schedule: Cosine, lr: float, epochs: int) -> Iterator[float]:
    """`LinearLR` for the warm-up, then `CosineAnnealingLR` from `lr` on, as `SequentialLR` joins them."""
    warmup, start = schedule.warmup_epochs, schedule.warmup_start
    rate = lr * start
    for epoch in range(1, warmup + 1):
        yield rate
        rate *= 1.0 + (1.0 - start) / (warmup * start + (epoch - 1) * (1.0 - start))
    yield from _cosine(lr, epochs - warmup, schedule.min_lr)


def _cosine(lr: float, length: int, min_lr: float) -> Iterator[float]:
    """`CosineAnnealingLR`: each rate from the one before, by the ratio of (1 + cos) at the two epochs."""
    rate, epoch = lr, 0
    while True:
        yield rate
        epoch += 1
        if (epoch - 1 - length) % (2 * length) == 0:
            rate += (lr - min_lr) * (1 - math.cos(math.pi / length)) / 2
        else:
            ratio = (1 + math.cos(math.pi * epoch / length)) / (1 + math.cos(math.pi * (epoch - 1) / length))
            rate = ratio * (rate - min_lr) + min_lr


def _cosine_restarts(schedule: CosineRestarts, lr: float) -> Iterator[float]:
    length, epoch = schedule.first_cycle, 0
    while True:
        yield schedule.min_lr + (lr - schedule.min_lr) * (1 + math.cos(math.pi * epoch / length)) / 2
        epoch += 1
        if epoch >= length:
            epoch, length = 0, length * schedule.factor
