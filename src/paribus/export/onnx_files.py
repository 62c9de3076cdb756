"""Selected networks as ONNX files, for other runtimes. PyTorch exports own modules, in a process of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paribus.analysis.results import Results
from paribus.export.needs import needed
from paribus.export.onnx_graph import network_graph
from paribus.export.onnx_modules import module_model
from paribus.export.weights import KeptWeights
from paribus.spec.network import Module


def write_onnx(results: Results, kept: Sequence[KeptWeights], folder: Path, code: Path) -> None:
    """One file for each of `kept`; `code` is the folder where the study's own modules lie.

    What it is of stands in the model's properties: arm, rules, epoch, classes, ... Raises UserError where onnx is
    missing, and for a module whose file is not beside the study file as it was.
    """
    needed("onnx", "export", "onnx")
    for one in kept:
        path = folder / f"{one.stem}.onnx"
        recipe, run = results.recipe(one.run.arm), one.run
        state, prepared = run.tensors.get(one.tensors), run.artifact("", "preprocessing") or {}
        facts = _facts(results, one)
        if isinstance(recipe.network, Module):
            path.write_bytes(module_model(code, run, recipe, state, prepared, facts))
        else:
            model: Any = network_graph(recipe, run.dataset, state, prepared, facts)
            path.write_bytes(model.SerializeToString())


def _facts(results: Results, one: KeptWeights) -> dict[str, str]:
    dataset = one.run.dataset
    values: dict[str, Any] = {
        "study": results.study.name,
        **one.facts(),
        "task": results.recipe(one.run.arm).task,
        "classes": list(dataset.classes),
        "features": list(dataset.feature_names),
        "targets": list(dataset.targets),
    }
    return {f"paribus.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
