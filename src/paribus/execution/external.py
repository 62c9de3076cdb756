"""Weights from other programs: what a file holds, checked before anything is done with it.

A safetensors file holds numbers only. A PyTorch file is a pickle, so it is opened in a process of its own, with
`weights_only=True` and bounds on time and memory (see `unpickling`). That process answers in safetensors, and its
answer is trusted no more than the file: names, shapes and values are checked here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from paribus.errors import Shown, UserError, unreadable
from paribus.execution.layer_names import COUNTER, Shapes, with_names
from paribus.training.engine import State
from paribus.units import size

WALL_S = 120.0
"""For the child as a whole, most of which goes into starting PyTorch on a busy machine."""
MAX_BYTES: Final = 2**32
_TO_EXIT_S: Final = 30.0
_HEADER_BYTES: Final = 2**20
_CHILD: Final = Path(__file__).with_name("unpickling.py")
_PICKLES: Final = (b"PK\x03\x04", b"\x80")
"""The beginning of a zip archive, which PyTorch writes since 1.6, and of a pickle, which it wrote before."""
_DTYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
                  "U8": "u1", "BOOL": "?"}  # fmt: skip
_ALONE: Final = "save the network's state_dict() alone: torch.save(network.state_dict(), FILE)"


@dataclass(frozen=True, eq=False)
class WeightFile:
    """The weights of a network from another program. `sha256` is that of the file."""

    weights: State
    sha256: str


def read_weights(path: Path, wanted: Shapes, network: str, whole: Collection[str] = ()) -> WeightFile:
    """The weights that a file holds of a network with tensors of these names and shapes, which messages call `network`.

    Those that `whole` names are whole numbers or booleans, and stay what they are; all others become float32. Raises
    UserError where the file holds anything but weights of that network.
    """
    content, sha256 = _read(path, _max_bytes(wanted))
    return WeightFile(_weights(content, wanted, network, path, whole), sha256)


def _max_bytes(wanted: Shapes) -> int:
    """Bytes that a file of these weights may have: in float64, twice (an optimizer's state beside them), and names."""
    return min(16 * sum(map(math.prod, wanted.values())) + 2**20, MAX_BYTES)


def _read(path: Path, max_bytes: int) -> tuple[bytes, str]:
    """The file's tensors as safetensors, and the file's SHA-256."""
    try:
        # O_NONBLOCK, because opening a pipe would wait for somebody to write to it
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:  # noqa: PTH123
            is_pickle = _check(file, path, max_bytes)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _converted(file, path, max_bytes) if is_pickle else file.read(max_bytes), sha256
    except OSError as error:
        raise unreadable(error, place=str(path), remedy="check the path") from None


def _check(file: IO[bytes], path: Path, max_bytes: int) -> bool:
    """Whether the file is a pickle. Raises UserError where it begins neither as a pickle nor as safetensors do."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise UserError("must be a file", given=Shown("something else"), place=str(path), remedy="name a weight file")
    if found.st_size > max_bytes:
        rule = f"must be at most {size(max_bytes)} large to hold this network and nothing else"
        raise UserError(rule, given=Shown(size(found.st_size)), place=str(path), remedy=_ALONE)
    start = file.read(9)
    file.seek(0)
    if start.startswith(_PICKLES):
        return True
    if start[8:9] != b"{" or int.from_bytes(start[:8], "little") > _HEADER_BYTES:
        given = f"a file that begins with {start[:4]!r}" if start else "an empty file"
        raise _not_weights(path, given)
    return False


def _converted(file: IO[bytes], path: Path, max_bytes: int) -> bytes:
    """The tensors of a pickle as safetensors, from a child process that is killed if it takes too long or writes too
    much."""
    if importlib.util.find_spec("torch") is None:
        rule, remedy = "needs PyTorch to be read", "install paribus[torch], or save the weights as safetensors"
        raise UserError(rule, given=Shown("a PyTorch file"), place=str(path), remedy=remedy)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TORCH", "PYTORCH"))}
    output = bytearray()
    with subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", str(_CHILD), str(max_bytes)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd="/",
        start_new_session=True,  # Ctrl-C goes to the parent only
    ) as child:
        assert child.stdout is not None
        reader = Thread(target=_collect, args=(child.stdout, output, max_bytes + _HEADER_BYTES), daemon=True)
        reader.start()
        try:
            reader.join(WALL_S)
            late = reader.is_alive()
            if not late and len(output) <= max_bytes + _HEADER_BYTES:
                child.wait(_TO_EXIT_S)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    if late:
        raise _not_weights(path, f"a file that takes longer than {WALL_S:.0f} s")
    if child.returncode:
        reason = output.decode("utf-8", "replace")[:400] if child.returncode == 1 else ""
        raise _not_weights(path, reason or "a file that breaks the bounds of time and memory")
    return bytes(output)


def _collect(stream: IO[bytes], into: bytearray, max_bytes: int) -> None:
    while len(into) <= max_bytes:
        part = stream.read(2**20)
        if not part:
            return
        into += part


def _weights(content: bytes, wanted: Shapes, network: str, path: Path, whole: Collection[str]) -> State:
    """The finite state dict in `content` of a network of these shapes, under the names that such a network has here."""
    try:
        found, order = _tensors(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _not_weights(path, str(error)) from None
    if order is not None:
        found = {name: found[name] for name in order}
    weights = with_names(wanted, found, in_order=order is not None)
    wrong = [f"no {name}" for name in wanted if name not in weights]
    wrong += [f"{name} as well" for name in weights if name not in wanted]
    wrong += [
        f"{name} of shape {_shape(weights[name].shape)}, not {_shape(shape)}"
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != shape
    ]
    if wrong:
        rule = f"must hold the weights of {network}, and nothing else"
        remedy = (
            "name an arm that has the file's network, or name its layers in order: fc1.weight, fc1.bias, fc2.weight"
        )
        raise UserError(rule, given=Shown(", ".join(wrong[:3])), place=str(path), remedy=remedy)
    with np.errstate(over="ignore"):  # a float64 may be too large for a float32, and is then refused as infinite
        state = {name: np.asarray(weights[name], None if name in whole else np.float32) for name in wanted}
    for name, tensor in state.items():
        kinds = "iub" if name in whole else "i" if name.endswith(COUNTER) else "f"
        if weights[name].dtype.kind not in kinds or not np.isfinite(tensor).all():
            given = f"a value in {name} that is not"
            remedy = "take weights from an earlier epoch: this network has diverged"
            raise UserError("must hold finite real numbers", given=Shown(given), place=str(path), remedy=remedy)
    return state


def _tensors(content: bytes) -> tuple[dict[str, npt.NDArray[Any]], list[str] | None]:
    """The tensors of safetensors, and their order in the state dict where our child process says it.

    Raises SafetensorError, KeyError or ValueError where it is anything else.
    """
    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > min(_HEADER_BYTES, len(content)):
        raise ValueError("a header that is too large")
    tensors = {name: _array(tensor) for name, tensor in deserialize(content)}
    metadata = json.loads(content[8 : 8 + header_bytes]).get("__metadata__") or {}
    order = json.loads(metadata["order"]) if "order" in metadata else None
    return tensors, order if isinstance(order, list) and sorted(map(str, order)) == sorted(tensors) else None


def _array(tensor: Mapping[str, Any]) -> npt.NDArray[Any]:
    """A tensor as NumPy has it: bfloat16, which NumPy lacks, is the upper half of a float32."""
    kind, data = str(tensor["dtype"]), tensor["data"]
    if kind == "BF16":
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in _DTYPES:
        values = np.frombuffer(data, _DTYPES[kind])
    else:
        raise ValueError(f"a tensor of type {kind}")
    return values.reshape(tensor["shape"])


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"


def _not_weights(path: Path, given: str) -> UserError:
    rule = "must be a state dict: a safetensors file, or one that PyTorch loads with weights_only=True"
    return UserError(rule, given=Shown(given), place=str(path), remedy=_ALONE)
