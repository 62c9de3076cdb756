"""The size of a network: parameters layer by layer, biases counted and left out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.analysis.results import Results
from paribus.spec.network import layer_names


@dataclass(frozen=True)
class LayerCount:
    """One linear layer, named as state dicts name it."""

    name: str
    inputs: int
    outputs: int
    weights: int
    biases: int


@dataclass(frozen=True)
class ArmSize:
    """An arm's network counted from its widths; `recorded` is the count on the trained network (None before that).

    `widths` are the units of each layer, the input first.
    """

    arm: str
    widths: tuple[int, ...]
    counts: tuple[LayerCount, ...]
    parameters: int
    weights: int
    recorded: int | None


def layer_counts(widths: Sequence[int]) -> tuple[LayerCount, ...]:
    """Every linear layer of a perceptron with these widths: inputs x outputs weights, one bias an output."""
    return tuple(
        LayerCount(name, inputs, outputs, inputs * outputs, outputs)
        for name, (inputs, outputs) in zip(layer_names(widths), itertools.pairwise(widths), strict=True)
    )


def sizes(results: Results) -> tuple[ArmSize, ...]:
    """The size of every arm's network, in the study's order; arms without a recorded run are left out."""
    known = [(arm, widths) for arm in results.arms if (widths := results.widths(arm)) is not None]
    return tuple(_size(results, arm, widths) for arm, widths in known)


def _size(results: Results, arm: str, widths: tuple[int, ...]) -> ArmSize:
    counts = layer_counts(widths)
    weights = sum(layer.weights for layer in counts)
    recorded = next((v for v in results.values(arm, "", "parameters") if v is not None), None)
    parameters = weights + sum(layer.biases for layer in counts)
    return ArmSize(arm, widths, counts, parameters, weights, None if recorded is None else int(recorded))
