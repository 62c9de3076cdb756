"""What is recorded of hidden units: how their activations vary over examples, and how far their weights have turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from paribus.training.engine import Floats, State
from paribus.training.moments import Moments


@final
class UnitStatistics:
    """Mean, variance and active share of the activation of each hidden unit, over examples that come in parts.

    `layers` are the names of the hidden layers in a state dict, and `tied` names, for those whose weights are another
    layer's, transposed, that layer.
    """

    def __init__(self, layers: Sequence[str], tied: Mapping[str, str]) -> None:
        self._layers, self._tied = tuple(layers), dict(tied)
        self._moments = [Moments() for _ in layers]
        self._active: list[Any] = [0] * len(self._layers)

    def add(self, activations: Sequence[Floats]) -> None:
        """Take in the activations (example, unit) of each layer."""
        for layer, values in enumerate(activations):
            self._moments[layer].add(values)
            self._active[layer] = self._active[layer] + (values > 0).sum(axis=0)

    def arrays(self, weights: State, initial: State) -> dict[str, npt.NDArray[np.float64]]:
        """By layer, arrays (unit,): `fc1.mean`, `fc1.variance`, `fc1.active`, the share of examples at which the
        activation is above 0, and `fc1.cosine`, the cosine between a unit's incoming weights and its initial ones."""
        found: dict[str, npt.NDArray[np.float64]] = {}
        for name, moments, active in zip(self._layers, self._moments, self._active, strict=True):
            found |= {
                f"{name}.mean": moments.mean,
                f"{name}.variance": moments.variance,
                f"{name}.active": np.asarray(active / moments.count),
                f"{name}.cosine": _cosines(self._incoming(weights, name), self._incoming(initial, name)),
            }
        return found

    def _incoming(self, state: State, name: str) -> Floats:
        """The incoming weights (unit, input) of a layer's units."""
        return state[f"{self._tied[name]}.weight"].T if name in self._tied else state[f"{name}.weight"]


def _cosines(weights: Floats, initial: Floats) -> npt.NDArray[np.float64]:
    """The cosine (unit,) between the rows of two weights (unit, input); 0 where a row is zero."""
    a, b = weights.astype(np.float64), initial.astype(np.float64)
    lengths = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
