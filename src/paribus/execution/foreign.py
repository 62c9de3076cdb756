"""Weights from elsewhere: a PyTorch file of unknown origin, and what its network does with the data of one arm.

The file is a pickle, so it is opened in a process of its own, with `weights_only=True` and bounds on time and memory
(see `unpickling`). What comes back is safetensors, and is believed no more than the file: names, shapes and values are
checked here.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import IO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from paribus.errors import Shown, UserError
from paribus.execution import unpickling
from paribus.spec.study import Study
from paribus.training.evaluation import Subject, weigh
from paribus.training.networks import parameter_count
from paribus.training.plan import PlannedRun, plan_study
from paribus.units import size

WALL_S = 120.0
"""For the child as a whole, most of which goes into starting PyTorch on a busy machine."""
_TO_EXIT_S = 30.0
MOST_BYTES = 2**32
HEADER_BYTES = 2**20
_STARTS = (b"PK\x03\x04", b"\x80")
"""Of a zip archive, as PyTorch writes since 1.6, and of a pickle, as it wrote before."""
_ALONE = "save the network's state_dict() alone: torch.save(network.state_dict(), FILE)"


@dataclass(frozen=True, eq=False)
class Weighed:
    """A foreign network under one run's data: `measured` has a value for each metric, `sha256` names the file."""

    run: PlannedRun
    sha256: str
    measured: Mapping[str, float]


def weigh_file(path: Path, study: Study, arm: str, replicate: int) -> Weighed:
    """Load the weights of `path` into the network of an arm, and measure it on a replicate's training and validation
    splits. The test split is not opened.

    Raises UserError where the file holds anything but weights of that network, and where the data cannot be had.
    """
    chosen = study.arm(arm)
    layers = chosen.recipe.network.layers
    content, sha256 = _converted(path, _bound(layers))
    weights = _weights(content, layers, path)
    plan = plan_study(study.model_copy(update={"arms": (chosen,)}), {}, rehearse=False)
    run = next(run for run in plan.runs if run.replicate == replicate)
    with torch.no_grad():
        measured = weigh(Subject(run.recipe, run.seed, run.replicate, run.splits), weights)
    return Weighed(run, sha256, measured)


def _bound(layers: tuple[int, ...]) -> int:
    """Bytes that a file of these weights has at most: in float64, twice over, and something for names."""
    return min(16 * parameter_count(layers) + 2**20, MOST_BYTES)


def _converted(path: Path, most_bytes: int) -> tuple[bytes, str]:
    """The file's tensors as safetensors from the child process, and the file's SHA-256."""
    try:
        # without waiting, as what is there may be a pipe
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:  # noqa: PTH123
            _check(file, path, most_bytes)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _asked(file, path, most_bytes), sha256
    except OSError as error:
        raise UserError(
            "must be a file that can be read",
            given=Shown(error.strerror or "an error"),
            place=str(path),
            remedy="check the path",
        ) from None


def _check(file: IO[bytes], path: Path, most_bytes: int) -> None:
    """What can be seen without opening the pickle."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise UserError("must be a file", given=Shown("something else"), place=str(path), remedy="name a weight file")
    if found.st_size > most_bytes:
        rule = f"must be at most {size(most_bytes)} large to hold this arm's network and nothing else"
        raise UserError(rule, given=Shown(size(found.st_size)), place=str(path), remedy=_ALONE)
    start = file.read(4)
    file.seek(0)
    if not start.startswith(_STARTS):
        given = f"a file that begins with {start!r}" if start else "an empty file"
        raise _not_weights(path, given)


def _asked(file: IO[bytes], path: Path, most_bytes: int) -> bytes:
    """What the child makes of the file. It is killed when it takes too long or says too much."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TORCH", "PYTORCH"))}
    said = bytearray()
    with subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", unpickling.__file__, str(most_bytes)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd="/",
        start_new_session=True,  # an interruption is the parent's business
    ) as child:
        assert child.stdout is not None
        reader = Thread(target=_read, args=(child.stdout, said, most_bytes + HEADER_BYTES), daemon=True)
        reader.start()
        try:
            reader.join(WALL_S)
            late = reader.is_alive()
            if not late and len(said) <= most_bytes + HEADER_BYTES:
                child.wait(_TO_EXIT_S)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    if late:
        raise _not_weights(path, f"a file that takes longer than {WALL_S:.0f} s")
    if child.returncode:
        told = said.decode("utf-8", "replace")[:400] if child.returncode == 1 else ""
        raise _not_weights(path, told or "a file that breaks the bounds of time and memory")
    return bytes(said)


def _read(stream: IO[bytes], into: bytearray, most_bytes: int) -> None:
    while len(into) <= most_bytes:
        part = stream.read(2**20)
        if not part:
            return
        into += part


def _weights(content: bytes, layers: tuple[int, ...], path: Path) -> dict[str, Tensor]:
    """The state dict in `content`, which must be that of a network of these layers, to the letter and finite."""
    try:
        if int.from_bytes(content[:8], "little") > min(HEADER_BYTES, len(content)):
            raise ValueError("a header that is too large")
        weights = load_safetensors(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _not_weights(path, str(error)) from None
    wanted: dict[str, tuple[int, ...]] = {}
    for i, (width_in, width_out) in enumerate(pairwise(layers), start=1):
        wanted |= {f"fc{i}.weight": (width_out, width_in), f"fc{i}.bias": (width_out,)}
    wrong = [f"no {name}" for name in wanted if name not in weights]
    wrong += [f"{name} too" for name in weights if name not in wanted]
    wrong += [
        f"{name} of shape {_shape(tuple(weights[name].shape))}, not {_shape(shape)}"
        for name, shape in wanted.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    if wrong:
        rule = f"must hold the weights of this arm's network, {'-'.join(map(str, layers))}, and nothing else"
        remedy = f"name an arm that has the file's network, or {_ALONE}"
        raise UserError(rule, given=Shown(", ".join(wrong[:3])), place=str(path), remedy=remedy)
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
            given = f"a value in {name} that is not"
            remedy = "take weights from an earlier epoch: this network has diverged"
            raise UserError("must hold finite float32 numbers", given=Shown(given), place=str(path), remedy=remedy)
    return {name: weights[name] for name in wanted}


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"


def _not_weights(path: Path, given: str) -> UserError:
    rule = "must be a state dict that PyTorch loads with weights_only=True"
    return UserError(rule, given=Shown(given), place=str(path), remedy=_ALONE)
