"""Fault injection: kills the process, or lets the disk be full, at a chosen step of writing a workspace.

Every step that changes a file is wrapped in `around`, which is a point before it and a point after it. A point does
nothing unless the environment variable PARIBUS_FAULT names a fault:

`kill@N`        the process kills itself (SIGKILL) at its N-th point, counted from 1;
`interrupt@N`   the process asks itself to end (SIGINT) at its N-th point;
`enospc@N`      the N-th point raises OSError, no space left on device;
`count@FILE`    when the process exits, it appends the names of all points that it passed to FILE, one per line.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SIGNALS: Final = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}


class _Plan:
    """The fault of this process, and the points that it has passed."""

    def __init__(self, text: str) -> None:
        self.kind, _, argument = text.partition("@")
        if self.kind not in ("", *SIGNALS, "enospc", "count"):
            raise ValueError(f"PARIBUS_FAULT must be kill@N, interrupt@N, enospc@N or count@FILE, got {text!r}")
        self.target = int(argument) if self.kind in (*SIGNALS, "enospc") else 0
        self.passed: list[str] = []
        if self.kind == "count":
            atexit.register(self._write, Path(argument))

    def reach(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) != self.target:
            return
        if self.kind in SIGNALS:
            os.kill(os.getpid(), SIGNALS[self.kind])
            return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    def _write(self, path: Path) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in self.passed)


_plan = _Plan(os.environ.get("PARIBUS_FAULT", ""))


def inject(text: str) -> None:
    """Set another fault, counting points from here; the empty text is none."""
    global _plan  # noqa: PLW0603 - one process, one plan
    _plan = _Plan(text)


def point(name: str) -> None:
    """A place at which a fault may happen."""
    if _plan.kind:
        _plan.reach(name)


@contextmanager
def around(name: str) -> Generator[None]:
    """A point before and a point after a step; none after a step that failed."""
    point(f"before {name}")
    yield
    point(f"after {name}")
