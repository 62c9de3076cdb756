"""How far paribus differs from plain PyTorch: `make agreement` prints the table and writes docs/agreement.md.

Every network with every optimizer, and every schedule, loss, activation and clipping with ShallowMLP, on 1,000 images:
once as a run of paribus, once as the loop that everybody writes (tests/training/oracle.py) at the learning rates of
`torch.optim.lr_scheduler`, from the same initial weights and with the same batches.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

from paribus import seeding
from paribus.data.loading import fingerprint, load_splits
from paribus.execution.environment import environment
from paribus.seeding import Streams
from paribus.spec.identity import RunSpec
from paribus.spec.recipe import Recipe
from paribus.training.cohort import ActiveRun, Cohort, architecture, fresh_state
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import Doubles, RunSettings, State
from paribus.training.schedules import schedule_of
from tests.training.oracle import plain_loop

EXAMPLES = 1000
EPOCHS = (1, 100)
ALL_EPOCHS = max(EPOCHS)
PAGE = Path(__file__).parents[1] / "docs" / "agreement.md"

Table = Mapping[str, Any]
Scheduler = Callable[[torch.optim.Optimizer, int], Any]
"""Makes the scheduler of an optimizer, from the number of training steps of an epoch."""


@dataclass(frozen=True)
class ScheduleCase:
    """A schedule of paribus, and PyTorch's."""

    table: Table
    scheduler: Scheduler


