"""What the PyTorch peers share: a network, its loss and its optimizer, as a person would write them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from benchmarks.peers._base import Weights, cores
from benchmarks.tasks import Task
from paribus.spec.recipe import Sgd

LossOf = Callable[[Tensor, Tensor], Tensor]


def network(task: Task, run: int) -> nn.Sequential:
    """Layers fc1, fc2, ... with ReLU between, at the start of `run`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    widths = list(pairwise(task.layers))
    for i, (width_in, width_out) in enumerate(widths, start=1):
        layers[f"fc{i}"] = nn.Linear(width_in, width_out)
        if i < len(widths):
            layers[f"relu{i}"] = nn.ReLU()
    model = nn.Sequential(layers)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in task.start(run).items()})
    return model


def weights(model: nn.Module) -> Weights:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def loss_of(task: Task) -> LossOf:
    """Mean cross-entropy of (output, labels), or mean squared error of (output, inputs)."""
    return F.cross_entropy if task.has_labels else F.mse_loss


def optimizer_of(task: Task, parameters: Iterable[Tensor], *, fused: bool) -> torch.optim.Optimizer:
    spec = task.recipe.optimizer
    chosen: dict[str, Any] = {"fused": True} if fused else {}
    if isinstance(spec, Sgd):
        return torch.optim.SGD(
            parameters,
            spec.lr,
            momentum=spec.momentum,
            nesterov=spec.nesterov,
            weight_decay=spec.weight_decay,
            **chosen,
        )
    return torch.optim.Adam(
        parameters, spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay, **chosen
    )


def data_of(task: Task, run: int) -> tuple[Tensor, Tensor]:
    """Inputs (image, pixel) and targets of one run: labels (image,), or the inputs themselves."""
    inputs = torch.from_numpy(task.inputs(run))
    return inputs, torch.from_numpy(task.labels(run)) if task.has_labels else inputs


def stacked_start(task: Task, runs: int, device: str = "cpu") -> dict[str, Tensor]:
    """The starts of runs 0 to `runs` - 1, one tensor (run, ...) a parameter."""
    starts = [task.start(run) for run in range(runs)]
    return {name: torch.from_numpy(np.stack([start[name] for start in starts])).to(device) for name in starts[0]}


class StackedData:
    """The images of many runs: one pool, and for each run which of them are its own."""

    def __init__(self, task: Task, runs: int, device: str = "cpu") -> None:
        self.pool = torch.from_numpy(task.pool.copy()).to(device)
        self._indices = torch.from_numpy(np.stack([task.indices(run) for run in range(runs)])).to(device)
        labels = np.stack([task.labels(run) for run in range(runs)]) if task.has_labels else None
        self._labels = None if labels is None else torch.from_numpy(labels).to(device)
        self._batch_size, self._runs = task.batch_size, runs
        self._generator = torch.Generator().manual_seed(0)

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        """An epoch: (run, row, pixel) and targets, labels (run, row) or the inputs; each run in an order of its own."""
        images = self._indices.shape[1]
        orders = torch.stack([torch.randperm(images, generator=self._generator) for _ in range(self._runs)])
        orders = orders.to(self.pool.device)
        rows = self._indices.gather(1, orders)
        labels = None if self._labels is None else self._labels.gather(1, orders)
        for start in range(0, images, self._batch_size):
            batch = rows[:, start : start + self._batch_size]
            inputs = self.pool.index_select(0, batch.reshape(-1)).view(*batch.shape, -1)
            yield inputs, inputs if labels is None else labels[:, start : start + self._batch_size]


def unstacked(parameters: dict[str, Tensor], runs: Iterable[int]) -> Iterator[tuple[int, Weights]]:
    for run in runs:
        yield run, {name: tensor[run].detach().cpu().numpy() for name, tensor in parameters.items()}


def quicker_threads(trial: Callable[[], float]) -> int:
    """One thread or one a core, whichever `trial` (which says its seconds) does sooner on; set when this returns."""
    seconds: dict[int, float] = {}
    for threads in {1, cores()}:
        torch.set_num_threads(threads)
        trial()
        seconds[threads] = min(trial() for _ in range(3))
    best = min(seconds, key=seconds.__getitem__)
    torch.set_num_threads(best)
    return best
