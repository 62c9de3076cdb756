"""The size of a network: parameters layer by layer, biases counted and left out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.analysis.results import Results


@dataclass(frozen=True)
class LayerCount:
    """One linear layer, named as PyTorch's state dicts name it (`fc1`, ...)."""

    name: str
    inputs: int
    outputs: int
    weights: int
    biases: int


@dataclass(frozen=True)
class ArmSize:
    """An arm's network counted by hand; `recorded` is what was counted on the trained network (None before that)."""

    arm: str
    layers: tuple[int, ...]
    counts: tuple[LayerCount, ...]
    parameters: int
    weights: int
    recorded: int | None


def layer_counts(layers: Sequence[int]) -> tuple[LayerCount, ...]:
    """Every linear layer of a perceptron with these widths: inputs x outputs weights, one bias an output."""
    return tuple(
        LayerCount(f"fc{place}", inputs, outputs, inputs * outputs, outputs)
        for place, (inputs, outputs) in enumerate(itertools.pairwise(layers), start=1)
    )


def sizes(results: Results) -> tuple[ArmSize, ...]:
    """The size of every arm's network, in the study's order."""
    return tuple(_size(results, arm) for arm in results.arms)


def _size(results: Results, arm: str) -> ArmSize:
    layers = results.recipe(arm).network.layers
    counts = layer_counts(layers)
    weights = sum(layer.weights for layer in counts)
    recorded = next((v for v in results.values(arm, "", "parameters") if v is not None), None)
    parameters = weights + sum(layer.biases for layer in counts)
    return ArmSize(arm, layers, counts, parameters, weights, None if recorded is None else int(recorded))
