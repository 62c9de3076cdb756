"""The loop of the reference report: a data set, a `DataLoader`, autograd and `torch.optim`, as courses teach it."""

from __future__ import annotations

import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers import _torch
from benchmarks.peers._base import Peer, Trained, numbered


class DataLoaderLoop(Peer):
    packages = ("torch",)

    def warm_up(self, runs: int) -> None:
        DataLoaderLoop(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        task = self.task
        loss_of = _torch.loss_of(task)
        seconds, ended = 0.0, []
        for run in range(runs):
            model = _torch.network(task, run)
            optimizer = _torch.optimizer_of(task, model.parameters(), fused=False)
            loader = DataLoader(
                TensorDataset(*_torch.data_of(task, run)),
                batch_size=task.batch_size,
                shuffle=True,
                generator=torch.Generator().manual_seed(run),
            )
            start = time.perf_counter()
            for _ in range(epochs):
                total = 0.0
                for inputs, targets in loader:
                    optimizer.zero_grad()
                    loss = loss_of(model(inputs), targets)
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(inputs)
            seconds += time.perf_counter() - start
            ended.append(_torch.weights(model))
        return self.trained(seconds, numbered(ended))
