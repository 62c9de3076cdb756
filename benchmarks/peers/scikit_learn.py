"""scikit-learn's `MLPClassifier`, and `MLPRegressor` as an autoencoder."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.peers._base import Peer, Trained, Weights, numbered
from benchmarks.tasks import Task
from paribus.spec.optimizers import Adam, Sgd


class ScikitLearn(Peer):
    packages = ("scikit-learn", "numpy")

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        warnings.filterwarnings("ignore", category=ConvergenceWarning)

    def warm_up(self, runs: int) -> None:
        ScikitLearn(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        seconds, ended = 0.0, []
        for run in range(runs):
            inputs = self.task.inputs(run)
            targets = self.task.labels(run) if self.task.has_classes else inputs
            model = self._initialised(run, inputs, targets, epochs)
            start = time.perf_counter()
            model.fit(inputs, targets)
            seconds += time.perf_counter() - start
            ended.append(_weights(model))
        return self.trained(seconds, numbered(ended))

    def _initialised(self, run: int, inputs: Any, targets: Any, epochs: int) -> Any:
        """A model with the initial weights of `run`, put in after a first, tiny fit, in which scikit-learn makes its
        arrays."""
        task = self.task
        kind: Any = MLPClassifier if task.has_classes else MLPRegressor
        model = kind(
            hidden_layer_sizes=task.widths[1:-1],
            batch_size=task.batch_size,
            max_iter=epochs,
            warm_start=True,
            tol=0.0,
            n_iter_no_change=epochs + 1,
            random_state=run,
            **self._hyperparameters(),
        )
        few = np.unique(targets, return_index=True)[1] if task.has_classes else slice(0, 2)
        model.set_params(max_iter=1, batch_size=2).fit(inputs[few], targets[few])
        model.set_params(max_iter=epochs, batch_size=task.batch_size)
        initial = task.initial_weights(run)
        for i in range(len(model.coefs_)):
            model.coefs_[i] = np.ascontiguousarray(initial[f"fc{i + 1}.weight"].T)
            model.intercepts_[i] = initial[f"fc{i + 1}.bias"].copy()
        return model

    def _hyperparameters(self) -> dict[str, Any]:
        """Its weight decay is `alpha` / batch size; its squared error is half a sum over pixels, not their mean.

        Its Adam adds epsilon before the bias is corrected: scaled like this, the first steps are PyTorch's.
        Biases do not decay.
        """
        task, spec = self.task, self.task.recipe.optimizer
        scale = 1.0 if task.has_classes else task.widths[-1] / 2
        chosen: dict[str, Any] = {
            "learning_rate_init": spec.lr,
            "alpha": spec.weight_decay * task.batch_size * scale,
        }
        if isinstance(spec, Sgd):
            return {**chosen, "solver": "sgd", "momentum": spec.momentum, "nesterovs_momentum": spec.nesterov}
        assert isinstance(spec, Adam)
        beta_1, beta_2 = spec.betas
        return {
            **chosen,
            "solver": "adam",
            "beta_1": beta_1,
            "beta_2": beta_2,
            "epsilon": spec.eps * scale * (1 - beta_2) ** 0.5,
        }


def _weights(model: Any) -> Weights:
    weights = {f"fc{i}.weight": coef.T for i, coef in enumerate(model.coefs_, start=1)}
    return weights | {f"fc{i}.bias": bias for i, bias in enumerate(model.intercepts_, start=1)}
