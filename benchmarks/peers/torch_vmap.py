"""`torch.func`: stacked parameters, `vmap` over the gradient of one network's loss, a fused optimizer over all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from benchmarks.peers import _torch
from benchmarks.peers._base import MAX_CHECKED, Peer, Trained
from benchmarks.tasks import Task

Gradients = Callable[[dict[str, Tensor], Tensor, Tensor], tuple[dict[str, Tensor], Tensor]]


class TorchVmap(Peer):
    packages = ("torch",)
    batched = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._plain = _gradients(task)
        self._threads: dict[int, int] = {}

    def warm_up(self, runs: int) -> None:
        data = _torch.StackedData(self.task.short(), runs, self.device)

        def timed_s() -> float:
            return self._seconds(data, _torch.stacked_weights(self.task, runs, self.device), 1, self._plain)

        self._threads[runs] = _torch.faster_threads(timed_s)

    def train(self, runs: int, epochs: int) -> Trained:
        data = _torch.StackedData(self.task, runs, self.device)
        parameters = _torch.stacked_weights(self.task, runs, self.device)
        torch.set_num_threads(self._threads.get(runs, 1))
        seconds = self._seconds(data, parameters, epochs, self._whole_batch())
        return self.trained(seconds, _torch.unstacked(parameters, range(min(runs, MAX_CHECKED))))

    def _whole_batch(self) -> Gradients:
        """The gradients of every batch but the last, smaller one."""
        return self._plain

    def _seconds(
        self, data: _torch.StackedData, parameters: dict[str, Tensor], epochs: int, whole_batch: Gradients
    ) -> float:
        """Train `parameters` in place."""
        optimizer = _torch.optimizer_of(self.task, parameters.values(), fused=True)
        start = time.perf_counter()
        for _ in range(epochs):
            losses = []
            for inputs, targets in data.batches():
                whole = inputs.shape[1] == self.task.batch_size
                gradients, loss = (whole_batch if whole else self._plain)(parameters, inputs, targets)
                for name, parameter in parameters.items():
                    parameter.grad = gradients[name]
                optimizer.step()
                losses.append(loss)
            torch.stack(losses).mean(0).tolist()
        return time.perf_counter() - start


class TorchVmapCompiled(TorchVmap):
    """Compiled for each number of runs, with the number of threads that is best for the plain form."""

    needs_compiler = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        torch._dynamo.config.recompile_limit = 64
        self._compiled: Gradients = torch.compile(self._plain, dynamic=False)

    def warm_up(self, runs: int) -> None:
        super().warm_up(runs)
        data = _torch.StackedData(self.task.short(), runs, self.device)
        self._seconds(data, _torch.stacked_weights(self.task, runs, self.device), 1, self._compiled)

    def _whole_batch(self) -> Gradients:
        return self._compiled


def _gradients(task: Task) -> Gradients:
    """Gradients by name, and losses (run,), of stacked parameters on (run, example, pixel)."""
    model, loss_of = _torch.network(task, 0), _torch.loss_of(task)

    def loss(parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        return loss_of(functional_call(model, parameters, (inputs,)), targets)

    stacked: Any = vmap(grad_and_value(loss))
    return stacked
