"""Tasks and messages as JSON values and arrays, and back: what leaves a process, and nothing that could run.

A message is a tree of dataclasses, mappings, lists, plain values and arrays. `encode` writes it as a tree of JSON
values and takes the arrays out of it:

    RunProgress(run_id="a1", state=TrainingState(epoch=3, ...), ...)
    {"is": "RunProgress", "no": 2, "has": {"run_id": "a1", "state": {"is": "TrainingState", "no": 0, ...}, ...}}

Every object has a number, `no`. Where it is met again, it is written as `{"again": 0}`, so that runs which share their
data do so after decoding, too. `decode` makes only the dataclasses that a message can contain (see `_TYPES`); it
imports nothing and calls nothing else.

Arrays are of two kinds. Those of a `Pool`, which many tasks share, are `shared` and named by a hash of their content;
all others are the message's own, numbered in their order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import types
import typing
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, TypeAdapter

from paribus.data.pool import Pool
from paribus.execution.engine_messages import EngineReply, EngineRequest
from paribus.execution.messages import FromWorker, Task, ToWorker
from paribus.spec.losses import Loss, LossBase
from paribus.spec.recipe import Recipe

Array = npt.NDArray[Any]
Message = Task | FromWorker | ToWorker | EngineRequest | EngineReply


@dataclass(frozen=True, eq=False)
class Encoded:
    """A message outside of Python: JSON values, its own `arrays` in order, and `shared` ones by content hash."""

    values: Any
    arrays: tuple[Array, ...]
    shared: Mapping[str, Array]


def encode(message: Message) -> Encoded:
    """A message as plain values. Raises TypeError where it contains something else, such as a function."""
    writer = _Writer()
    values = writer.written(message)
    return Encoded(values, tuple(writer.arrays), writer.shared)


def decode(encoded: Encoded) -> Any:
    """The message that was encoded; its arrays are those of `encoded`. Raises ValueError if that is not a message."""
    return _Reader(encoded).read(encoded.values)


def content_hash(array: Array) -> str:
    """The SHA-256 of an array's type, shape and content. Computed once for each array that may not be written to."""
    key = id(array)
    with _lock:
        if key in _hashes:
            return _hashes[key]
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    name = found.hexdigest()
    if not array.flags.writeable:
        with _lock:
            _hashes[key] = name
            weakref.finalize(array, _hashes.pop, key, None)
    return name


_hashes: dict[int, str] = {}
_lock = Lock()


@final
@dataclass
class _Writer:
    arrays: list[Array] = field(default_factory=list[Array])
    shared: dict[str, Array] = field(default_factory=dict[str, Array])
    known: dict[int, tuple[object, int]] = field(default_factory=dict[int, tuple[object, int]])
    """Number by `id`; the object is kept, because another one may get its `id` once it is gone."""

    def written(self, value: Any, *, in_pool: bool = False) -> Any:
        plain = _plain(value)
        if plain is not _OTHER:
            return plain
        if isinstance(value, list):
            return [self.written(item) for item in value]
        if isinstance(value, tuple):
            return {"tuple": [self.written(item) for item in value]}
        if id(value) in self.known:
            return {"again": self.known[id(value)][1]}
        node = self._node(value, in_pool=in_pool)
        node["no"] = len(self.known)
        self.known[id(value)] = value, node["no"]
        return node

    def _node(self, value: Any, *, in_pool: bool) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            return self._array(value, shared=in_pool)
        if isinstance(value, Recipe):
            return {"recipe": value.model_dump(mode="json")}
        if isinstance(value, LossBase):
            return {"loss": value.model_dump(mode="json")}
        if dataclasses.is_dataclass(value) and type(value) is _TYPES.get(type(value).__name__):
            pool = isinstance(value, Pool)
            names = (f.name for f in dataclasses.fields(value))
            has = {name: self.written(getattr(value, name), in_pool=pool) for name in names}
            return {"is": type(value).__name__, "has": has}
        if isinstance(value, Mapping):
            return {"map": [[self.written(key), self.written(item)] for key, item in value.items()]}
        raise TypeError(f"{type(value).__name__} cannot leave the process")

    def _array(self, value: Array, *, shared: bool) -> dict[str, Any]:
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of {value.dtype} cannot leave the process")
        if shared:
            name = content_hash(value)
            self.shared[name] = value
            return {"shared": name}
        self.arrays.append(value)
        return {"array": len(self.arrays) - 1}


@final
class _Reader:
    def __init__(self, encoded: Encoded) -> None:
        self._encoded = encoded
        self._known: dict[int, Any] = {}

    def read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "tuple" in value:
            return tuple(self.read(item) for item in value["tuple"])
        if "number" in value:
            return float(value["number"])
        if "again" in value:
            return self._known[value["again"]]
        found = self._object(value)
        self._known[value["no"]] = found
        return found

    def _object(self, value: dict[str, Any]) -> Any:
        if "is" in value:
            return _TYPES[value["is"]](**{name: self.read(item) for name, item in value["has"].items()})
        if "array" in value:
            return self._encoded.arrays[value["array"]]
        if "shared" in value:
            return self._encoded.shared[value["shared"]]
        if "recipe" in value:
            return Recipe.model_validate(value["recipe"])
        if "loss" in value:
            return _LOSS.validate_python(value["loss"])
        if "map" in value:
            return {self.read(key): self.read(item) for key, item in value["map"]}
        raise ValueError(f"a message has no part with the keys {', '.join(value)}")


_OTHER: Final = object()
_LOSS: Final[TypeAdapter[LossBase]] = TypeAdapter(Loss)


def _plain(value: Any) -> Any:
    """A value that JSON has, or a number that it has not; `_OTHER` for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    return value if value is None or isinstance(value, bool | int | float | str) else _OTHER


def _dataclasses_in(kind: Any, found: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Every dataclass of ours that a value of type `kind` can contain, by name."""
    for part in typing.get_args(kind):
        _dataclasses_in(part, found)
    if isinstance(kind, types.UnionType) or not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return found
    if found.setdefault(kind.__name__, kind) is not kind:
        raise TypeError(f"two classes are called {kind.__name__}")
    for hint in typing.get_type_hints(kind).values():
        if not (isinstance(hint, type) and (found.get(hint.__name__) is hint or issubclass(hint, BaseModel))):
            _dataclasses_in(hint, found)
    return found


_TYPES: Final = _dataclasses_in(Message, {})
"""The dataclasses that messages are made of."""
