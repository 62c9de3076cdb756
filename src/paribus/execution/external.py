"""Weights from elsewhere, and what their network comes to on the data of one arm.

A safetensors file holds numbers only. A PyTorch file is a pickle, so it is opened in a process of its own, with
`weights_only=True` and bounds on time and memory (see `unpickling`). What comes back is safetensors as well, and is
trusted no more than the file: names, shapes and values are checked here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from paribus.errors import Shown, UserError
from paribus.execution.runner import prepare
from paribus.spec.network import parameter_count, parameter_shapes
from paribus.spec.study import Study
from paribus.training.engine import State
from paribus.training.evaluation import evaluate_weights
from paribus.training.plan import PlannedRun
from paribus.units import size

_CHILD = Path(__file__).with_name("unpickling.py")
WALL_S = 120.0
"""For the child as a whole, most of which goes into starting PyTorch on a busy machine."""
_TO_EXIT_S = 30.0
MAX_BYTES = 2**32
HEADER_BYTES = 2**20
_PICKLES = (b"PK\x03\x04", b"\x80")
"""How a zip archive begins, which PyTorch writes since 1.6, and a pickle, which it wrote before."""
_ALONE = "save the network's state_dict() alone: torch.save(network.state_dict(), FILE)"


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A network from elsewhere on one run's data: `measured` has a value for each metric, `sha256` names the file."""

    run: PlannedRun
    sha256: str
    measured: Mapping[str, float]


def evaluate_file(path: Path, study: Study, arm: str, replicate: int) -> Evaluated:
    """Load the weights of `path` into the network of an arm, and evaluate it on a replicate's training and validation
    splits. The test set stays locked.

    Raises UserError where the file holds anything but weights of that network, and where the data cannot be had.
    """
    chosen = study.arm(arm)
    alone = study.model_copy(update={"arms": (chosen,), "claims": ()})
    prepared = prepare(alone)
    run = next(run for run in prepared.runs if (arm, replicate) in run.members)
    content, sha256 = _read(path, _max_bytes(run.widths))
    weights = _weights(content, run.widths, path)
    return Evaluated(run, sha256, evaluate_weights(run.spec, run.splits, weights, prepared.device.engine()))


def _max_bytes(widths: Sequence[int]) -> int:
    """Bytes that a file of these weights has at most: in float64, twice over, and something for names."""
    return min(16 * parameter_count(widths) + 2**20, MAX_BYTES)


def _read(path: Path, max_bytes: int) -> tuple[bytes, str]:
    """The file's tensors as safetensors, and the file's SHA-256."""
    try:
        # without waiting, as what is there may be a pipe
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:  # noqa: PTH123
            is_pickle = _check(file, path, max_bytes)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _converted(file, path, max_bytes) if is_pickle else file.read(max_bytes), sha256
    except OSError as error:
        raise UserError(
            "must be a file that can be read",
            given=Shown(error.strerror or "an error"),
            place=str(path),
            remedy="check the path",
        ) from None


def _check(file: IO[bytes], path: Path, max_bytes: int) -> bool:
    """Whether the file is a pickle. Raises UserError for what can be seen to be neither that nor safetensors."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise UserError("must be a file", given=Shown("something else"), place=str(path), remedy="name a weight file")
    if found.st_size > max_bytes:
        rule = f"must be at most {size(max_bytes)} large to hold this arm's network and nothing else"
        raise UserError(rule, given=Shown(size(found.st_size)), place=str(path), remedy=_ALONE)
    start = file.read(9)
    file.seek(0)
    if start.startswith(_PICKLES):
        return True
    if start[8:9] != b"{" or int.from_bytes(start[:8], "little") > HEADER_BYTES:
        given = f"a file that begins with {start[:4]!r}" if start else "an empty file"
        raise _not_weights(path, given)
    return False


def _converted(file: IO[bytes], path: Path, max_bytes: int) -> bytes:
    """The tensors of a pickle, as the child process writes them. It is killed if it is too slow or writes too much."""
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
        start_new_session=True,  # an interruption is the parent's business
    ) as child:
        assert child.stdout is not None
        reader = Thread(target=_collect, args=(child.stdout, output, max_bytes + HEADER_BYTES), daemon=True)
        reader.start()
        try:
            reader.join(WALL_S)
            late = reader.is_alive()
            if not late and len(output) <= max_bytes + HEADER_BYTES:
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


def _weights(content: bytes, widths: Sequence[int], path: Path) -> State:
    """The state dict in `content`, which must be that of a network of these widths, name by name, and finite."""
    try:
        if int.from_bytes(content[:8], "little") > min(HEADER_BYTES, len(content)):
            raise ValueError("a header that is too large")
        weights = load_safetensors(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _not_weights(path, str(error)) from None
    wanted = parameter_shapes(widths)
    wrong = [f"no {name}" for name in wanted if name not in weights]
    wrong += [f"{name} as well" for name in weights if name not in wanted]
    wrong += [
        f"{name} of shape {_shape(weights[name].shape)}, not {_shape(shape)}"
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != shape
    ]
    if wrong:
        rule = f"must hold the weights of this arm's network, {'-'.join(map(str, widths))}, and nothing else"
        remedy = f"name an arm that has the file's network, or {_ALONE}"
        raise UserError(rule, given=Shown(", ".join(wrong[:3])), place=str(path), remedy=remedy)
    for name, tensor in weights.items():
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
            given = f"a value in {name} that is not"
            remedy = "take weights from an earlier epoch: this network has diverged"
            raise UserError("must hold finite real numbers", given=Shown(given), place=str(path), remedy=remedy)
    return {name: np.asarray(weights[name], dtype=np.float32) for name in wanted}


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"


def _not_weights(path: Path, given: str) -> UserError:
    rule = "must be a state dict: a safetensors file, or one that PyTorch loads with weights_only=True"
    return UserError(rule, given=Shown(given), place=str(path), remedy=_ALONE)
