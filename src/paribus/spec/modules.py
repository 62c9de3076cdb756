"""A user's own module, as it was found before training: its source, and how large it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class SourceFile:
    """A Python file: its path, relative to the folder of the file that the study names, and its text in UTF-8.

    Bytes that are no UTF-8 are surrogates in `text`, as Python's `surrogateescape` makes them.
    """

    name: str
    text: str

    @property
    def content(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    @classmethod
    def of(cls, name: str, content: bytes) -> SourceFile:
        """The file of that name and content."""
        return cls(name, content.decode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class LayerSize:
    """One layer of a module, for one example.

    `name` is that of its parameters in the state dict (`conv1` has `conv1.weight`), and `kind` its class. `shape` is
    that of what it gives. `operations` are those of a forward pass, counted as PyTorch's `FlopCounterMode` counts
    them: two for each product that is added up, and none for what has no matrix product or convolution.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    operations: int


@dataclass(frozen=True)
class ModuleSize:
    """What a module takes, for one example.

    `operations` are those of a forward pass and `training_operations` those of a forward and a backward pass, as
    `LayerSize` has them. `activation_bytes` is what PyTorch keeps from a forward pass for the backward pass, in a small
    batch. `tensors` is the number of values in the state dict, buffers included.
    """

    parameters: int
    tensors: int
    operations: int
    training_operations: int
    activation_bytes: int
    layers: tuple[LayerSize, ...]


@dataclass(frozen=True, eq=False)
class UserModule:
    """The code of a module, and its size.

    `path` is where the named file lies, and `folder` that of the study file. `files` are the named file, first, and
    the local files that it imports, by name: Python files in either folder or below it, and in no folder of installed
    packages. `step_s` and `example_s` are the seconds that a training step and the evaluation of one example took when
    it was checked.
    """

    path: str
    folder: str
    files: tuple[SourceFile, ...]
    size: ModuleSize
    step_s: float = 0.0
    example_s: float = 0.0

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the files' names and contents, in their order; it does not depend on where they lie."""
        digest = hashlib.sha256()
        for file in self.files:
            for part in (file.name.encode(), file.content):
                digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` restores the same module."""
        size = vars(self.size) | {"layers": [vars(layer) for layer in self.size.layers]}
        return {
            "path": self.path,
            "folder": self.folder,
            "files": [vars(file) for file in self.files],
            "size": size,
            "step_s": self.step_s,
            "example_s": self.example_s,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> UserModule:
        """Raises KeyError, TypeError or ValueError for values of another form."""
        files = tuple(SourceFile(**file) for file in content["files"])
        layers = tuple(LayerSize(**layer | {"shape": tuple(layer["shape"])}) for layer in content["size"]["layers"])
        size = ModuleSize(**content["size"] | {"layers": layers})
        return cls(content["path"], content["folder"], files, size, content["step_s"], content["example_s"])
