"""Learning rates: for each run, the rate of each epoch. The values are those of `torch.optim.lr_scheduler`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as torch_schedules
from typing_extensions import override

from paribus.spec.recipe import Constant, Cosine, Exponential, MultiStep, Recipe, ReduceOnPlateau, Settle, Step
from paribus.spec.rules import has_settled


class Rates(ABC):
    """The learning rate of one run, epoch by epoch."""

    @abstractmethod
    def rate(self, epoch: int) -> float:
        """Rate of the epoch that follows `epoch` finished ones."""

    def observe(self, metrics: Mapping[str, float]) -> None:  # noqa: B027 - most schedules look at nothing
        """Take note of a finished epoch."""

    def state(self) -> dict[str, Any]:
        """Plain values from which `restore` goes on."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - as above
        """Go on from `state`."""


class Table(Rates):
    """Rates known in advance."""

    def __init__(self, values: tuple[float, ...]) -> None:
        self._values = values

    def rate(self, epoch: int) -> float:
        return self._values[epoch]


class Plateau(Rates):
    """`ReduceLROnPlateau`, watching one metric of one run."""

    _STATE = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")

    def __init__(self, spec: ReduceOnPlateau, lr: float) -> None:
        self._metric = spec.metric
        self._optimizer = _optimizer_of_nothing(lr)
        self._schedule = torch_schedules.ReduceLROnPlateau(
            self._optimizer,
            mode="max" if spec.metric.endswith("accuracy") else "min",
            factor=spec.factor,
            patience=spec.patience,
            threshold=spec.threshold,
            cooldown=spec.cooldown,
            min_lr=spec.min_lr,
        )

    @override
    def rate(self, epoch: int) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def observe(self, metrics: Mapping[str, float]) -> None:
        self._schedule.step(metrics[self._metric])

    def state(self) -> dict[str, Any]:
        # hexadecimal, because `best` starts at infinity, which JSON cannot say
        values = {name: float(getattr(self._schedule, name)).hex() for name in self._STATE}
        return {**values, "lr": self.rate(0)}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name in self._STATE:
            value = float.fromhex(state[name])
            setattr(self._schedule, name, value if name == "best" else int(value))
        self._optimizer.param_groups[0]["lr"] = state["lr"]


class SettleOnce(Rates):
    """Times `gamma` from the epoch after the training loss has settled (`paribus.spec.rules.has_settled`)."""

    def __init__(self, spec: Settle, lr: float) -> None:
        self._spec = spec
        self._lr = lr
        self._recent: list[float] = []
        self._settled = False

    @override
    def rate(self, epoch: int) -> float:
        return self._lr * self._spec.gamma if self._settled else self._lr

    def observe(self, metrics: Mapping[str, float]) -> None:
        span = 2 * self._spec.window
        self._recent = [*self._recent, metrics["train_loss"]][-span:]
        if len(self._recent) == span and has_settled(self._recent, self._spec.threshold):
            self._settled = True

    def state(self) -> dict[str, Any]:
        return {"recent": [value.hex() for value in self._recent], "settled": self._settled}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._recent = [float.fromhex(value) for value in state["recent"]]
        self._settled = bool(state["settled"])


def rates_of(recipe: Recipe) -> Rates:
    """The schedule of one run."""
    lr, schedule = recipe.optimizer.lr, recipe.schedule
    if isinstance(schedule, ReduceOnPlateau):
        return Plateau(schedule, lr)
    if isinstance(schedule, Settle):
        return SettleOnce(schedule, lr)
    return Table(_known_rates(schedule, lr, recipe.training.epochs))


def _known_rates(
    schedule: Constant | Step | MultiStep | Exponential | Cosine, lr: float, epochs: int
) -> tuple[float, ...]:
    """What PyTorch's scheduler makes of `lr`, epoch by epoch."""
    optimizer = _optimizer_of_nothing(lr)
    torch_schedule = _torch_schedule(schedule, optimizer, epochs)
    values: list[float] = []
    for _ in range(epochs):
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if torch_schedule is not None:
            torch_schedule.step()
    return tuple(values)


def _torch_schedule(
    schedule: Constant | Step | MultiStep | Exponential | Cosine, optimizer: Optimizer, epochs: int
) -> torch_schedules.LRScheduler | None:
    match schedule:
        case Constant():
            return None
        case Step():
            return torch_schedules.StepLR(optimizer, schedule.step_size, schedule.gamma)
        case MultiStep():
            return torch_schedules.MultiStepLR(optimizer, list(schedule.milestones), schedule.gamma)
        case Exponential():
            return torch_schedules.ExponentialLR(optimizer, schedule.gamma)
        case Cosine(warmup_epochs=0):
            return torch_schedules.CosineAnnealingLR(optimizer, epochs, schedule.min_lr)
        case Cosine():
            warm = schedule.warmup_epochs
            warmup = torch_schedules.LinearLR(optimizer, min(schedule.warmup_start, 1.0), total_iters=warm)
            cosine = torch_schedules.CosineAnnealingLR(optimizer, epochs - warm, schedule.min_lr)
            return torch_schedules.SequentialLR(optimizer, [warmup, cosine], milestones=[warm])


def _optimizer_of_nothing(lr: float) -> Optimizer:
    return SGD([torch.zeros(1, requires_grad=True)], lr=lr)
