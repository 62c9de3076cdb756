"""Child processes that measure, one for each tool. Requests and answers are JSON lines."""

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
MAX_ANSWER_S = 300.0
"""The longest time that one answer may take, compilation included."""
MAX_CLOSE_S = 5.0


class FailedError(Exception):
    """The reason why a tool gave no answer."""


class Child:
    """`python -m benchmarks.measure TOOL NETWORK`. Call `ready` once, `ask` many times, and `close`."""

    def __init__(self, tool: str, network: str) -> None:
        self.batched = False
        self.min_runs = 1
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
        Thread(target=self._read_answers, daemon=True).start()

    def ready(self) -> dict[str, str]:
        """The versions of the packages that the tool consists of. Raises FailedError where it cannot run here."""
        facts = self._answer()
        if "unavailable" in facts:
            raise FailedError(facts["unavailable"])
        self.batched, self.min_runs = facts["batched"], facts["min_runs"]
        return facts["versions"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise FailedError(self._last_error()) from None
        return self._answer()

    def close(self) -> None:
        """Let it end by itself, since it may have child processes to end. A busy one is killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(MAX_CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=MAX_ANSWER_S)
        except queue.Empty:
            raise FailedError(f"no answer within {MAX_ANSWER_S:.0f} s") from None
        if not line:
            raise FailedError(self._last_error())
        return json.loads(line)

    def _read_answers(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _last_error(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if lines else f"ended with code {self._process.returncode}"
