"""Trying a user's module before anything is trained, in a child process (see `training/torch/module_child.py`)."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Final, final

import numpy as np
from safetensors.numpy import save

from paribus.child_python import python_path
from paribus.data.pool import Splits
from paribus.errors import Shown, UserError
from paribus.seeding import Streams, derive
from paribus.spec.modules import UserModule
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe
from paribus.training.cohort import inputs_of, targets_of
from paribus.training.engine import module_shape

WALL_S = 120.0
"""For each check, of which starting PyTorch takes some seconds on a busy machine."""
END_S: Final = 5.0
"""Seconds that a child which has closed its output may take to end."""
EXAMPLES: Final = 8
"""Examples of the batch on which a module is checked, at most."""
_SHOWN: Final = 80
"""Characters of what was given that a message shows at its end; a longer text is a part of the rule."""
_CHILD: Final = "paribus.training.torch.module_child"


def checked(
    arm: str, recipe: Recipe, splits: Splits, streams: Streams, folder: Path, checks: ModuleChecks
) -> UserModule:
    """The module of an arm, after a training step on some of its training examples: source and size.

    Raises UserError with what cannot work, and where.
    """
    network = recipe.network
    assert isinstance(network, Module)
    file, place = (folder / network.file).absolute(), f"arm {arm}, key network.module"
    if not file.is_file():
        raise UserError("must name a Python file beside the study file", given=network.file, place=place,
                        remedy=f"there is no {file}")  # fmt: skip
    if importlib.util.find_spec("torch") is None:
        remedy = "install paribus[torch]"
        raise UserError("needs PyTorch", given=Shown("no PyTorch here"), place=place, remedy=remedy)
    answer = checks.answer(_request(recipe, splits, streams, file, folder), _batch(recipe, splits), place)
    if "module" in answer:
        return UserModule.from_json(answer["module"])
    problem: dict[str, str] = answer["problem"]
    rule, given = problem["rule"], problem["given"]
    if len(given) > _SHOWN:
        rule, given = f"{rule}, got {given}", ""
    where = f"{place}, {problem['where']}" if problem["where"] else place
    raise UserError(rule, given=Shown(given), place=where, remedy=problem["remedy"])


def check_key(recipe: Recipe) -> tuple[object, ...]:
    """Recipes with equal keys, on the same data, have one check: what they differ in changes no first step."""
    clip = recipe.training.clip
    parts = (recipe.network, recipe.loss, recipe.data)
    return (*(part.model_dump_json() for part in parts), recipe.task, recipe.optimizer.kind, clip,
            recipe.training.batch_size)  # fmt: skip


def _request(recipe: Recipe, splits: Splits, streams: Streams, file: Path, folder: Path) -> dict[str, Any]:
    dataset, size = splits.dataset, recipe.training.batch_size
    shape = module_shape(dataset.shape)
    reconstructs = recipe.task == "reconstruction"
    own = recipe.model_copy(update={"loss": recipe.loss_on(dataset)})
    return {
        "recipe": own.model_dump(mode="json"),
        "file": str(file),
        "folder": str(folder.absolute()),
        "init": derive(streams.init, "init"),
        "step": derive(streams.module, "module", 0),
        "outputs": shape if reconstructs else (recipe.loss.outputs_for(dataset.outputs),),
        "last": len(splits.train) % size or min(size, len(splits.train)),
    }


def _batch(recipe: Recipe, splits: Splits) -> bytes:
    """The first training examples as a module sees them, as safetensors."""
    part = splits.train.take(slice(min(EXAMPLES, recipe.training.batch_size, len(splits.train))))
    seen = inputs_of(part, [splits]).seen(part.rows)
    arrays = {"inputs": np.ascontiguousarray(seen.reshape(len(part), *module_shape(splits.dataset.shape)))}
    if recipe.task != "reconstruction":
        arrays["targets"] = np.ascontiguousarray(targets_of(part, splits))
    return save(arrays)


@final
class ModuleChecks:
    """A child process that checks the modules of one file after the other: starting PyTorch takes seconds.

    A module that fails in a process that has checked others is tried again in a new one, as a file may not be made to
    be imported twice.
    """

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._file = ""

    def answer(self, request: dict[str, Any], batch: bytes, place: str) -> dict[str, Any]:
        """What the child answers. Raises UserError where it ends or takes too long."""
        if self._child is not None and self._file == request["file"]:
            try:
                found = self._child.answer(request, batch, place)
            except UserError:
                found = {}
            if "module" in found:
                return found
        self.close()
        self._child, self._file = _Child(), request["file"]
        return self._child.answer(request, batch, place)

    def close(self) -> None:
        """End the child and all that it has started."""
        if self._child is not None:
            self._child.close()
            self._child = None


@final
class _Child:
    """One process, which is killed with all that it has started when it is closed or no longer used."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": python_path()},
            start_new_session=True,  # Ctrl-C goes to the parent only
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=_read_lines, args=(self._process.stdout, self._lines), daemon=True).start()
        self.close = weakref.finalize(self, _end, self._process)

    def answer(self, request: dict[str, Any], batch: bytes, place: str) -> dict[str, Any]:
        """Raises UserError where it ends or takes too long; it is then closed."""
        requests = self._process.stdin
        assert requests is not None
        with suppress(BrokenPipeError):  # it has ended, as its answer will show
            requests.write(json.dumps(request | {"bytes": len(batch)}).encode() + b"\n" + batch)
            requests.flush()
        try:
            line = self._lines.get(timeout=WALL_S)
        except Empty:
            self.close()
            rule = f"must be imported and take a training step within {WALL_S:.0f} s"
            given, remedy = Shown("no end"), "train nothing and wait for nothing when the file is imported"
            raise UserError(rule, given=given, place=place, remedy=remedy) from None
        try:
            return json.loads(line)
        except ValueError:
            code = self._ended()
            given = Shown(f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
            rule, remedy = "must not end the process that imports it", "look for what does so in the file"
            raise UserError(rule, given=given, place=place, remedy=remedy) from None

    def _ended(self) -> int:
        """The exit code of a process that has closed its output."""
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            self.close()


def _read_lines(output: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    """Every line of the output, and an empty one when it has ended."""
    for line in output:
        lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        with suppress(BrokenPipeError):
            stream.close()
