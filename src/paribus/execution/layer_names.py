"""Layers by the names that other programs give them: `0.weight` or `module.fc1.weight` for `fc1.weight`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy.typing as npt

Tensors = Mapping[str, npt.NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]
COUNTER = "num_batches_tracked"
"""How many batches a PyTorch batch normalisation has seen: no result depends on it while its momentum is a number."""
_NUMBER = re.compile(r"\d+")


def with_names(wanted: Shapes, tensors: Tensors, *, in_order: bool = False) -> Tensors:
    """`tensors` under the names `wanted`, where it is certain which layer is which.

    Layers are tensors that share what comes before the last dot. They are brought into an order, and it counts if then
    every tensor has the name and the shape that is wanted in its place:

    - the order of the numbers in their names, if these differ in whole numbers only: `0.weight`, `2.weight` as
      `nn.Sequential` has them, `module.fc1.weight` (`DataParallel`), `_orig_mod.fc1.weight` (`torch.compile`),
      `model.layers.0.weight` (Lightning);
    - the order of `tensors`, if `in_order` says that it is that of a state dict: `encoder.weight`, `decoder.weight`;
    - the only order in which the shapes fit.

    A network with running statistics is given without PyTorch's counters of batches. Where no order fits, the tensors
    have the names that the numbers give them, else their own: a message then names what is wrong.
    """
    if any(name.endswith("running_mean") for name in wanted) and not any(name.endswith(COUNTER) for name in wanted):
        tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(COUNTER)}
    tensors = _without_prefix(wanted, tensors)
    if set(wanted) == set(tensors):
        return tensors
    layers, given = _by_layer(wanted), _by_layer(tensors)
    if len(layers) != len(given):
        return tensors
    by_number = _by_number(list(given))
    named: Tensors = tensors
    for order in (by_number, list(given) if in_order else None, _by_shape(layers, given, wanted, tensors)):
        if order is None:
            continue
        found = dict(_renamed(list(layers), order, given, tensors))
        if set(found) == set(wanted):
            if all(tuple(tensor.shape) == wanted[name] for name, tensor in found.items()):
                return found
            if order is by_number:
                named = found
    return named


def _without_prefix(wanted: Shapes, tensors: Tensors) -> Tensors:
    """Tensors without the words that all their names begin with, if that gives them the wanted names."""
    names = {name: name for name in tensors}
    while set(names.values()) != set(wanted):
        first = {name.partition(".")[0] for name in names.values() if "." in name}
        if len(first) != 1 or not all("." in name for name in names.values()):
            return tensors
        names = {own: name.partition(".")[2] for own, name in names.items()}
    return {name: tensors[own] for own, name in names.items()}


def _by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of tensors by the layer that they belong to."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[name.rpartition(".")[0]].append(name)
    return dict(found)


def _renamed(
    layers: Sequence[str], order: Sequence[str], given: Mapping[str, list[str]], tensors: Tensors
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for layer, own in zip(layers, order, strict=True):
        for name in given[own]:
            yield f"{layer}.{name.rpartition('.')[2]}", tensors[name]


def _by_number(layers: list[str]) -> list[str] | None:
    """Layers in the order of the numbers in their names, or None where something else differs."""
    if len({_NUMBER.sub("#", layer) for layer in layers}) != 1:
        return None
    return sorted(layers, key=lambda layer: [int(number) for number in _NUMBER.findall(layer)])


def _by_shape(
    layers: Mapping[str, list[str]], given: Mapping[str, list[str]], wanted: Shapes, tensors: Tensors
) -> list[str] | None:
    """Layers in the only order that gives every wanted layer tensors of its names and shapes, or None."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    signatures: dict[frozenset[tuple[str, tuple[int, ...]]], str] = {
        _signature(names, shapes): layer for layer, names in given.items()
    }
    asked = [_signature(names, wanted) for names in layers.values()]
    if len(signatures) < len(given) or set(asked) != set(signatures):
        return None
    return [signatures[signature] for signature in asked]


def _signature(names: Sequence[str], shapes: Shapes) -> frozenset[tuple[str, tuple[int, ...]]]:
    return frozenset((name.rpartition(".")[2], shapes[name]) for name in names)
