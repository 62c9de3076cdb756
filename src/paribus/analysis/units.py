"""Hidden units as recorded with a selected snapshot: which are dead, which close to their initialisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.analysis.thresholds import DEAD_VARIANCE, UNMOVED_COSINE

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """The units of one hidden layer, arrays (unit,).

    `mean` and `variance` are those of the activation over the training examples, `active` is the share of them at which
    it is above 0, and `cosine` that between a unit's incoming weights and its initial ones.
    """

    mean: Floats
    variance: Floats
    active: Floats
    cosine: Floats

    @property
    def dead(self) -> Flags:
        """Units whose activation is the same on every training example."""
        return self.variance <= DEAD_VARIANCE

    @property
    def unmoved(self) -> Flags:
        """Units whose incoming weights are still close to the initial ones."""
        return self.cosine > UNMOVED_COSINE


def hidden_layers(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, HiddenLayer]:
    """The layers of a `units` artifact by name. It has arrays `fc1.mean`, `fc1.variance`, and so on."""
    names = [key.removesuffix(".variance") for key in arrays if key.endswith(".variance")]
    return {name: HiddenLayer(*(np.asarray(arrays[f"{name}.{part}"], np.float64) for part in _PARTS)) for name in names}


_PARTS = ("mean", "variance", "active", "cosine")
