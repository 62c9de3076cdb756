"""Small recipes on small slices of real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paribus.data.loading import fingerprint, load_splits
from paribus.seeding import Streams
from paribus.spec.identity import RunSpec
from paribus.spec.overrides import merged
from paribus.spec.recipe import Recipe
from paribus.training.cohort import ActiveRun, Cohort, fresh_state
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import Engine
from paribus.training.schedules import schedule_of

CLASSIFIER: dict[str, Any] = {
    "data": {"source": "fashion-mnist", "split": {"by": "scarce"}, "limit": {"train": 300, "validation": 150}},
    "network": {"hidden": [32]},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"epochs": 4, "batch_size": 64},
}
AUTOENCODER: dict[str, Any] = {
    "data": {"source": "faces", "split": {"by": "all"}, "limit": {"train": 90}},
    "network": {"kind": "autoencoder", "hidden": [16]},
    "loss": {"kind": "mse"},
    "optimizer": {"kind": "adam", "lr": 1e-3, "weight_decay": 2.5e-5},
    "training": {"epochs": 4, "batch_size": 64},
}


def recipe(base: dict[str, Any] = CLASSIFIER, **over: Any) -> Recipe:
    """`base` with other tables laid over it; a table of another `kind` replaces the one below."""
    return Recipe.model_validate(merged(base, over))


def without(base: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in base.items() if key not in keys}


def run_spec(of: Recipe, replicate: int = 0, seed: int = 7) -> RunSpec:
    return active(of, replicate, seed).spec


def active(of: Recipe, replicate: int = 0, seed: int = 7) -> ActiveRun:
    """A run of a recipe before its first epoch."""
    streams = Streams.of_replicate(seed, replicate)
    splits = load_splits(of.data, Path(), streams)
    spec = RunSpec(of, splits.dataset, streams, fingerprint(of.data, Path()))
    return ActiveRun(spec, splits, fresh_state(spec))


Trained = dict[str, tuple[dict[str, np.ndarray], list[tuple[float, ...]]]]


def trained(runs: list[ActiveRun], epochs: int = 2, engine: Engine | None = None) -> Trained:
    """By run: the whole training state after `epochs`, and each epoch's training loss and validation figures."""
    cohort = Cohort(runs, engine or CompiledEngine())
    held_out = [run.splits.validation for run in cohort.leaders if run.splits.validation is not None]
    if held_out:
        cohort.add_set("val", held_out)
    figures: list[list[tuple[float, ...]]] = [[] for _ in runs]
    for _ in range(epochs):
        loss = train_epoch(cohort)
        found = cohort.evaluate("val") if held_out else None
        for run, value in enumerate(loss):
            extra = [] if found is None else [found.loss[run]]
            extra += [] if found is None or found.correct is None else [found.correct[run]]
            figures[run].append((float(value), *map(float, extra)))
    return {run.spec.id: (dict(cohort.state(i).tensors), figures[i]) for i, run in enumerate(cohort.runs)}


def train_epoch(cohort: Cohort) -> np.ndarray:
    """One epoch at the learning rates of each run's schedule; the training loss (run,)."""
    batches = -(-cohort.examples // cohort.runs[0].spec.recipe.training.batch_size)
    rates = [schedule_of(run.spec.recipe).rates(cohort.epoch, batches) for run in cohort.runs]
    return cohort.train_epoch(rates).by_batch


def differing(a: Trained, b: Trained) -> list[str]:
    """Runs of `a` that differ from those of `b` in any bit; NaN, as after diverging, has bits, too."""
    return [run for run, one in a.items() if _bits(one) != _bits(b[run])]


def _bits(one: tuple[dict[str, np.ndarray], list[tuple[float, ...]]]) -> tuple[dict[str, bytes], bytes]:
    tensors, figures = one
    return {name: tensor.tobytes() for name, tensor in tensors.items()}, np.array(figures).tobytes()
