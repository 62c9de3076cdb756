"""How often the system has killed a process because memory was lacking, so that such an end can be told from others."""

from __future__ import annotations

from pathlib import Path
from typing import Final

COUNTERS: Final = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
"""Of the whole system, and of this container: lines such as `oom_kill 3`."""


def memory_kills() -> int:
    """A count that grows with each such kill; always 0 where the system counts none."""
    return sum(_count(path) for path in COUNTERS)


def _count(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except (OSError, ValueError, IndexError):
        return 0