NETWORKS: Mapping[str, Sequence[int]] = {
    "ShallowMLP": (32,),
    "DeepMLP": (32, 64, 32),
    "DeepWideMLP": (128, 64, 128),
    "CustomMLP": (256, 128, 64, 128),
    "AE_n16": (16,),
    "AE_n64": (64,),
}
"""The widths of the hidden layers."""
OPTIMIZERS: Mapping[str, Table] = {
    "SGD": {"kind": "sgd", "lr": 1e-3},
    "SGD, momentum": {"kind": "sgd", "lr": 1e-3, "momentum": 0.9},
    "SGD, Nesterov, decay": {"kind": "sgd", "lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "Adam": {"kind": "adam", "lr": 2e-4},
    "Adam, decay": {"kind": "adam", "lr": 2e-4, "weight_decay": 2.5e-5},
    "AdamW": {"kind": "adamw", "lr": 2e-4, "weight_decay": 1e-2},
    "RMSprop": {"kind": "rmsprop", "lr": 2e-4},
}
CONSTANT = ScheduleCase({"kind": "constant"}, lambda o, _: schedulers.ConstantLR(o, 1.0))
SCHEDULES: Mapping[str, ScheduleCase] = {
    "step": ScheduleCase({"kind": "step", "step_size": 30}, lambda o, _: schedulers.StepLR(o, 30)),
    "multi-step": ScheduleCase(
        {"kind": "multi-step", "milestones": [20, 60]}, lambda o, _: schedulers.MultiStepLR(o, [20, 60])
    ),
    "exponential": ScheduleCase({"kind": "exponential", "gamma": 0.98}, lambda o, _: schedulers.ExponentialLR(o, 0.98)),
    "cosine, warm-up": ScheduleCase(
        {"kind": "cosine", "warmup_epochs": 5},
        lambda o, _: schedulers.SequentialLR(
            o, [schedulers.LinearLR(o, 0.1, total_iters=5), schedulers.CosineAnnealingLR(o, ALL_EPOCHS - 5)], [5]
        ),
    ),
    "cosine with restarts": ScheduleCase(
        {"kind": "cosine-restarts", "first_cycle": 25}, lambda o, _: schedulers.CosineAnnealingWarmRestarts(o, 25)
    ),
    "one-cycle": ScheduleCase(
        {"kind": "one-cycle"}, lambda o, steps: schedulers.OneCycleLR(o, 1e-3, total_steps=ALL_EPOCHS * steps)
    ),
    "reduce-on-plateau": ScheduleCase(
        {"kind": "reduce-on-plateau", "metric": "train_loss", "patience": 2, "threshold": 0.03, "factor": 0.5},
        lambda o, _: schedulers.ReduceLROnPlateau(o, factor=0.5, patience=2, threshold=0.03),
    ),
}
OTHERS: Mapping[str, Mapping[str, Table]] = {
    "label smoothing": {"loss": {"label_smoothing": 0.1}},
    "class weights": {"loss": {"class_weights": [0.5, 1, 2, 1, 1, 3, 1, 0.25, 1, 1]}},
    "clipping by norm": {"training": {"clip": {"norm": 1.0}}},
    "clipping by value": {"training": {"clip": {"value": 0.01}}},
    **{name: {"network": {"activation": name}} for name in ("leaky-relu", "elu", "tanh", "sigmoid", "gelu", "silu")},
}
"""What else is compared: keys of a recipe's tables."""


@dataclass(frozen=True)
class Case:
    """A network, what is compared with it, its recipe, and PyTorch's scheduler."""

    network: str
    settings: str
    recipe: Recipe
    scheduler: Scheduler


@dataclass(frozen=True)
class Line:
    """The largest relative differences after each of `EPOCHS`: of a weight (relative to the largest of its tensor), and
    of the training loss."""

    network: str
    settings: str
    weights: tuple[float, ...]
    losses: tuple[float, ...]


def cases() -> Iterator[Case]:
    """Everything that is compared, in the order of the table."""
    for network in NETWORKS:
        for name, optimizer in OPTIMIZERS.items():
            yield Case(network, name, recipe(network, optimizer), CONSTANT.scheduler)
    momentum = OPTIMIZERS["SGD, momentum"]
    for name, case in SCHEDULES.items():
        of = recipe("ShallowMLP", momentum, {"schedule": case.table})
        yield Case("ShallowMLP", f"SGD, momentum; {name}", of, case.scheduler)
    for name, tables in OTHERS.items():
        of = recipe("ShallowMLP", momentum, tables)
        yield Case("ShallowMLP", f"SGD, momentum; {name}", of, CONSTANT.scheduler)


def recipe(network: str, optimizer: Table, more: Mapping[str, Table] = MappingProxyType({})) -> Recipe:
    """The published settings of a network, for `ALL_EPOCHS` epochs of `EXAMPLES` images; `more` adds keys to tables."""
    faces = network.startswith("AE")
    fashion = {"source": "fashion-mnist", "split": "scarce", "limit": {"train": EXAMPLES}}
    tables: dict[str, Table] = {
        "data": {"source": "faces", "split": "all"} if faces else fashion,
        "network": {"kind": "autoencoder" if faces else "mlp", "hidden": NETWORKS[network]},
        "loss": {"kind": "mse" if faces else "cross-entropy"},
        "training": {"epochs": ALL_EPOCHS, "batch_size": 64 if faces else 128},
        "optimizer": optimizer,
    }
    return Recipe.model_validate({name: {**tables.get(name, {}), **more.get(name, {})} for name in {**tables, **more}})


def compared(case: Case) -> Line:
    """Train both ways and compare after each of `EPOCHS`."""
    run = _run(case.recipe)
    cohort, schedule = Cohort([run], CompiledEngine()), schedule_of(case.recipe)
    batches = -(-cohort.examples // case.recipe.training.batch_size)
    losses: list[float] = []
    weights: dict[int, State] = {}
    while cohort.epoch < ALL_EPOCHS:
        losses.append(float(cohort.train_epoch([schedule.rates(cohort.epoch, batches)]).by_batch[0]))
        schedule.observe({"train_loss": losses[-1]})
        if cohort.epoch in EPOCHS:
            weights[cohort.epoch] = cohort.weights(0)
    rates = torch_rates(case, losses, batches)
    weight_differences: list[float] = []
    loss_differences: list[float] = []
    for epochs in EPOCHS:
        plain = _plain(run, rates, epochs)
        weight_differences.append(_largest_difference(weights[epochs], plain.weights))
        loss_differences.append(abs(losses[epochs - 1] - plain.loss) / plain.loss)
    return Line(case.network, case.settings, tuple(weight_differences), tuple(loss_differences))


@dataclass(frozen=True)
class Rates:
    """Learning rates (epoch, batch), and momenta (epoch, batch) where the schedule cycles them."""

    learning_rates: Doubles
    momenta: Doubles | None


def torch_rates(case: Case, losses: Sequence[float], batches: int) -> Rates:
    """The rates of PyTorch's scheduler, which sees the training loss of each epoch if it asks for it."""
    spec = case.recipe.optimizer
    momentum = getattr(spec, "momentum", 0.0)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], spec.lr, momentum=momentum)
    scheduler = case.scheduler(optimizer, batches)
    rates, momenta = np.zeros((len(losses), batches)), np.zeros((len(losses), batches))
    by_batch = isinstance(scheduler, schedulers.OneCycleLR)
    for epoch, loss in enumerate(losses):
        for batch in range(batches):
            group = optimizer.param_groups[0]
            rates[epoch, batch], momenta[epoch, batch] = group["lr"], group["momentum"]
            optimizer.step()
            if by_batch and (epoch, batch) != (len(losses) - 1, batches - 1):
                scheduler.step()
        if isinstance(scheduler, schedulers.ReduceLROnPlateau):
            scheduler.step(loss)
        elif not by_batch:
            scheduler.step()
    return Rates(rates, momenta if by_batch else None)


