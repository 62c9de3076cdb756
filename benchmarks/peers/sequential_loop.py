"""A well-written plain loop: all data in memory, one permutation an epoch, a fused optimizer, no copy to spare."""

from __future__ import annotations

import time

import torch

from benchmarks.peers import _torch
from benchmarks.peers._base import Peer, Trained, Weights
from benchmarks.tasks import Task


class SequentialLoop(Peer):
    packages = ("torch",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._generator = torch.Generator().manual_seed(0)

    def warm_up(self, runs: int) -> None:
        short = SequentialLoop(self.task.short())
        _torch.quicker_threads(lambda: short.train(runs, 1).seconds)

    def train(self, runs: int, epochs: int) -> Trained:
        seconds, ended = zip(*(self.train_run(run, epochs) for run in range(runs)), strict=True)
        return self.trained(sum(seconds), enumerate(ended))

    def train_run(self, run: int, epochs: int) -> tuple[float, Weights]:
        """Seconds of training, and the final weights."""
        task = self.task
        loss_of = _torch.loss_of(task)
        model = _torch.network(task, run)
        optimizer = _torch.optimizer_of(task, model.parameters(), fused=True)
        inputs, targets = _torch.data_of(task, run)
        start = time.perf_counter()
        for _ in range(epochs):
            losses = []
            for rows in torch.randperm(len(inputs), generator=self._generator).split(task.batch_size):
                batch = inputs[rows]
                optimizer.zero_grad()
                loss = loss_of(model(batch), targets[rows] if task.has_labels else batch)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).mean().item()
        return time.perf_counter() - start, _torch.weights(model)
