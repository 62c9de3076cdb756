"""Small runs of the modules in `nets/`, and the loops that a user would write for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load
from torch import nn

from paribus import seeding
from paribus.data.loading import fingerprint, load_splits
from paribus.data.pool import Splits
from paribus.seeding import Streams
from paribus.spec.identity import RunSpec
from paribus.spec.modules import UserModule
from paribus.spec.overrides import merged
from paribus.spec.recipe import Recipe
from paribus.training import modules
from paribus.training.cohort import ActiveRun, Cohort, TrainingState, fresh_state, targets_of
from paribus.training.schedules import schedule_of
from paribus.training.torch.module_child import check
from paribus.training.torch.module_engine import ModuleEngine
from paribus.training.torch.user_code import user_code

NETS = Path(__file__).parent / "nets"
BASE: dict[str, Any] = {
    "data": {"source": "images.npz", "split": {"by": "given"}},
    "network": {"kind": "module", "module": "nets.py:LeNet", "arguments": {"classes": 3}},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"epochs": 3, "batch_size": 16},
}
BLOCKS = {"kind": "module", "module": "nets.py:Blocks", "arguments": {"widths": [4, 6, 8, 8], "classes": 3}}


def prepared(folder: Path, *, side: int = 28, seed: int = 0) -> Path:
    """`folder` with the files of `nets/`, and with images in three classes: 60, 30 and 40 of them."""
    for file in NETS.glob("*.py"):
        shutil.copy(file, folder)
    random = np.random.default_rng(seed)
    centres, arrays = random.integers(40, 215, (side * side, 3)), []
    for examples in (60, 30, 40):
        labels = random.integers(0, 3, examples)
        noise = random.normal(0, 60, (side * side, examples))
        arrays += [np.clip(centres[:, labels] + noise, 0, 255).astype(np.uint8), labels]
    np.savez(folder / "images.npz", *arrays)
    return folder


def active(folder: Path, replicate: int = 0, base: dict[str, Any] = BASE, **over: Any) -> ActiveRun:
    """A run before its first epoch; its module has been checked."""
    recipe = Recipe.model_validate(merged(base, over))
    streams = Streams.of_replicate(7, replicate)
    splits = load_splits(recipe.data, folder, streams)
    module = checked_here(recipe, splits, streams, folder)
    spec = RunSpec(recipe, splits.dataset, streams, fingerprint(recipe.data, folder), "module", module)
    return ActiveRun(spec, splits, fresh_state(spec))


def checked_here(recipe: Recipe, splits: Splits, streams: Streams, folder: Path) -> UserModule:
    """`modules.checked` without its child process, whose start takes seconds."""
    network: Any = recipe.network
    request = modules._request(recipe, splits, streams, folder / network.file, folder)
    return check(json.loads(json.dumps(request)), load(modules._batch(recipe, splits)))


def resumed(run: ActiveRun, state: TrainingState) -> ActiveRun:
    return ActiveRun(run.spec, run.splits, state)


def trained(run: ActiveRun, epochs: int) -> tuple[Cohort, list[Any]]:
    """A cohort after some epochs, with each epoch's losses and validation figures."""
    cohort, figures = Cohort([run], ModuleEngine()), []
    assert run.splits.validation is not None
    cohort.add_set("val", [run.splits.validation])
    for _ in range(epochs):
        batches = -(-cohort.examples // run.spec.recipe.training.batch_size)
        loss = cohort.train_epoch([schedule_of(run.spec.recipe).rates(cohort.epoch, batches)])
        found = cohort.evaluate("val")
        figures.append((loss.by_batch.tobytes(), found.loss.tobytes(), found.correct))
    return cohort, figures


def plain_loop(
    run: ActiveRun,
    criterion: nn.Module,
    optimizer: Any,
    epochs: int,
    scheduler: Any = None,
    images_of: Any = None,
) -> Any:
    """The loop that a user would write: `optimizer` and `scheduler` are given the parameters and the optimizer.

    `images_of` gives an epoch's images in its order, where they are other ones in each epoch.
    """
    spec, train = run.spec, run.splits.train
    network: Any = spec.recipe.network
    torch.manual_seed(seeding.derive(spec.streams.init, "init"))
    model = user_code(spec.module, network.name)(**network.arguments)
    steps = optimizer(model.parameters())
    rates = None if scheduler is None else scheduler(steps)
    images = torch.from_numpy(train.inputs).reshape(len(train), *_shape(spec.dataset.shape))
    images = images if run.splits.scaling.centre is None else _scaled(images, run)
    goals = images if spec.recipe.task == "reconstruction" else torch.tensor(targets_of(train, run.splits))
    size = spec.recipe.training.batch_size
    losses = []
    for epoch in range(epochs):
        key = seeding.derive(spec.streams.module, "module", epoch)
        torch.manual_seed(key)
        order = torch.from_numpy(seeding.draws(spec.streams.order, "order", epoch).permutation(len(train)))
        model.train()
        seen = images[order] if images_of is None else images_of(epoch, order.numpy())
        for batch, shown in zip(order.split(size), seen.split(size), strict=True):
            steps.zero_grad()
            loss = criterion(model(shown), goals[batch])
            loss.backward()
            steps.step()
            if rates is not None:
                rates.step()
            losses.append(loss.item())
    return model, losses


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if len(shape) == 2 else shape


def _scaled(images: torch.Tensor, run: ActiveRun) -> torch.Tensor:
    scaling = run.splits.scaling
    flat = images.flatten(1) - torch.from_numpy(scaling.centre)
    return (flat if scaling.factor is None else flat * torch.from_numpy(scaling.factor)).reshape(images.shape)


def bits(state: Any) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Every tensor of a state, by name: type, shape and content."""
    arrays = {name: np.asarray(value) for name, value in state.items()}
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}
