"""Selected weights as files: safetensors, and state dicts for `torch.load`. Beside them `weights.json` says which is
which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
from safetensors.numpy import save

from paribus.export.needs import needed
from paribus.export.weights import KeptWeights

INDEX = "weights.json"
Tensors = dict[str, npt.NDArray[Any]]


def write_safetensors(kept: Sequence[KeptWeights], folder: Path) -> None:
    """One file for each of `kept`: the state dict, and in its header what it is of."""

    def write(one: KeptWeights, tensors: Tensors, path: Path) -> None:
        facts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in one.facts().items()}
        path.write_bytes(save(tensors, metadata=facts))

    _write_all(kept, folder, ".safetensors", write)


def write_pytorch(kept: Sequence[KeptWeights], folder: Path) -> None:
    """One file for each of `kept`: a state dict of tensors, as `torch.save` writes it."""
    needed("torch", "torch", "pt")
    from paribus.training.torch.state_files import save_state

    _write_all(kept, folder, ".pt", lambda _, tensors, path: save_state(tensors, path))


def _write_all(
    kept: Sequence[KeptWeights], folder: Path, ending: str, write: Callable[[KeptWeights, Tensors, Path], None]
) -> None:
    index: dict[str, Any] = {}
    for one in kept:
        path = folder / f"{one.stem}{ending}"
        write(one, dict(one.run.tensors.get(one.tensors)), path)
        index[path.name] = {**one.facts(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
