"""Optimizers of a cohort: each run with its own learning rate, momentum, weight decay and whatever else it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from paribus.spec.recipe import Adam, AdamW, Sgd
from paribus.training.engine import OptimizerNumbers
from paribus.training.networks import StackedNetwork

_SLOTS: Final = {
    "sgd": ("momentum_buffer",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
}
"""The names under which PyTorch's optimizers keep theirs."""


class StackedOptimizer:
    """What the optimizer of every run holds; an engine steps by it.

    `specs` are all of one kind; `states` matter only after the first step.
    """

    def __init__(
        self,
        network: StackedNetwork,
        specs: Sequence[Sgd | Adam | AdamW],
        states: Sequence[Mapping[str, Tensor]],
        steps: int,
    ) -> None:
        kind = specs[0].kind
        self._network = network
        self._slots = {
            slot: network.stacked(states, f"{slot}/") if steps else torch.zeros_like(network.parameters)
            for slot in _SLOTS[kind]
        }
        numbers = torch.tensor(list(map(_numbers, specs)), dtype=torch.float64, device=network.device)
        taken = torch.tensor([steps], device=network.device)
        self.numbers = OptimizerNumbers(kind, numbers.t().contiguous(), tuple(self._slots.values()), taken)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Learning rate of each run from the next step on."""
        self.numbers.numbers[0] = torch.tensor(list(rates), dtype=torch.float64)

    def state(self, run: int) -> dict[str, Tensor]:
        """A copy of one run's slots on the CPU, as `slot/parameter`."""
        return {
            f"{slot}/{name}": tensor
            for slot, held in self._slots.items()
            for name, tensor in self._network.unstacked(held, run).items()
        }


def _numbers(spec: Sgd | Adam | AdamW) -> tuple[float, ...]:
    """In the order of `OptimizerNumbers`; the rate is set from epoch to epoch."""
    if isinstance(spec, Sgd):
        return (0.0, spec.momentum, float(spec.nesterov), spec.weight_decay)
    return (0.0, *spec.betas, spec.eps, spec.weight_decay)
