"""JAX: `vmap` over the gradient of one network's loss, `lax.scan` over the batches of an epoch, all compiled."""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers._base import MAX_CHECKED, Peer, RunWeights, Trained
from benchmarks.tasks import Task
from paribus.spec.optimizers import Adam, Sgd

Tree = Any
"""A nest of arrays."""


class _Data(NamedTuple):
    """The rows of the pool that each run trains on (run, example), and their labels (run, example)."""

    rows: jax.Array
    labels: jax.Array


class JaxVmap(Peer):
    packages = ("jax", "jaxlib")
    batched = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._epoch = jax.jit(_epoch_of(task), donate_argnums=(0, 1))
        self._pool = jnp.asarray(task.pool)
        self._data: dict[int, _Data] = {}

    def train(self, runs: int, epochs: int) -> Trained:
        parameters, data = self._initial_weights(runs), self._data_of(runs)
        state = _initial_state(self.task, parameters)
        keys = jax.random.split(jax.random.key(0), epochs)
        jax.block_until_ready((parameters, state, keys))
        start = time.perf_counter()
        for key in keys:
            parameters, state, loss = self._epoch(parameters, state, self._pool, data.rows, data.labels, key)
            np.asarray(loss)
        jax.block_until_ready(parameters)
        seconds = time.perf_counter() - start
        checked = range(min(runs, MAX_CHECKED))
        ended = (RunWeights(run, {n: np.asarray(p[run]) for n, p in parameters.items()}) for run in checked)
        return self.trained(seconds, ended)

    def _initial_weights(self, runs: int) -> dict[str, jax.Array]:
        """(run, ...) for each parameter."""
        weights = [self.task.initial_weights(run) for run in range(runs)]
        return {name: jnp.asarray(np.stack([own[name] for own in weights])) for name in weights[0]}

    def _data_of(self, runs: int) -> _Data:
        task = self.task
        if runs not in self._data:
            rows = np.stack([task.rows(run) for run in range(runs)])
            labels = np.stack([task.labels(run) for run in range(runs)]) if task.has_classes else rows
            self._data = {runs: _Data(jnp.asarray(rows), jnp.asarray(labels))}
        return self._data[runs]


def _epoch_of(task: Task) -> Any:
    """A function that trains every run for one epoch, each in an order of its own."""
    size, examples = task.batch_size, task.examples
    whole = examples // size * size
    gradients = jax.vmap(jax.value_and_grad(_loss_of(task)))
    update = _update_of(task)

    def step(carry: Tree, batch: Tree) -> Tree:
        parameters, state, pool = carry
        rows, labels = batch
        inputs = pool[rows]
        loss, gradient = gradients(parameters, inputs, labels if task.has_classes else inputs)
        parameters, state = update(parameters, state, gradient)
        return (parameters, state, pool), loss

    def epoch(parameters: Tree, state: Tree, pool: Tree, rows: Tree, labels: Tree, key: Tree) -> Tree:
        orders = jax.vmap(lambda one: jax.random.permutation(one, examples))(jax.random.split(key, len(rows)))
        rows, labels = (jnp.take_along_axis(values, orders, 1) for values in (rows, labels))
        batches = [v[:, :whole].reshape(len(v), -1, size).swapaxes(0, 1) for v in (rows, labels)]
        carry, losses = jax.lax.scan(step, (parameters, state, pool), tuple(batches))
        if whole < examples:
            carry, last = step(carry, (rows[:, whole:], labels[:, whole:]))
            losses = jnp.concatenate([losses, last[None]])
        return carry[0], carry[1], losses.mean(0)

    return epoch


def _loss_of(task: Task) -> Any:
    last = len(task.widths) - 1

    def loss(parameters: Tree, inputs: Tree, targets: Tree) -> Tree:
        values = inputs
        for i in range(1, last + 1):
            values = values @ parameters[f"fc{i}.weight"].T + parameters[f"fc{i}.bias"]
            values = jax.nn.relu(values) if i < last else values
        if not task.has_classes:
            return jnp.square(values - targets).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(values), targets[:, None], 1).mean()

    return loss


def _initial_state(task: Task, parameters: Tree) -> Tree:
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    return zeros[0] if isinstance(task.recipe.optimizer, Sgd) else (*zeros, jnp.zeros(()))


def _update_of(task: Task) -> Any:
    """`torch.optim.SGD` or `torch.optim.Adam`, weight decay added to the gradient."""
    spec = task.recipe.optimizer
    lr, decay = spec.lr, spec.weight_decay

    def decayed(parameters: Tree, gradient: Tree) -> Tree:
        return jax.tree.map(lambda p, g: g + decay * p, parameters, gradient) if decay else gradient

    if isinstance(spec, Sgd):

        def sgd(parameters: Tree, state: Tree, gradient: Tree) -> Tree:
            state = jax.tree.map(lambda m, g: spec.momentum * m + g, state, decayed(parameters, gradient))
            return jax.tree.map(lambda p, m: p - lr * m, parameters, state), state

        return sgd
    assert isinstance(spec, Adam)
    beta_1, beta_2 = spec.betas

    def adam(parameters: Tree, state: Tree, gradient: Tree) -> Tree:
        means, squares, steps = state
        gradient = decayed(parameters, gradient)
        steps = steps + 1
        means = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, means, gradient)
        squares = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, squares, gradient)
        rate, root = lr / (1 - beta_1**steps), jnp.sqrt(1 - beta_2**steps)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + spec.eps), parameters, means, squares
        )
        return parameters, (means, squares, steps)

    return adam
