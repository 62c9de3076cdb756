"""First-layer weights as images: at the selected epoch, and over the epochs that were kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results, Run

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class History:
    """First-layer weights of one run over its kept epochs (0 is the random start).

    `epoch` is (k,), `weights` (k, unit, pixel); `shape` is (height, width) of a unit's image, None where pixels make
    no image.
    """

    arm: str
    replicate: int
    epoch: npt.NDArray[np.int64]
    weights: Floats
    shape: tuple[int, int] | None


def history(results: Results, run: Run) -> History | None:
    """The first layer at every interval snapshot of a run, or None where it kept none."""
    kept = _kept(run)
    if not kept:
        return None
    epochs = sorted(kept)
    weights = np.stack([np.asarray(results.load(kept[epoch])["fc1.weight"], np.float32) for epoch in epochs])
    shape = image_shape(results, run, weights.shape[2])
    return History(run.arm, run.replicate, np.array(epochs, np.int64), weights, shape)


def random_start(results: Results, run: Run) -> Floats | None:
    """First-layer weights (unit, pixel) before training; None where epoch 0 was not kept."""
    tensors = _kept(run).get(0)
    return None if tensors is None else np.asarray(results.load(tensors)["fc1.weight"], np.float32)


def network(results: Results, run: Run, rule: str) -> dict[str, Floats] | None:
    """The whole network at a selection rule's epoch, named as PyTorch names it; None where none was kept."""
    chosen = run.selections.get(rule)
    if chosen is None or chosen.tensors is None:
        return None
    return {name: np.asarray(value, np.float32) for name, value in results.load(chosen.tensors).items()}


def first_layer(results: Results, run: Run, rule: str) -> Floats | None:
    """First-layer weights (unit, pixel) at a selection rule's epoch; None where none were kept."""
    layers = network(results, run, rule)
    return None if layers is None else layers["fc1.weight"]


def image_shape(results: Results, run: Run, pixels: int) -> tuple[int, int] | None:
    """(height, width) of the run's images: as kept with its examples, else square, else None."""
    examples = results.artifact(run, "", "examples")
    if examples is not None and "shape" in examples:
        height, width = (int(side) for side in examples["shape"])
        if height * width == pixels:
            return height, width
    side = math.isqrt(pixels)
    return (side, side) if side * side == pixels else None


def _kept(run: Run) -> dict[int, str]:
    """Epoch to the tensors that hold its first layer: by itself where it was kept so, else within the network."""
    networks = {snapshot.epoch: snapshot.tensors for snapshot in run.snapshots if snapshot.part == "network"}
    layers = {snapshot.epoch: snapshot.tensors for snapshot in run.snapshots if snapshot.part == "first-layer"}
    return networks | layers
