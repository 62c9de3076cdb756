"""The worker processes of a command, found in /proc: to be killed, and to be missed when the command is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

ENTRY = b"paribus.execution.worker_process"
GONE_S = 10.0
"""Seconds that a worker may take to notice that its parent is gone."""


def workers_of(pid: int) -> list[int]:
    """The processes that train modules for the command `pid`, the oldest first."""
    found = [own for path in Path("/proc").glob("[0-9]*") if (own := _worker(path, pid))]
    return sorted(found)


def left(pids: Iterable[int]) -> list[int]:
    """Those of some workers that are still there `GONE_S` seconds after their parent has ended."""
    waiting, until = list(pids), time.monotonic() + GONE_S
    while waiting and time.monotonic() < until:
        waiting = [pid for pid in waiting if _is_worker(Path(f"/proc/{pid}"))]
        time.sleep(0.02)
    return waiting


def _worker(path: Path, parent: int) -> int | None:
    """The process at `path`, if it is a worker of `parent`."""
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return None
    return int(path.name) if int(fields[1]) == parent and _is_worker(path) else None


def _is_worker(path: Path) -> bool:
    """Whether there is a worker that has not ended: of one that has, the command line is empty."""
    try:
        return ENTRY in (path / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
