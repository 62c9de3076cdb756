"""What a benchmark ran on: processor, versions, commit, and the peak rate measured at the same time."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers._base import cores
from paribus.execution.environment import environment

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ticks:
    """Clock ticks of all processors since the machine started: stolen by other guests of the same host, and in all."""

    stolen: int
    total: int


def ticks() -> Ticks:
    """As the kernel counts them; none where it does not."""
    try:
        counts = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return Ticks(0, 0)
    return Ticks(counts[7], sum(counts))


def stolen_since(before: Ticks) -> float:
    """The share of the processors' time that other guests have taken since `before`."""
    now = ticks()
    return (now.stolen - before.stolen) / max(1, now.total - before.total)


def about(
    versions: Mapping[str, str], *, peak: float, started: datetime, stolen: float, options: Mapping[str, Any]
) -> dict[str, Any]:
    here = environment()
    return {
        "processor": here["processor"],
        "vector_instructions": here["vector_instructions"],
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": dict(sorted(versions.items())),
        "commit": commit(),
        "peak_gflops": peak / 1e9,
        "stolen": round(stolen, 3),
        "started": started.isoformat(timespec="minutes"),
        "minutes": round((datetime.now(UTC) - started).total_seconds() / 60, 1),
        "cohorts": list(options["cohorts"]),
        "repeats": options["repeats"],
        "whole": options["whole"],
    }


def commit(checkout: Path = ROOT) -> str:
    """The commit of a checkout, and whether its files differ from it."""
    commit = _git(checkout, "rev-parse", "--short=12", "HEAD")
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return (commit or "none") + (" with changes" if commit and changed else "")


def _git(checkout: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
