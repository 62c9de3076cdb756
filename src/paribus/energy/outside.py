"""Other programs' meters, CodeCarbon and CarbonTracker, each in a child process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, final

from paribus.child_python import python_path
from paribus.energy.meters import Meter, Reading, Tag, deviations
from paribus.errors import Shown, UserError

TOOLS: Final = {"codecarbon": "CodeCarbon", "carbontracker": "CarbonTracker"}
START_S: Final = 60.0
"""How long a tool may take until its first reading: it imports much."""
ANSWER_S: Final = 15.0
_MOST_BYTES: Final = 1 << 16


def outside_meter(name: str) -> OutsideMeter:
    """The meter of that name. Raises UserError where its package is not installed."""
    if importlib.util.find_spec(name) is None:
        remedy = "install paribus[energy], or leave --meter out"
        raise UserError(f"needs {TOOLS[name]}", given=Shown("no such package here"), place=f"--meter {name}",
                        remedy=remedy)  # fmt: skip
    return OutsideMeter(name, [sys.executable, "-P", "-W", "ignore", "-m", "paribus.energy.outside_child", name])


@final
class OutsideMeter(Meter):
    """A child process that answers each line with a reading. If it ends or is silent, the energy is unknown.

    `start` waits for the first reading, from which later ones are counted, so that the tool's own start-up is not
    counted as the work's energy.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, start_s: float = START_S, answer_s: float = ANSWER_S
    ) -> None:
        self._name, self._command = name, list(command)
        self._start_s, self._answer_s = start_s, answer_s
        self._child: subprocess.Popen[bytes] | None = None
        self._begin: dict[str, Any] = {}

    def start(self) -> None:
        """Start the child, and read it for the first time."""
        self.stop()
        try:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": python_path()},
                start_new_session=True,
            )
        except OSError as error:
            self._begin = {"reason": f"{TOOLS.get(self._name, self._name)} cannot be started ({error.strerror})"}
            return
        self._begin = self._asked(self._start_s)

    def read(self) -> Reading:
        """Joules since `start`, and what the tool says about them."""
        began = self._begin.get("energy_j")
        if began is None:
            return self._unknown(self._begin)
        now = self._asked(self._answer_s)
        if now.get("energy_j") is None:
            return self._unknown(now)
        tag: Tag = "measured" if now.pop("tag", "") == "measured" else "modelled"
        energy_j = float(now.pop("energy_j")) - float(began)
        for key in ("processor_j", "memory_j", "gpu_j"):
            if key in now:
                now[key] -= self._begin[key]
        return Reading(max(0.0, energy_j), tag, {**now, **(deviations() if tag == "modelled" else {})})

    def stop(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        _ended(child)
        child.stdout.close()

    def _unknown(self, answer: dict[str, Any]) -> Reading:
        return Reading(None, "unknown", {"meter": self._name, "reason": answer.get("reason", "it gave no figure")})

    def _asked(self, within_s: float) -> dict[str, Any]:
        """The child's next answer; with `reason` in place of a figure where there is none."""
        child, title = self._child, TOOLS.get(self._name, self._name)
        if child is None:
            return {"reason": f"{title} has ended"}
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(b"read\n")
            child.stdin.flush()
        except BrokenPipeError:
            return {"reason": f"{title} ended with exit code {_ended(child)}"}
        line = _line(child.stdout.fileno(), within_s)
        if line is None:
            child.kill()
            return {"reason": f"{title} gave no answer within {within_s:g} s"}
        try:
            answer = json.loads(line)
        except ValueError:
            code = None if line else _ended(child)
            return {"reason": f"{title} ended with exit code {code}" if code is not None else f"{title} gave no JSON"}
        return answer if isinstance(answer, dict) else {"reason": f"{title} gave no reading"}


def _ended(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a child that is to end, and is killed where it does not."""
    try:
        return child.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _line(descriptor: int, within_s: float) -> bytes | None:
    """A line that a child writes, empty at the end of its output; None where it does not come in time."""
    found = b""
    until = time.monotonic() + within_s
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not found.endswith(b"\n") and len(found) < _MOST_BYTES:
            if not selector.select(max(0.0, until - time.monotonic())):
                return None
            part = os.read(descriptor, 4096)
            if not part:
                return b""
            found += part
    return found
