"""A user's own module as an ONNX model: asked of a child process, which alone runs the user's code.

The code is that of the file that the study names, beside the study file; a workspace's copy is never run. It must be
the file that the run was trained with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from paribus.analysis.run import Run
from paribus.child_python import python_path
from paribus.errors import Shown, UserError
from paribus.export.needs import needed
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe

WALL_S: Final = 300.0
_CHILD: Final = "paribus.training.torch.module_onnx"
Arrays = Mapping[str, npt.NDArray[Any]]


def module_model(
    code: Path, run: Run, recipe: Recipe, state: Arrays, prepared: Arrays, facts: Mapping[str, str]
) -> bytes:
    """The model's bytes. `code` is the study file's folder. Raises UserError for a module that cannot be exported."""
    needed("torch", "torch", "onnx")
    needed("onnxscript", "export", "onnx")
    network, dataset = recipe.network, run.dataset
    assert isinstance(network, Module)
    place = f"arm {run.arm}"
    file = (code / network.file).absolute()
    _refuse_other_source(run, file, place)
    shape = dataset.shape if len(dataset.shape) != 2 else (1, *dataset.shape)
    request = {
        "file": str(file),
        "folder": str(code.absolute()),
        "name": network.name,
        "arguments": dict(network.arguments),
        "shape": list(dataset.shape),
        "seen": list(shape),
        "task": recipe.task,
        "facts": dict(facts),
    }
    arrays = {f"state/{name}": np.ascontiguousarray(array) for name, array in state.items()}
    arrays |= {f"prepared/{name}": np.ascontiguousarray(array) for name, array in prepared.items()}
    found = _answer(json.dumps(request).encode() + b"\n" + save(arrays), place)
    head, _, model = found.partition(b"\n")
    answer = json.loads(head) if head else {"problem": "it ended without an answer"}
    if "problem" in answer:
        raise UserError("must be a module that torch.onnx can export", given=Shown(str(answer["problem"])[:300]),
                        place=place, remedy="export its weights in another format")  # fmt: skip
    return model


def _refuse_other_source(run: Run, file: Path, place: str) -> None:
    """Raises UserError where the module's file is missing, or is not the one that the run was trained with."""
    source = run.artifact("", "source") or {}
    recorded = next((array.tobytes() for name, array in source.items() if name == file.name), None)
    if not file.is_file():
        remedy = f"there is no {file}: name the study by its file"
        raise UserError("needs the module's Python file", given=Shown(""), place=place, remedy=remedy)
    if recorded is not None and file.read_bytes() != recorded:
        rule, remedy = "must be the file that the run was trained with", "put the old file back, or run the study again"
        raise UserError(rule, given=Shown("a changed one"), place=f"{place}, {file.name}", remedy=remedy)


def _answer(request: bytes, place: str) -> bytes:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": python_path()}
    command = [sys.executable, "-P", "-W", "ignore", "-m", _CHILD]
    try:
        done = subprocess.run(
            command,
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=WALL_S,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        rule, remedy = f"must be exported within {WALL_S:.0f} s", "export its weights in another format"
        raise UserError(rule, given=Shown("no end"), place=place, remedy=remedy) from None
    return done.stdout
