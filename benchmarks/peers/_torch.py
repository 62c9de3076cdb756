"""What the PyTorch peers share: a network, its loss and its optimizer, as people write them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from benchmarks.peers._base import RunWeights, Weights, cores
from benchmarks.tasks import Task
from paribus.spec.optimizers import Adam, Sgd

LossOf = Callable[[Tensor, Tensor], Tensor]


def network(task: Task, run: int) -> nn.Sequential:
    """Layers fc1, fc2, ... with ReLU between them, with the initial weights of `run`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    widths = list(pairwise(task.widths))
    for i, (width_in, width_out) in enumerate(widths, start=1):
        layers[f"fc{i}"] = nn.Linear(width_in, width_out)
        if i < len(widths):
            layers[f"relu{i}"] = nn.ReLU()
    model = nn.Sequential(layers)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in task.initial_weights(run).items()})
    return model


def weights(model: nn.Module) -> Weights:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def loss_of(task: Task) -> LossOf:
    """Mean cross-entropy of (output, labels), or mean squared error of (output, inputs)."""
    return F.cross_entropy if task.has_classes else F.mse_loss


def optimizer_of(task: Task, parameters: Iterable[Tensor], *, fused: bool) -> torch.optim.Optimizer:
    spec = task.recipe.optimizer
    chosen: dict[str, Any] = {"lr": spec.lr, "weight_decay": spec.weight_decay, **({"fused": True} if fused else {})}
    match spec:
        case Sgd():
            return torch.optim.SGD(parameters, momentum=spec.momentum, nesterov=spec.nesterov, **chosen)
        case Adam():
            return torch.optim.Adam(parameters, betas=spec.betas, eps=spec.eps, **chosen)
    raise ValueError(f"no task has the optimizer {spec.kind}")


def data_of(task: Task, run: int) -> tuple[Tensor, Tensor]:
    """Inputs (example, pixel) and targets of one run: labels (example,), or the inputs themselves."""
    inputs = torch.from_numpy(task.inputs(run))
    return inputs, torch.from_numpy(task.labels(run)) if task.has_classes else inputs


def stacked_weights(task: Task, runs: int, device: str = "cpu") -> dict[str, Tensor]:
    """The initial weights of runs 0 to `runs` - 1: one tensor (run, ...) for each parameter."""
    weights = [task.initial_weights(run) for run in range(runs)]
    return {name: torch.from_numpy(np.stack([own[name] for own in weights])).to(device) for name in weights[0]}


class StackedData:
    """The images of many runs: one pool, and the rows of it that each run trains on."""

    def __init__(self, task: Task, runs: int, device: str = "cpu") -> None:
        self.pool = torch.from_numpy(task.pool).to(device)
        self._rows = torch.from_numpy(np.stack([task.rows(run) for run in range(runs)])).to(device)
        labels = np.stack([task.labels(run) for run in range(runs)]) if task.has_classes else None
        self._labels = None if labels is None else torch.from_numpy(labels).to(device)
        self._batch_size, self._runs = task.batch_size, runs
        self._generator = torch.Generator().manual_seed(0)

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        """The batches of an epoch: inputs (run, example, pixel), and targets: labels (run, example), or the inputs.

        Each run has an order of its own.
        """
        examples = self._rows.shape[1]
        orders = torch.stack([torch.randperm(examples, generator=self._generator) for _ in range(self._runs)])
        orders = orders.to(self.pool.device)
        rows = self._rows.gather(1, orders)
        labels = None if self._labels is None else self._labels.gather(1, orders)
        for start in range(0, examples, self._batch_size):
            batch = rows[:, start : start + self._batch_size]
            inputs = self.pool.index_select(0, batch.reshape(-1)).view(*batch.shape, -1)
            if labels is None:
                yield inputs, inputs
            else:
                # copied, so that strides do not depend on the number of examples: compiled code then compiles once
                own = labels[:, start : start + self._batch_size]
                yield inputs, own.clone(memory_format=torch.contiguous_format)


def unstacked(parameters: dict[str, Tensor], runs: Iterable[int]) -> Iterator[RunWeights]:
    for run in runs:
        yield RunWeights(run, {name: tensor[run].detach().cpu().numpy() for name, tensor in parameters.items()})


def faster_threads(timed_s: Callable[[], float]) -> int:
    """One thread, or one for each core, whichever makes the seconds that `timed_s` returns fewer; it is set."""
    seconds: dict[int, float] = {}
    for threads in {1, cores()}:
        torch.set_num_threads(threads)
        timed_s()
        seconds[threads] = min(timed_s() for _ in range(3))
    best = min(seconds, key=seconds.__getitem__)
    torch.set_num_threads(best)
    return best
