"""Small recipes on small slices of real data, and the plain PyTorch loop that they are held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from paribus.data.protocols import load_splits
from paribus.spec.overrides import merged
from paribus.spec.recipe import Recipe
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.devices import settle_thread

CLASSIFIER: dict[str, Any] = {
    "data": {"protocol": "fashion-mnist/scarce", "train_images": 300, "validation_images": 150},
    "network": {"layers": [784, 32, 10]},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"epochs": 4, "batch_size": 64},
}
AUTOENCODER: dict[str, Any] = {
    "data": {"protocol": "faces/all", "train_images": 90},
    "network": {"kind": "autoencoder", "layers": [4096, 16, 4096]},
    "loss": {"kind": "mse"},
    "optimizer": {"kind": "adam", "lr": 1e-3, "weight_decay": 2.5e-5},
    "training": {"epochs": 2, "batch_size": 64},
}


def recipe(base: dict[str, Any] = CLASSIFIER, **over: Any) -> Recipe:
    return Recipe.model_validate(merged(base, over))


def member(of: Recipe, replicate: int = 0, seed: int = 7) -> Member:
    splits = load_splits(of.data, seed=seed, replicate=replicate)
    name = f"{of.model_dump_json()}/{replicate}"
    return Member(name, of, seed, replicate, splits, fresh_state(of, seed, replicate))


Told = dict[str, tuple[dict[str, torch.Tensor], list[tuple[float, ...]]]]


def trained(members: list[Member], epochs: int = 2) -> Told:
    """By run: the whole training state after `epochs`, and (train loss, val loss, val accuracy) of every epoch."""
    cohort = Cohort(members)
    held_out = [m.splits.validation for m in cohort.streams if m.splits.validation is not None]
    if held_out:
        cohort.add_set("val", held_out)
    told: list[list[tuple[float, ...]]] = [[] for _ in members]
    for _ in range(epochs):
        losses = cohort.train_epoch([m.recipe.optimizer.lr for m in cohort.members])
        measured = cohort.evaluate("val") if held_out else None
        for run, loss in enumerate(losses):
            extra = () if measured is None else (float(measured.loss[run]), float(measured.accuracy[run]))
            told[run].append((float(loss), *extra))
    return {m.run_id: (dict(cohort.state(run).tensors), told[run]) for run, m in enumerate(cohort.members)}


def differing(a: Told, b: Told) -> list[str]:
    """Runs of `a` that `b` tells otherwise, in any bit; what is not a number, as after diverging, has bits, too."""
    return [run for run, told in a.items() if _bits(told) != _bits(b[run])]


def _bits(told: tuple[dict[str, torch.Tensor], list[tuple[float, ...]]]) -> tuple[dict[str, bytes], bytes]:
    tensors, numbers = told
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, np.array(numbers).tobytes()


@pytest.fixture(autouse=True)
def one_thread():
    """As a worker sets it: a cohort trains on one thread, without autograd."""
    before = torch.get_num_threads()
    settle_thread()
    with torch.no_grad():
        yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)
