"""The arithmetic of optimizers, of all runs at once: parameters step as one matrix (run, parameter).

Rates that change from step to step are computed for a whole epoch at its beginning, as (step, run, 1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast, final

import torch
from torch import Tensor
from typing_extensions import override

from paribus.spec import optimizers as spec


class StackedOptimizer(ABC):
    """One kind of optimizer with each run's own hyperparameters.

    `parameters` and `gradients` are (run, parameter), and so is each of the `buffers`, which have PyTorch's names.
    """

    def __init__(
        self,
        optimizers: Sequence[spec.OptimizerBase],
        parameters: Tensor,
        gradients: Tensor,
        buffers: Mapping[str, Tensor],
    ) -> None:
        self.parameters, self.gradients, self.buffers = parameters, gradients, buffers
        self._decay = self.by_run([optimizer.weight_decay for optimizer in optimizers])
        self.weight_decay = self._decay.float()

    def by_run(self, values: Sequence[float]) -> Tensor:
        """One number for each run, (run, 1) float64."""
        return torch.tensor(values, dtype=torch.float64, device=self.parameters.device).unsqueeze(1)

    @abstractmethod
    def begin(self, rates: Tensor, momenta: Tensor | None, steps: Tensor) -> None:
        """Begin an epoch: learning rates (step, run, 1), momenta likewise where they are cycled, float64.

        `steps` (step, 1, 1) are the numbers of its steps, counted from the run's first, which is 1.
        """

    @abstractmethod
    def step(self, batch: int) -> None:
        """Take step number `batch` of the epoch. Gradients are overwritten."""


@final
class Sgd(StackedOptimizer):
    """`torch.optim.SGD`: with the gradient g, weight decay included, b = momentum b + g, and the parameter falls by
    rate b, or with Nesterov's momentum by rate (g + momentum b)."""

    def __init__(
        self,
        optimizers: Sequence[spec.OptimizerBase],
        parameters: Tensor,
        gradients: Tensor,
        buffers: Mapping[str, Tensor],
    ) -> None:
        super().__init__(optimizers, parameters, gradients, buffers)
        own = cast("Sequence[spec.Sgd]", optimizers)
        self._momentum = self.by_run([one.momentum for one in own])
        self._nesterov = self.by_run([float(one.nesterov) for one in own])
        self._buffer = buffers["momentum_buffer"]

    @override
    def begin(self, rates: Tensor, momenta: Tensor | None, steps: Tensor) -> None:
        momentum = self._momentum.expand(len(rates), -1, 1) if momenta is None else momenta
        self._momenta = momentum.float()
        self._by_buffer = (-rates * momentum**self._nesterov).float()
        self._by_gradient = (-rates * self._nesterov).float()

    @override
    def step(self, batch: int) -> None:
        gradient = self.gradients.addcmul_(self.parameters, self.weight_decay)
        torch.addcmul(gradient, self._buffer, self._momenta[batch], out=self._buffer)
        self.parameters.addcmul_(self._buffer, self._by_buffer[batch])
        self.parameters.addcmul_(gradient, self._by_gradient[batch])


