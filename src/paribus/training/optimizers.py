"""Optimizer steps for a cohort: each run with its own learning rate, momentum and weight decay.

The arithmetic is PyTorch's own fused kernels, called on each run's slice of the stacked parameters: a slice has the
same length in any company, and so the same bits. Runs whose numbers agree share one call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from paribus.spec.recipe import Adam, AdamW, Sgd
from paribus.training.networks import StackedNetwork

_UNSCALED: dict[str, Any] = {"maximize": False, "grad_scale": None, "found_inf": None}


class StackedOptimizer(ABC):
    """Steps every run of a network. `slots` are the optimizer's own tensors, each shaped like the parameters."""

    slot_names: tuple[str, ...]

    def __init__(self, network: StackedNetwork, states: Sequence[Mapping[str, Tensor]], steps: int) -> None:
        self._network = network
        self.slots = {
            slot: [
                network.stacked([state[f"{slot}/{name}"] for state in states], name) if steps else torch.zeros_like(p)
                for name, p in zip(network.names, network.parameters, strict=True)
            ]
            for slot in self.slot_names
        }
        self.steps_taken = torch.tensor(float(steps), device=network.device)

    @abstractmethod
    def set_rates(self, rates: Sequence[float]) -> None:
        """Learning rate of each run from the next step on."""

    @abstractmethod
    def step(self) -> None:
        """One step of every run from the gradients that the network holds."""

    def state(self, run: int) -> dict[str, Tensor]:
        """A copy of one run's slots on the CPU, as `slot/parameter`."""
        return {
            f"{slot}/{name}": self._network.trimmed(whole, name, run)
            for slot, stacked in self.slots.items()
            for name, whole in zip(self._network.names, stacked, strict=True)
        }


class FusedOptimizer(StackedOptimizer):
    """Calls a fused kernel on each run's slices; runs whose numbers agree share one call."""

    def __init__(self, network: StackedNetwork, states: Sequence[Mapping[str, Tensor]], steps: int) -> None:
        super().__init__(network, states, steps)
        tensors = {"parameter": network.parameters, "gradient": network.gradients, **self.slots}
        self._slices = [
            {key: [tensor[run] for tensor in stacked] for key, stacked in tensors.items()}
            for run in range(network.runs)
        ]
        self._calls: list[Callable[[], object]] = []

    def set_rates(self, rates: Sequence[float]) -> None:
        """Learning rate of each run from the next step on."""
        alike: dict[tuple[float, ...], list[int]] = defaultdict(list)
        for run, rate in enumerate(rates):
            alike[(rate, *self._numbers(run))].append(run)
        self._calls = []
        for (rate, *_), runs in alike.items():
            joined = {key: [t for run in runs for t in self._slices[run][key]] for key in self._slices[0]}
            self._calls.append(self._call(joined, rate, runs[0]))

    def step(self) -> None:
        """One step of every run from the gradients that the network holds."""
        self.steps_taken.add_(1)
        for call in self._calls:
            call()

    @abstractmethod
    def _numbers(self, run: int) -> tuple[float, ...]:
        """The run's own hyperparameters, the learning rate apart."""

    @abstractmethod
    def _call(self, tensors: Mapping[str, list[Tensor]], rate: float, run: int) -> Callable[[], object]:
        """The kernel call that steps `tensors`, with the hyperparameters of `run`."""


class FusedSgd(FusedOptimizer):
    """`torch.optim.SGD`: momentum, Nesterov, weight decay added to the gradient."""

    slot_names = ("momentum_buffer",)

    def __init__(self, network: StackedNetwork, specs: Sequence[Sgd], states: Any, steps: int) -> None:
        self._specs = specs
        super().__init__(network, states, steps)

    def _numbers(self, run: int) -> tuple[float, ...]:
        spec = self._specs[run]
        return (spec.momentum, float(spec.nesterov), spec.weight_decay)

    def _call(self, tensors: Mapping[str, list[Tensor]], rate: float, run: int) -> Callable[[], object]:
        spec = self._specs[run]
        return partial(
            torch.ops.aten._fused_sgd_,
            tensors["parameter"],
            tensors["gradient"],
            tensors["momentum_buffer"] if spec.momentum else [],
            lr=rate,
            momentum=spec.momentum,
            weight_decay=spec.weight_decay,
            nesterov=spec.nesterov,
            dampening=0.0,
            is_first_step=False,  # a buffer of zeros gives the first step's value
            **_UNSCALED,
        )


class FusedAdam(FusedOptimizer):
    """`torch.optim.Adam` and `torch.optim.AdamW`."""

    slot_names = ("exp_avg", "exp_avg_sq")

    def __init__(self, network: StackedNetwork, specs: Sequence[Adam | AdamW], states: Any, steps: int) -> None:
        self._specs = specs
        self._kernel = torch.ops.aten._fused_adamw_ if isinstance(specs[0], AdamW) else torch.ops.aten._fused_adam_
        super().__init__(network, states, steps)

    def _numbers(self, run: int) -> tuple[float, ...]:
        spec = self._specs[run]
        return (*spec.betas, spec.eps, spec.weight_decay)

    def _call(self, tensors: Mapping[str, list[Tensor]], rate: float, run: int) -> Callable[[], object]:
        spec = self._specs[run]
        return partial(
            self._kernel,
            tensors["parameter"],
            tensors["gradient"],
            tensors["exp_avg"],
            tensors["exp_avg_sq"],
            [],
            [self.steps_taken] * len(tensors["parameter"]),
            lr=rate,
            beta1=spec.betas[0],
            beta2=spec.betas[1],
            weight_decay=spec.weight_decay,
            eps=spec.eps,
            amsgrad=False,
            **_UNSCALED,
        )


def fused_optimizer(
    network: StackedNetwork, specs: Sequence[Any], states: Sequence[Mapping[str, Tensor]], steps: int
) -> StackedOptimizer:
    """The optimizer of these runs, all of one kind; `states` matter only after the first step."""
    kind = FusedSgd if isinstance(specs[0], Sgd) else FusedAdam
    return kind(network, specs, states, steps)
