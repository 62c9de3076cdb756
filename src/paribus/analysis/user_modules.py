"""A user's own modules as they were recorded: their layers, and the source that was trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.network import Module
from paribus.store.records import Tensors


@dataclass(frozen=True)
class ModuleLayer:
    """A layer that has parameters or operations of its own. `shape` is that of its output for one example, and
    `operations` are those of a forward pass for it."""

    arm: str
    name: str
    kind: str
    shape: str
    parameters: int
    operations: int


@dataclass(frozen=True)
class SourceText:
    """A file of an arm's module, as text."""

    arm: str
    name: str
    text: str


@dataclass(frozen=True)
class ModuleArm:
    """An arm whose network is a module: its class, and what one example takes. None where it is not recorded."""

    arm: str
    name: str
    parameters: int | None
    operations: int | None
    training_operations: int | None
    activation_bytes: int | None


def module_arms(results: Results) -> tuple[ModuleArm, ...]:
    """The arms that train modules, in the study's order."""
    return tuple(_arm(results, arm) for arm in results.arms if isinstance(results.recipe(arm).network, Module))


def module_layers(results: Results) -> tuple[ModuleLayer, ...]:
    """The layers of every arm's module, from its first run that has ended."""
    return tuple(
        layer
        for arm in module_arms(results)
        for _, arrays in _recorded(results, arm.arm, "layers")
        for layer in _layers(arm.arm, arrays)
    )


def module_sources(results: Results) -> tuple[SourceText, ...]:
    """The files of every arm's module, the named one first, from its first run that has ended."""
    found: list[SourceText] = []
    for arm in module_arms(results):
        network = results.recipe(arm.arm).network
        assert isinstance(network, Module)
        first = network.file.replace("\\", "/").rpartition("/")[2]
        for _, arrays in _recorded(results, arm.arm, "source"):
            names = sorted(arrays, key=lambda name: (name != first, name))
            found += [SourceText(arm.arm, name, _text(arrays, name)) for name in names]
    return tuple(found)


def _arm(results: Results, arm: str) -> ModuleArm:
    network = results.recipe(arm).network
    assert isinstance(network, Module)

    def known(metric: str) -> int | None:
        value = next((v for v in results.values(arm, "", metric) if v is not None), None)
        return None if value is None else int(value)

    return ModuleArm(
        arm=arm,
        name=network.name,
        parameters=known("parameters"),
        operations=known("operations"),
        training_operations=known("training_operations"),
        activation_bytes=known("activation_bytes"),
    )


def _recorded(results: Results, arm: str, artifact: str) -> Iterator[tuple[Run, Tensors]]:
    """The first run of an arm that has the artifact, with it; nothing where there is none."""
    for run in results.of(arm):
        arrays = run.artifact("", artifact)
        if arrays is not None:
            yield run, arrays
            return


def _layers(arm: str, arrays: Tensors) -> Iterator[ModuleLayer]:
    texts = [_text(arrays, name).split("\n") for name in ("names", "kinds", "shapes")]
    numbers = [np.asarray(arrays[name]).tolist() for name in ("parameters", "operations")]
    for name, kind, shape, parameters, operations in zip(*texts, *numbers, strict=False):
        yield ModuleLayer(arm, str(name), str(kind), str(shape), int(parameters), int(operations))


def _text(arrays: Tensors, name: str) -> str:
    return np.asarray(arrays[name], np.uint8).tobytes().decode("utf-8", "replace")