@dataclass(frozen=True)
class _Plain:
    """The weights after some epochs of the plain loop, and the mean training loss of the last one."""

    weights: State
    loss: float


def _plain(run: ActiveRun, rates: Rates, epochs: int) -> _Plain:
    of, train = run.spec.recipe, run.splits.train
    orders = [seeding.draws(run.spec.streams.order, "order", e).permutation(len(train)) for e in range(epochs)]
    found = plain_loop(
        architecture(run.spec),
        RunSettings(of.loss, of.optimizer, of.network.dropout, of.training.clip),
        train.inputs,
        train.labels if of.loss.has_classes else None,
        orders,
        rates.learning_rates,
        run.state.tensors,
        of.training.batch_size,
        momenta=rates.momenta,
    )
    weights = {name: tensor for name, tensor in found.state.items() if "/" not in name}
    return _Plain(weights, float(np.mean(found.losses[-1])))


def _run(of: Recipe) -> ActiveRun:
    """Replicate 0 of a recipe, before its first epoch."""
    streams = Streams.of_replicate(seed=0, index=0)
    splits = load_splits(of.data, Path(), streams)
    spec = RunSpec(of, splits.dataset, streams, fingerprint(of.data, Path()))
    return ActiveRun(spec, splits, fresh_state(spec))


def _largest_difference(ours: State, theirs: State) -> float:
    """Of any weight, relative to the largest of its tensor."""
    return max(float(np.abs(ours[name] - tensor).max() / np.abs(tensor).max()) for name, tensor in theirs.items())


def page(lines: Sequence[Line]) -> str:
    """docs/agreement.md."""
    heads = ["network", "optimizer; schedule, loss, clipping or activation"]
    heads += [f"{kind}, {epochs}" for kind in ("weights", "loss") for epochs in EPOCHS]
    rows = [
        f"| {line.network} | {line.settings} | " + " | ".join(f"{v:.1e}" for v in (*line.weights, *line.losses)) + " |"
        for line in lines
    ]
    sgd = _rounded_up(max(max(line.losses) for line in lines if line.settings.startswith("SGD")))
    others = _rounded_up(max(max(line.losses) for line in lines if not line.settings.startswith("SGD")))
    after = " and after ".join(map(str, EPOCHS))
    return f"""# Equal to PyTorch

A run of paribus and the plain loop (`torch.nn`, `torch.optim`, `torch.optim.lr_scheduler`, autograd) from the same
initial weights and with the same batches: the largest relative difference after {after} epochs. Weights are relative
to the largest of their tensor. The data are {EXAMPLES:,} images of Fashion-MNIST, or the 400 faces.

| {" | ".join(heads)} |
|{"---|" * len(heads)}
{chr(10).join(rows)}

The differences come from rounding. The result of a sum depends on the order of its terms, and that of an exponential on
how it is computed, in the last place (6e-8). paribus has its own order of sums and its own exponentials, so that a run
has the same bits in every cohort and on every processor. Training then enlarges such a difference or not. With SGD it
mostly stays as small, and grows where a unit is about to become active or inactive: the losses above agree within
{sgd}. Adam and RMSprop divide a gradient by its own size, so a weight whose gradient is nearly zero can take a step in
the other direction; such weights have little effect on the loss, which agrees within {others}.

Measured by `make agreement` on: {_machine()}.
"""


def _machine() -> str:
    here = environment()
    return (
        f"{here['processor']}, {here['system']}, torch {torch.__version__}, {here['vector_instructions']}, one thread"
    )


def _rounded_up(value: float) -> str:
    power = math.floor(math.log10(value))
    return f"{math.ceil(value / 10**power)}e{power:+03d}".replace("e-0", "e-")


def main() -> None:
    """Print every line as it comes, and write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    lines: list[Line] = []
    for case in cases():
        lines.append(compared(case))
        print(lines[-1], flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(lines), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
