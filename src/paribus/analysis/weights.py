"""First-layer weights as images: at the selected epoch, and over the epochs that were kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.network import Module, tied_layers

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class History:
    """First-layer weights of one run over its kept epochs (0 has the initial ones).

    `epoch` is (k,), `weights` (k, unit, feature); `shape` is (height, width) of a unit's image, None where examples are
    no images.
    """

    arm: str
    replicate: int
    epoch: npt.NDArray[np.int64]
    weights: Floats
    shape: tuple[int, int] | None


def history(results: Results, run: Run) -> History | None:
    """The first layer at every interval snapshot of a run, or None where it kept none, and of a module."""
    kept = _kept(run)
    if not kept or not results.layers(run.arm):
        return None
    epochs = sorted(kept)
    first = f"{results.layers(run.arm)[0]}.weight"
    weights = np.stack([np.asarray(run.tensors.get(kept[epoch])[first], np.float32) for epoch in epochs])
    return History(run.arm, run.replicate, np.array(epochs, np.int64), weights, image_shape(run))


def layer_weights(results: Results, run: Run, rule: str) -> tuple[Floats, ...] | None:
    """The weights (out, in) of every fully connected layer at a selection rule's epoch, from input to output; None if
    not kept, and of a module."""
    chosen = run.selections.get(rule)
    if chosen is None or chosen.tensors is None or not results.layers(run.arm):
        return None
    state = run.tensors.get(chosen.tensors)
    layers, network = results.layers(run.arm), results.recipe(run.arm).network
    is_tied = not isinstance(network, Module) and network.ties_weights
    tied = tied_layers((0,) * (len(layers) + 1)) if is_tied else {}
    found = [state[f"{tied[name]}.weight"].T if name in tied else state[f"{name}.weight"] for name in layers]
    return tuple(np.asarray(weight, np.float32) for weight in found)


def image_shape(run: Run) -> tuple[int, int] | None:
    """(height, width) of the run's examples; None where they are not images."""
    shape = run.dataset.shape
    return (shape[0], shape[1]) if len(shape) == 2 else None


def _kept(run: Run) -> dict[int, str]:
    """Epoch to the tensors that hold its first layer: by itself where it was kept so, else within the network."""
    networks = {snapshot.epoch: snapshot.tensors for snapshot in run.snapshots if snapshot.part == "network"}
    layers = {snapshot.epoch: snapshot.tensors for snapshot in run.snapshots if snapshot.part == "first-layer"}
    return networks | layers
