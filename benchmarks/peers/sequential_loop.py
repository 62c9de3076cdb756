"""A well-written plain loop: all data in memory, one permutation for each epoch, a fused optimizer, few copies."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from benchmarks.peers import _torch
from benchmarks.peers._base import Peer, Trained, Weights, numbered
from benchmarks.tasks import Task


@dataclass(frozen=True)
class OneRun:
    """Seconds of training, and the final weights."""

    seconds: float
    weights: Weights


class SequentialLoop(Peer):
    packages = ("torch",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._generator = torch.Generator().manual_seed(0)

    def warm_up(self, runs: int) -> None:
        short = SequentialLoop(self.task.short())
        _torch.faster_threads(lambda: short.train(runs, 1).seconds)

    def train(self, runs: int, epochs: int) -> Trained:
        ended = [self.train_run(run, epochs) for run in range(runs)]
        return self.trained(sum(one.seconds for one in ended), numbered(one.weights for one in ended))

    def train_run(self, run: int, epochs: int) -> OneRun:
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
                loss = loss_of(model(batch), targets[rows] if task.has_classes else batch)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).mean().item()
        return OneRun(time.perf_counter() - start, _torch.weights(model))
