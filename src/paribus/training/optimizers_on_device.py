"""Optimizer steps for accelerators: every run in one broadcast expression, its numbers held on the device.

The same updates as in `optimizers`, written so that a captured graph stays valid when a learning rate changes. Sources:
the documentation of `torch.optim.SGD`, `Adam` and `AdamW`, whose symbols the comments use.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from paribus.spec.recipe import Adam, AdamW, Sgd
from paribus.training.networks import StackedNetwork
from paribus.training.optimizers import StackedOptimizer


class _OnDevice(StackedOptimizer):
    """Holds one number a run on the device, and hands each parameter its own view of it."""

    def __init__(self, network: StackedNetwork, specs: Sequence[Any], states: Any, steps: int) -> None:
        super().__init__(network, states, steps)
        self._specs = specs
        self._rates = self._of_runs([0.0] * len(specs))
        self._weight_decay = self._of_runs([spec.weight_decay for spec in specs])

    def _of_runs(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.float32, device=self._network.device)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Learning rate of each run from the next step on."""
        self._rates.copy_(self._of_runs(rates))

    def step(self) -> None:
        """One step of every run from the gradients that the network holds."""
        self.steps_taken.add_(1)
        slots = [self.slots[name] for name in self.slot_names]
        for parameter, gradient, *own in zip(self._network.parameters, self._network.gradients, *slots, strict=True):
            self._update(parameter, gradient, own)

    @abstractmethod
    def _update(self, parameter: Tensor, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        """One step of one parameter of every run, in place."""


def _like(numbers: Tensor, parameter: Tensor) -> Tensor:
    """One number a run, (run,), to be broadcast over a parameter (run, ...)."""
    return numbers.view(-1, *[1] * (parameter.dim() - 1))


class SgdOnDevice(_OnDevice):
    """`torch.optim.SGD`."""

    slot_names = ("momentum_buffer",)

    def __init__(self, network: StackedNetwork, specs: Sequence[Sgd], states: Any, steps: int) -> None:
        super().__init__(network, specs, states, steps)
        self._momentum = self._of_runs([spec.momentum for spec in specs])
        # the step is g + mu b with Nesterov's rule, b without it
        self._of_gradient = self._of_runs([float(spec.nesterov) for spec in specs])
        self._of_buffer = self._of_runs([spec.momentum if spec.nesterov else 1.0 for spec in specs])

    def _update(self, parameter: Tensor, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        (buffer,) = slots
        gradient.addcmul_(parameter, _like(self._weight_decay, parameter))  # g + lambda theta
        buffer.mul_(_like(self._momentum, parameter)).add_(gradient)  # b = mu b + g
        step = gradient * _like(self._of_gradient, parameter) + buffer * _like(self._of_buffer, parameter)
        parameter.addcmul_(step, _like(self._rates, parameter), value=-1)


class AdamOnDevice(_OnDevice):
    """`torch.optim.Adam` and `torch.optim.AdamW`."""

    slot_names = ("exp_avg", "exp_avg_sq")

    def __init__(self, network: StackedNetwork, specs: Sequence[Adam | AdamW], states: Any, steps: int) -> None:
        super().__init__(network, specs, states, steps)
        self._decoupled = isinstance(specs[0], AdamW)
        self._beta1 = self._of_runs([spec.betas[0] for spec in specs])
        self._beta2 = self._of_runs([spec.betas[1] for spec in specs])
        self._eps = self._of_runs([spec.eps for spec in specs])

    def _update(self, parameter: Tensor, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        first, second = slots
        rate, decay = _like(self._rates, parameter), _like(self._weight_decay, parameter)
        beta1, beta2 = _like(self._beta1, parameter), _like(self._beta2, parameter)
        if self._decoupled:
            parameter.mul_(1 - rate * decay)
        else:
            gradient.addcmul_(parameter, decay)
        first.lerp_(gradient, 1 - beta1)  # m = beta1 m + (1 - beta1) g
        second.mul_(beta2).addcmul_(gradient * gradient, 1 - beta2)  # v = beta2 v + (1 - beta2) g^2
        root = (second / (1 - beta2**self.steps_taken)).sqrt_().add_(_like(self._eps, parameter))
        parameter.sub_(rate / (1 - beta1**self.steps_taken) * first / root)


def optimizer_on_device(network: StackedNetwork, specs: Sequence[Any], states: Any, steps: int) -> StackedOptimizer:
    """The optimizer of these runs, all of one kind."""
    kind = SgdOnDevice if isinstance(specs[0], Sgd) else AdamOnDevice
    return kind(network, specs, states, steps)