@final
class Adam(StackedOptimizer):
    """`torch.optim.Adam` or `AdamW`: with averages m of the gradient and v of its square, in step n

    parameter -= rate / (1 - beta1^n) m / (sqrt(v / (1 - beta2^n)) + eps)
    """

    def __init__(
        self,
        optimizers: Sequence[spec.OptimizerBase],
        parameters: Tensor,
        gradients: Tensor,
        buffers: Mapping[str, Tensor],
    ) -> None:
        super().__init__(optimizers, parameters, gradients, buffers)
        own = cast("Sequence[spec.Adam | spec.AdamW]", optimizers)
        self._beta1 = self.by_run([one.betas[0] for one in own])
        self._beta2 = self.by_run([one.betas[1] for one in own])
        self._keep2, self._new2 = self._beta2.float(), (1 - self._beta2).float()
        self._eps = _eps(self.by_run([one.eps for one in own]))
        self._decoupled = isinstance(optimizers[0], spec.AdamW)
        self._mean, self._square = buffers["exp_avg"], buffers["exp_avg_sq"]

    @override
    def begin(self, rates: Tensor, momenta: Tensor | None, steps: Tensor) -> None:
        beta1 = self._beta1.expand(len(rates), -1, 1) if momenta is None else momenta
        self._keep1, self._new1 = beta1.float(), (1 - beta1).float()
        self._by_mean = (-rates / (1 - beta1**steps)).float()
        self._by_root = (1 - self._beta2**steps).rsqrt().float()
        self._shrink = (1 - rates * self._decay).float()

    @override
    def step(self, batch: int) -> None:
        gradient = self.gradients
        if self._decoupled:
            self.parameters.mul_(self._shrink[batch])
        else:
            gradient.addcmul_(self.parameters, self.weight_decay)
        self._mean.mul_(self._keep1[batch]).addcmul_(gradient, self._new1[batch])
        self._square.mul_(self._keep2).addcmul_(gradient.square_(), self._new2)
        root = self._square.sqrt()
        torch.addcmul(self._eps, root, self._by_root[batch], out=root)
        self.parameters.addcdiv_(self._mean * self._by_mean[batch], root)


@final
class RmsProp(StackedOptimizer):
    """`torch.optim.RMSprop`: with an average v of the gradient's square, less the square of its average where it is
    centred, b = momentum b + g / (sqrt(v) + eps), and the parameter falls by rate b."""

    def __init__(
        self,
        optimizers: Sequence[spec.OptimizerBase],
        parameters: Tensor,
        gradients: Tensor,
        buffers: Mapping[str, Tensor],
    ) -> None:
        super().__init__(optimizers, parameters, gradients, buffers)
        own = cast("Sequence[spec.RmsProp]", optimizers)
        alpha = self.by_run([one.alpha for one in own])
        self._keep, self._new = alpha.float(), (1 - alpha).float()
        self._momentum = self.by_run([one.momentum for one in own])
        self._eps = _eps(self.by_run([one.eps for one in own]))
        centred = [one.centered for one in own]
        self._centred = torch.tensor(centred, device=parameters.device).unsqueeze(1) if any(centred) else None
        self._square, self._mean = buffers["square_avg"], buffers["grad_avg"]
        self._buffer = buffers["momentum_buffer"]

    @override
    def begin(self, rates: Tensor, momenta: Tensor | None, steps: Tensor) -> None:
        momentum = self._momentum.expand(len(rates), -1, 1) if momenta is None else momenta
        self._momenta, self._by_buffer = momentum.float(), (-rates).float()

    @override
    def step(self, batch: int) -> None:
        gradient = self.gradients.addcmul_(self.parameters, self.weight_decay)
        self._square.mul_(self._keep).addcmul_(gradient.square(), self._new)
        variance = self._square
        if self._centred is not None:
            # the average of runs that are not centred stays 0, whatever their gradients are
            mean = (self._mean * self._keep).addcmul_(gradient, self._new)
            torch.where(self._centred, mean, self._mean, out=self._mean)
            variance = self._square.addcmul(self._mean, self._mean, value=-1)
        root = variance.sqrt().add_(self._eps)
        self._buffer.mul_(self._momenta[batch]).addcdiv_(gradient, root)
        self.parameters.addcmul_(self._buffer, self._by_buffer[batch])


def _eps(eps: Tensor) -> Tensor:
    """In float32, and never 0: padding, whose averages are 0, would become 0 / 0."""
    return eps.float().clamp_min(torch.finfo(torch.float32).tiny)


OPTIMIZERS: Final[
    dict[str, Callable[[Sequence[spec.OptimizerBase], Tensor, Tensor, Mapping[str, Tensor]], StackedOptimizer]]
] = {"sgd": Sgd, "adam": Adam, "adamw": Adam, "rmsprop": RmsProp}
"""The arithmetic of each kind of optimizer."""
