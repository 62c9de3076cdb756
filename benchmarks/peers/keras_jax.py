"""Keras on JAX: `Sequential`, `compile`, `fit`."""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.peers._base import Peer, Trained, Weights, numbered
from paribus.spec.optimizers import Adam, Sgd


class KerasJax(Peer):
    packages = ("keras", "jax")

    @cached_property
    def _model(self) -> Any:
        """One compiled model, which every run gives its own initial weights."""
        task, spec = self.task, self.task.recipe.optimizer
        # Keras's own weight decay is decoupled; a penalty on the weights is what PyTorch's adds to the gradient
        decay = keras.regularizers.L2(spec.weight_decay / 2) if spec.weight_decay else None
        widths = task.widths[1:]
        model = keras.Sequential([keras.Input((task.widths[0],))])
        for i, width in enumerate(widths, start=1):
            activation = "relu" if i < len(widths) else None
            model.add(keras.layers.Dense(width, activation, kernel_regularizer=decay, bias_regularizer=decay))
        if isinstance(spec, Sgd):
            optimizer = keras.optimizers.SGD(spec.lr, spec.momentum, spec.nesterov)
        else:
            assert isinstance(spec, Adam)
            # Keras adds epsilon before the bias is corrected: scaled like this, the first steps are PyTorch's
            optimizer = keras.optimizers.Adam(spec.lr, *spec.betas, epsilon=spec.eps * (1 - spec.betas[1]) ** 0.5)
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        loss = cross_entropy if task.has_classes else "mean_squared_error"
        model.compile(optimizer=optimizer, loss=loss)
        return model

    def train(self, runs: int, epochs: int) -> Trained:
        model = self._model
        seconds, ended = 0.0, []
        for run in range(runs):
            inputs = self.task.inputs(run)
            targets = self.task.labels(run) if self.task.has_classes else inputs
            model.set_weights([w.T if w.ndim == 2 else w for w in self.task.initial_weights(run).values()])
            if model.optimizer.built:
                for variable in model.optimizer.variables:
                    if variable is not model.optimizer.learning_rate:
                        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
            start = time.perf_counter()
            model.fit(inputs, targets, batch_size=self.task.batch_size, epochs=epochs, shuffle=True, verbose=0)
            seconds += time.perf_counter() - start
            ended.append(_weights(model.get_weights()))
        return self.trained(seconds, numbered(ended))


def _weights(arrays: list[Any]) -> Weights:
    """From what Keras lists: the kernel (in, out) and the bias of each layer in turn."""
    weights = {f"fc{i}.weight": kernel.T for i, kernel in enumerate(arrays[0::2], start=1)}
    return weights | {f"fc{i}.bias": bias for i, bias in enumerate(arrays[1::2], start=1)}
