"""The environment of a run: the software and the processor that it was trained with, recorded beside its results."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm

import paribus

VECTOR_INSTRUCTIONS: Final = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sse2": "SSE2", "neon": "NEON"}
"""LLVM's names of the sets of vector instructions, the widest first, and the names that people know."""


@lru_cache
def environment(device: str = "cpu", *, module: bool = False) -> dict[str, Any]:
    """Versions, processor, thread count and training device, as recorded with each run.

    `device` is "cpu" or a GPU's name, and `module` says whether the run is of a user's module. PyTorch has a version
    here only where it trains: on a GPU, and modules. `cpu_features` is a digest: two processors of equal digest offer a
    compiler the same instructions. Raises PackageNotFoundError where PyTorch trains and is not installed.
    """
    features = _cpu_features()
    return {
        "paribus": paribus.__version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "llvmlite": version("llvmlite"),
        **({} if device == "cpu" and not module else {"torch": version("torch")}),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "cpu": llvm.get_host_cpu_name(),
        "vector_instructions": next((name for key, name in VECTOR_INSTRUCTIONS.items() if key in features), "unknown"),
        "cpu_features": hashlib.sha256(",".join(features).encode()).hexdigest()[:8],
        "threads_per_cohort": 1,
        "device": device,
    }


def _cpu_features() -> list[str]:
    """LLVM's names of what this processor offers, sorted."""
    return sorted(name for name, offered in llvm.get_host_cpu_features().items() if offered)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
