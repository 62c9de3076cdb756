"""How far paribus lies from plain PyTorch: `make agreement` prints the table and writes docs/agreement.md.

Every network with every optimizer, and every schedule and loss with ShallowMLP, on 1,000 real pictures: once as a run
of paribus, once as the loop that everybody writes (tests/training/plain.py), from the same weights and batches.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from paribus.data.protocols import load_splits
from tests.training.plain import largest_difference, plain_loop

from paribus.execution.environment import environment
from paribus.spec.recipe import Recipe
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.tracker import Tracker

IMAGES = 1000
EPOCHS = (1, 100)
PAGE = Path(__file__).parents[1] / "docs" / "agreement.md"

Tables = Mapping[str, Mapping[str, Any]]
NETWORKS: Mapping[str, Sequence[int]] = {
    "ShallowMLP": (784, 32, 10),
    "DeepMLP": (784, 32, 64, 32, 10),
    "DeepWideMLP": (784, 128, 64, 128, 10),
    "CustomMLP": (784, 256, 128, 64, 128, 10),
    "AE_n16": (4096, 16, 4096),
    "AE_n64": (4096, 64, 4096),
}
OPTIMIZERS: Tables = {
    "SGD": {"kind": "sgd", "lr": 1e-3},
    "SGD, momentum": {"kind": "sgd", "lr": 1e-3, "momentum": 0.9},
    "SGD, Nesterov, decay": {"kind": "sgd", "lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "Adam": {"kind": "adam", "lr": 2e-4},
    "Adam, decay": {"kind": "adam", "lr": 2e-4, "weight_decay": 2.5e-5},
    "AdamW": {"kind": "adamw", "lr": 2e-4, "weight_decay": 1e-2},
}
SCHEDULES: Tables = {
    "step": {"kind": "step", "step_size": 30},
    "multi-step": {"kind": "multi-step", "milestones": [20, 60]},
    "exponential": {"kind": "exponential", "gamma": 0.98},
    "cosine, warm-up": {"kind": "cosine", "warmup_epochs": 5},
    "reduce-on-plateau": {"kind": "reduce-on-plateau", "metric": "train_loss", "patience": 2},
}


@dataclass(frozen=True)
class Line:
    """Largest relative differences after each of `EPOCHS`: of a weight (to the largest of its tensor), of the loss."""

    network: str
    what: str
    weights: tuple[float, ...]
    losses: tuple[float, ...]


def recipe(network: str, optimizer: Mapping[str, Any], **more: Mapping[str, Any]) -> Recipe:
    """The published settings of a network, at a hundred epochs of `IMAGES` pictures."""
    layers = NETWORKS[network]
    faces = layers[0] == 4096
    return Recipe.model_validate({
        "data": {"protocol": "faces/all"} if faces else {"protocol": "fashion-mnist/scarce", "train_images": IMAGES},
        "network": {"kind": "autoencoder" if faces else "mlp", "layers": layers},
        "loss": {"kind": "mse" if faces else "cross-entropy"},
        "training": {"epochs": EPOCHS[-1], "batch_size": 64 if faces else 128},
        "optimizer": optimizer,
        **more,
    })  # fmt: skip


def cases() -> Iterator[tuple[str, str, Recipe]]:
    """(network, what is tried, recipe)."""
    for network in NETWORKS:
        for name, optimizer in OPTIMIZERS.items():
            yield network, name, recipe(network, optimizer)
    momentum = OPTIMIZERS["SGD, momentum"]
    for name, schedule in SCHEDULES.items():
        yield "ShallowMLP", f"SGD, momentum; {name}", recipe("ShallowMLP", momentum, schedule=schedule)
    yield "ShallowMLP", "SGD, momentum; label smoothing", recipe("ShallowMLP", momentum, loss={"label_smoothing": 0.1})


def compared(network: str, what: str, of: Recipe) -> Line:
    """Train both ways and compare after each of `EPOCHS`."""
    run = Member(what, of, 0, 0, load_splits(of.data, seed=0, replicate=0), fresh_state(of, 0, 0))
    cohort, tracker = Cohort([run]), Tracker(of)
    weights: list[float] = []
    losses: list[float] = []
    for epochs in EPOCHS:
        while cohort.epoch < epochs:
            rate = tracker.rates.rate(cohort.epoch)
            loss = float(cohort.train_epoch([rate])[0])
            tracker.rates.observe({"train_loss": loss})
        net, plain_losses, _ = plain_loop(run, epochs)
        weights.append(largest_difference(net, dict(cohort.state(0).tensors)))
        losses.append(abs(loss - plain_losses[-1]) / plain_losses[-1])
    return Line(network, what, tuple(weights), tuple(losses))


def page(lines: Sequence[Line]) -> str:
    """docs/agreement.md."""
    head = "| network | " + " | ".join(["optimizer; schedule or loss", *(f"weights, {e}" for e in EPOCHS),
                                        *(f"loss, {e}" for e in EPOCHS)]) + " |"  # fmt: skip
    rows = [
        f"| {line.network} | {line.what} | " + " | ".join(f"{v:.1e}" for v in (*line.weights, *line.losses)) + " |"
        for line in lines
    ]
    worst = {kind: max(max(line.losses) for line in lines if line.what.startswith(kind)) for kind in ("SGD", "Adam")}
    sgd, adam = _rounded_up(worst["SGD"]), _rounded_up(worst["Adam"])
    after = " and after ".join(map(str, EPOCHS))
    return f"""# Equal to PyTorch

A run of paribus beside the plain loop (`torch.nn.Linear`, `torch.optim`, `torch.optim.lr_scheduler`, autograd) from the
same initial weights and the same batches: the largest relative difference after {after} epochs.
Weights are relative to the largest of their tensor. {IMAGES:,} pictures of Fashion-MNIST or the 400 faces.

{head}
|{"---|" * (2 + 2 * len(EPOCHS))}
{chr(10).join(rows)}

What is not zero comes from rounding: paribus multiplies padded tiles, sums batches in its own order and takes
exponentials of its own, so that a run has the same bits in any company and on every processor, and what a sum or an
exponential ends in depends on how it is made (6e-8). What becomes of that is the training's own doing. SGD mostly
carries it along, and enlarges it where a unit is about to switch on or off: the losses above stay within {sgd}.
Adam divides a gradient by its own size, so a weight whose gradient is nearly zero can take a step of another sign; such
weights matter little to the loss, within {adam}.

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
    with torch.no_grad():
        for network, what, of in cases():
            lines.append(compared(network, what, of))
            print(lines[-1], flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(lines), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
