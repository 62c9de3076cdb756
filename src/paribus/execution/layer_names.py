"""Layers by the names that other programs give them: `0.weight` or `module.fc1.weight` for `fc1.weight`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt

Tensors = Mapping[str, npt.NDArray[Any]]
_NUMBER = re.compile(r"\d+")


def with_names(wanted: Iterable[str], tensors: Tensors) -> Tensors:
    """`tensors` under the names `wanted`, where their own names say in which order the layers come.

    They do if they differ in whole numbers only, which give the order: `0.weight`, `2.weight` as `nn.Sequential` has
    them, `module.fc1.weight` (`DataParallel`), `_orig_mod.fc1.weight` (`torch.compile`), `model.layers.0.weight`
    (Lightning). A single layer may have any name, or none. Otherwise, or where layers have other tensors than wanted,
    `tensors` are returned as they are.
    """
    names = list(wanted)
    layers = list(dict.fromkeys(map(_layer, names)))
    given = sorted({_layer(name) for name in tensors}, key=_numbers)
    if len(given) != len(layers) or len({_NUMBER.sub("#", layer) for layer in given}) != 1:
        return tensors
    layer_of = dict(zip(given, layers, strict=True))
    found = {f"{layer_of[_layer(name)]}.{name.rpartition('.')[2]}": tensor for name, tensor in tensors.items()}
    return found if set(found) == set(names) else tensors


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _numbers(layer: str) -> list[int]:
    return [int(number) for number in _NUMBER.findall(layer)]
