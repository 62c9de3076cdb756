"""Which layer of a weight file is which: found where it is certain, and else not guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from paribus.execution.layer_names import with_names
from paribus.spec.network import parameter_shapes


def zeros(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    return {name: np.zeros(shape) for name, shape in zip(names, shapes, strict=True)}


WANTED = parameter_shapes((6, 4, 4, 2))
SHAPES = list(WANTED.values())


def renamed(*layers: str) -> dict[str, Any]:
    """Tensors of the wanted shapes, in the order of the network, under other names."""
    return zeros([f"{layer}.{end}" for layer in layers for end in ("weight", "bias")], SHAPES)


@pytest.mark.parametrize(
    ("tensors", "in_order"),
    [
        (renamed("0", "2", "4"), False),
        (renamed("net.layers.8", "net.layers.9", "net.layers.10"), False),
        (renamed("encoder", "middle", "decoder"), True),
        (renamed("z", "y", "x"), True),
        (renamed("encoder.0", "encoder.2", "decoder.0"), True),
    ],
)
def test_layers_whose_order_is_known_are_found(tensors: dict[str, Any], in_order: bool) -> None:
    found = with_names(WANTED, tensors, in_order=in_order)
    assert list(found) == list(WANTED)
    assert [id(value) for value in found.values()] == [id(value) for value in tensors.values()]


def test_layers_whose_shapes_fit_in_one_order_only_are_found() -> None:
    wanted = parameter_shapes((6, 4, 2))
    tensors = zeros(["decoder.bias", "decoder.weight", "encoder.weight", "encoder.bias"], [(2,), (2, 4), (4, 6), (4,)])
    assert {name: value.shape for name, value in with_names(wanted, tensors).items()} == wanted


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "_orig_mod.module.net."])
def test_prefixes_of_wrappers_come_off_any_module(prefix: str) -> None:
    wanted = {"features.0.weight": (4, 1, 3, 3), "features.0.bias": (4,), "head.weight": (2, 4), "head.bias": (2,)}
    tensors = zeros([f"{prefix}{name}" for name in reversed(wanted)], list(reversed(wanted.values())))
    assert {name: value.shape for name, value in with_names(wanted, tensors).items()} == wanted


@pytest.mark.parametrize(
    "tensors",
    [
        renamed("0", "2", "4") | {"6.weight": np.zeros(1)},
        renamed("0", "2", "4") | {"2.running_mean": np.zeros(4)},
        {},
    ],
)
def test_layers_that_do_not_fit_stay_as_they_are(tensors: dict[str, Any]) -> None:
    assert with_names(WANTED, tensors) is tensors


def test_layers_of_one_shape_are_not_guessed() -> None:
    wanted = parameter_shapes((6, 4, 4, 4))
    ends = [f"{layer}.{end}" for layer in ("encoder", "middle", "decoder") for end in ("weight", "bias")]
    tensors = zeros(ends, list(wanted.values()))
    assert with_names(wanted, tensors) is tensors
    assert list(with_names(wanted, tensors, in_order=True)) == list(wanted)


def test_a_single_layer_may_have_any_name_or_none() -> None:
    wanted = parameter_shapes((3, 2))
    for name in ("", "head.", "a.b.c."):
        tensors = {f"{name}weight": np.zeros((2, 3)), f"{name}bias": np.zeros(2)}
        assert list(with_names(wanted, tensors)) == ["fc1.weight", "fc1.bias"]
