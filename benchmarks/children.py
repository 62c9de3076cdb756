"""Child processes that measure, one a tool, spoken to in JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).parent.parent
LIMIT_S = 300.0
"""The longest that one answer may take, compilation included."""
CLOSE_S = 5.0


class FailedError(Exception):
    """Why a tool gave no answer."""


class Child:
    """`python -m benchmarks.measure TOOL NETWORK`. Context: `ready` once, `ask` many times, `close`."""

    def __init__(self, tool: str, network: str) -> None:
        self.together = False
        self.least_runs = 1
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - until `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measure", tool, network],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
        self._answers: queue.Queue[str] = queue.Queue()
        Thread(target=self._listen, daemon=True).start()

    def ready(self) -> dict[str, str]:
        """The versions of what the tool is made of. Raises FailedError where it cannot run here."""
        hello = self._answer()
        if "unavailable" in hello:
            raise FailedError(hello["unavailable"])
        self.together, self.least_runs = hello["together"], hello["least_runs"]
        return hello["versions"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise FailedError(self._last_words()) from None
        return self._answer()

    def close(self) -> None:
        """Let it end by itself, as one that has children of its own should; a busy one is killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=LIMIT_S)
        except queue.Empty:
            raise FailedError(f"no answer within {LIMIT_S:.0f} s") from None
        if not line:
            raise FailedError(self._last_words())
        return json.loads(line)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if lines else f"ended with code {self._process.returncode}"
