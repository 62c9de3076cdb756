"""The size of a network: parameters layer by layer, biases counted and left out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.analysis.results import Results
from paribus.spec.network import layer_names, norm_names, tied_layers


@dataclass(frozen=True)
class LayerCount:
    """A linear layer or a normalisation, named as state dicts name it.

    `formula` is how its parameters are counted, and `weights` those of its own: none where they are another layer's.
    """

    name: str
    inputs: int
    outputs: int
    weights: int
    biases: int
    formula: str


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


def layer_counts(widths: Sequence[int], *, batch_norm: bool = False, tied: bool = False) -> tuple[LayerCount, ...]:
    """Every layer of a perceptron with these widths: inputs x outputs weights, one bias an output; and a weight and a
    bias for each unit that is normalised. Tied weights are counted once, in the encoder."""
    shared = tied_layers(widths) if tied else {}
    found: list[LayerCount] = []
    norms = (*norm_names(widths), "")
    for name, norm, (a, b) in zip(layer_names(widths), norms, itertools.pairwise(widths), strict=True):
        own = 0 if name in shared else a * b
        formula = f"{b:,}, with the weights of {shared[name]}" if name in shared else f"{a:,} × {b:,} + {b:,}"
        found.append(LayerCount(name, a, b, own, b, formula))
        if batch_norm and norm:
            found.append(LayerCount(norm, b, b, b, b, f"{b:,} + {b:,}"))
    return tuple(found)


def sizes(results: Results) -> tuple[ArmSize, ...]:
    """The size of every arm's fully connected network, in the study's order; arms without a recorded run are left out,
    and so are modules (see `user_modules`)."""
    known = [(arm, widths) for arm in results.arms if (widths := results.widths(arm))]
    return tuple(_size(results, arm, widths) for arm, widths in known)


def _size(results: Results, arm: str, widths: tuple[int, ...]) -> ArmSize:
    network = results.recipe(arm).network
    counts = layer_counts(widths, batch_norm=network.batch_norm, tied=network.ties_weights)
    weights = sum(layer.weights for layer in counts)
    recorded = next((v for v in results.values(arm, "", "parameters") if v is not None), None)
    parameters = weights + sum(layer.biases for layer in counts)
    return ArmSize(arm, widths, counts, parameters, weights, None if recorded is None else int(recorded))
