"""skorch: scikit-learn's `fit` around a PyTorch network, silent and without an internal validation split."""

from __future__ import annotations

import time
from typing import Any

import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor

from benchmarks.peers import _torch
from benchmarks.peers._base import Peer, Trained, numbered
from paribus.spec.optimizers import Adam, Sgd


class SkorchNet(Peer):
    packages = ("skorch", "torch")

    def warm_up(self, runs: int) -> None:
        SkorchNet(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        seconds, ended = 0.0, []
        for run in range(runs):
            net = self._net(run)
            inputs = self.task.inputs(run)
            targets = self.task.labels(run) if self.task.has_classes else inputs
            start = time.perf_counter()
            net.partial_fit(inputs, targets, epochs=epochs)
            seconds += time.perf_counter() - start
            ended.append(_torch.weights(net.module_))
        return self.trained(seconds, numbered(ended))

    def _net(self, run: int) -> Any:
        spec = self.task.recipe.optimizer
        assert isinstance(spec, Sgd | Adam)
        keys = {"momentum": spec.momentum} if isinstance(spec, Sgd) else {"betas": spec.betas, "eps": spec.eps}
        keys["weight_decay"] = spec.weight_decay
        kind: Any = NeuralNetClassifier if self.task.has_classes else NeuralNetRegressor
        return kind(
            _torch.network(self.task, run),
            criterion=torch.nn.CrossEntropyLoss if self.task.has_classes else torch.nn.MSELoss,
            optimizer=torch.optim.SGD if isinstance(spec, Sgd) else torch.optim.Adam,
            lr=spec.lr,
            batch_size=self.task.batch_size,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
            **{f"optimizer__{name}": value for name, value in keys.items()},
        ).initialize()
