"""JAX: `vmap` over the gradient of one network's loss, `lax.scan` over the batches of an epoch, all compiled."""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers._base import CHECKED, Peer, Trained
from benchmarks.tasks import Task
from paribus.spec.recipe import Sgd

Tree = Any
"""A nest of arrays."""


class JaxVmap(Peer):
    packages = ("jax", "jaxlib")
    together = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._epoch = jax.jit(_epoch_of(task), donate_argnums=(0, 1))
        self._pool = jnp.asarray(task.pool)
        self._own: dict[int, tuple[jax.Array, jax.Array]] = {}

    def train(self, runs: int, epochs: int) -> Trained:
        parameters, indices, labels = self._started(runs)
        slots = _fresh_slots(self.task, parameters)
        keys = jax.random.split(jax.random.key(0), epochs)
        jax.block_until_ready((parameters, slots, keys))
        start = time.perf_counter()
        for key in keys:
            parameters, slots, loss = self._epoch(parameters, slots, self._pool, indices, labels, key)
            np.asarray(loss)
        jax.block_until_ready(parameters)
        seconds = time.perf_counter() - start
        few = min(runs, CHECKED)
        ended = ((run, {n: np.asarray(p[run]) for n, p in parameters.items()}) for run in range(few))
        return self.trained(seconds, ended)

    def _started(self, runs: int) -> tuple[dict[str, jax.Array], jax.Array, jax.Array]:
        """Parameters (run, ...), and which images of the pool, with which labels, are each run's own (run, image)."""
        task = self.task
        if runs not in self._own:
            indices = np.stack([task.indices(run) for run in range(runs)])
            labels = np.stack([task.labels(run) for run in range(runs)]) if task.has_labels else indices
            self._own = {runs: (jnp.asarray(indices), jnp.asarray(labels))}
        starts = [task.start(run) for run in range(runs)]
        return {name: jnp.asarray(np.stack([start[name] for start in starts])) for name in starts[0]}, *self._own[runs]


def _epoch_of(task: Task) -> Any:
    """A function that trains every run for one epoch, each in an order of its own."""
    size, images = task.batch_size, task.images
    whole = images // size * size
    gradients = jax.vmap(jax.value_and_grad(_loss_of(task)))
    update = _update_of(task)

    def step(carry: Tree, batch: Tree) -> Tree:
        parameters, slots, pool = carry
        rows, labels = batch
        inputs = pool[rows]
        loss, gradient = gradients(parameters, inputs, labels if task.has_labels else inputs)
        parameters, slots = update(parameters, slots, gradient)
        return (parameters, slots, pool), loss

    def epoch(parameters: Tree, slots: Tree, pool: Tree, indices: Tree, labels: Tree, key: Tree) -> Tree:
        orders = jax.vmap(lambda one: jax.random.permutation(one, images))(jax.random.split(key, len(indices)))
        rows, labels = (jnp.take_along_axis(values, orders, 1) for values in (indices, labels))
        batches = [v[:, :whole].reshape(len(v), -1, size).swapaxes(0, 1) for v in (rows, labels)]
        carry, losses = jax.lax.scan(step, (parameters, slots, pool), tuple(batches))
        if whole < images:
            carry, last = step(carry, (rows[:, whole:], labels[:, whole:]))
            losses = jnp.concatenate([losses, last[None]])
        return carry[0], carry[1], losses.mean(0)

    return epoch


def _loss_of(task: Task) -> Any:
    depth = len(task.layers) - 1

    def loss(parameters: Tree, inputs: Tree, targets: Tree) -> Tree:
        values = inputs
        for i in range(1, depth + 1):
            values = values @ parameters[f"fc{i}.weight"].T + parameters[f"fc{i}.bias"]
            values = jax.nn.relu(values) if i < depth else values
        if not task.has_labels:
            return jnp.square(values - targets).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(values), targets[:, None], 1).mean()

    return loss


def _fresh_slots(task: Task, parameters: Tree) -> Tree:
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    return zeros[0] if isinstance(task.recipe.optimizer, Sgd) else (*zeros, jnp.zeros(()))


def _update_of(task: Task) -> Any:
    """`torch.optim.SGD` or `torch.optim.Adam`, weight decay added to the gradient."""
    spec = task.recipe.optimizer
    lr, decay = spec.lr, spec.weight_decay

    def decayed(parameters: Tree, gradient: Tree) -> Tree:
        return jax.tree.map(lambda p, g: g + decay * p, parameters, gradient) if decay else gradient

    if isinstance(spec, Sgd):

        def sgd(parameters: Tree, slots: Tree, gradient: Tree) -> Tree:
            slots = jax.tree.map(lambda m, g: spec.momentum * m + g, slots, decayed(parameters, gradient))
            return jax.tree.map(lambda p, m: p - lr * m, parameters, slots), slots

        return sgd
    beta_1, beta_2 = spec.betas

    def adam(parameters: Tree, slots: Tree, gradient: Tree) -> Tree:
        means, squares, steps = slots
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
