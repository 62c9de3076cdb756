"""HFTA's approach: each layer of all networks fused into one operator, trained by autograd and one fused optimizer.

HFTA itself installs from its repository only and was written for PyTorch 1.6, so its approach is written out here: a
linear layer of many networks is `torch.baddbmm`, and the losses of all networks are summed.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from benchmarks.peers import _torch
from benchmarks.peers._base import MAX_CHECKED, Peer, Trained
from benchmarks.tasks import Task


class HftaFused(Peer):
    packages = ("torch",)
    batched = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._threads: dict[int, int] = {}

    def warm_up(self, runs: int) -> None:
        data = _torch.StackedData(self.task.short(), runs)
        self._threads[runs] = _torch.faster_threads(lambda: self._seconds(data, _initial(self.task, runs), 1))

    def train(self, runs: int, epochs: int) -> Trained:
        data, parameters = _torch.StackedData(self.task, runs), _initial(self.task, runs)
        torch.set_num_threads(self._threads.get(runs, 1))
        seconds = self._seconds(data, parameters, epochs)
        plain = {n: p.mT if n.endswith("weight") else p.squeeze(1) for n, p in parameters.items()}
        return self.trained(seconds, _torch.unstacked(plain, range(min(runs, MAX_CHECKED))))

    def _seconds(self, data: _torch.StackedData, parameters: dict[str, Tensor], epochs: int) -> float:
        """Train `parameters` in place."""
        optimizer = _torch.optimizer_of(self.task, parameters.values(), fused=True)
        layers = list(zip(*[iter(parameters.values())] * 2, strict=True))
        start = time.perf_counter()
        for _ in range(epochs):
            losses = []
            for inputs, targets in data.batches():
                optimizer.zero_grad()
                loss = self._losses(layers, inputs, targets)
                loss.sum().backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).mean(0).tolist()
        return time.perf_counter() - start

    def _losses(self, layers: list[tuple[Tensor, Tensor]], inputs: Tensor, targets: Tensor) -> Tensor:
        """(run,)"""
        values = inputs
        for i, (weight, bias) in enumerate(layers):
            values = torch.baddbmm(bias, values, weight)
            values = F.relu(values) if i < len(layers) - 1 else values
        if not self.task.has_classes:
            return F.mse_loss(values, targets, reduction="none").mean((1, 2))
        return F.cross_entropy(values.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape).mean(1)


def _initial(task: Task, runs: int) -> dict[str, Tensor]:
    """Weights (run, in, out) and biases (run, 1, out)."""
    stacked = _torch.stacked_weights(task, runs)
    fused = {n: p.mT.contiguous() if n.endswith("weight") else p.unsqueeze(1) for n, p in stacked.items()}
    return {name: parameter.requires_grad_() for name, parameter in fused.items()}
