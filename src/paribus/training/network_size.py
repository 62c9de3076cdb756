"""What is recorded of a network's size, and of the code of a user's module."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from paribus.spec.identity import RunSpec
from paribus.spec.modules import LayerSize, UserModule
from paribus.spec.network import Module, layer_names, norm_names, tied_layers
from paribus.training.measurements import Measurements


def measure_size(spec: RunSpec, into: Measurements) -> None:
    """Parameters, and those without biases; of a module operations and memory for one example, and layer by layer.

    The artifact `layers` of a module has a row for each layer: `parameters` and `operations`. Its names, classes and
    shapes of outputs are texts, one a line, as bytes of UTF-8: arrays hold numbers only.
    """
    network = spec.recipe.network
    if not isinstance(network, Module):
        widths, count = spec.recipe.widths(spec.dataset), network.parameter_count
        into.number("", parameters=count(widths), weights=count(widths, biases=False))
        return
    assert spec.module is not None
    size = spec.module.size
    into.number(
        "",
        parameters=size.parameters,
        operations=size.operations,
        training_operations=size.training_operations,
        activation_bytes=size.activation_bytes,
    )
    into.arrays(
        "",
        "layers",
        names=_text(layer.name for layer in size.layers),
        kinds=_text(layer.kind for layer in size.layers),
        shapes=_text(" x ".join(map(str, layer.shape)) for layer in size.layers),
        parameters=np.array([layer.parameters for layer in size.layers], dtype=np.int64),
        operations=np.array([layer.operations for layer in size.layers], dtype=np.int64),
    )


def layer_sizes(spec: RunSpec) -> tuple[LayerSize, ...]:
    """Parameters and operations of a network for one example, layer by layer, from input to output.

    Operations are two for each product that is added up, as `LayerSize` counts them: for a layer of a inputs and b
    outputs 2 a b. Weights that are tied to another layer's count there.
    """
    network = spec.recipe.network
    if isinstance(network, Module):
        assert spec.module is not None
        return spec.module.size.layers
    widths = spec.recipe.widths(spec.dataset)
    shared = tied_layers(widths) if network.ties_weights else {}
    norms = norm_names(widths) if network.batch_norm else ()
    found: list[LayerSize] = []
    for place, (name, (a, b)) in enumerate(zip(layer_names(widths), pairwise(widths), strict=True)):
        weights = 0 if name in shared else a * b
        found.append(LayerSize(name, "Linear", (b,), weights + b, 2 * a * b))
        if place < len(norms):
            found.append(LayerSize(norms[place], "BatchNorm1d", (b,), 2 * b, 0))
    return tuple(found)


def measure_source(module: UserModule, into: Measurements) -> None:
    """The files of a module, by name, the named file first: an artifact `source` of bytes."""
    into.arrays("", "source", **{file.name: np.frombuffer(file.content, dtype=np.uint8) for file in module.files})


def _text(lines: Iterable[str]) -> np.ndarray:
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)
