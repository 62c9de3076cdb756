"""Where cohorts train: on the CPU, one cohort a core, or on an accelerator, one large cohort after another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import torch

from paribus.errors import UserError

NAMES: Final = ("cpu", "cuda")
SIZES_ON_CPU: Final = (1, 2, 4, 8)
"""Runs in one cohort, as many as may be tried. What more of them hold fits no core's cache, and costs no less."""
SIZES_ON_CUDA: Final = (1, 4, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Device:
    """`workers` cohorts train at once, of at most `memory_bytes` together, and of one of `cohort_sizes` runs each.

    Each measures `measured_at_once` of its runs that have ended side by side, on cores that nothing trains on. `gpu` is
    the UUID of a GPU, as its driver knows it.
    """

    torch: torch.device
    model: str
    workers: int
    cohort_sizes: tuple[int, ...]
    memory_bytes: int
    measured_at_once: int = 1
    gpu: str | None = None


def device_named(name: str, workers: int | None = None) -> Device:
    """The device of that name; `workers` stands in for the CPU's cores. Raises UserError where it is not here."""
    if name == "cpu":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Device(torch.device("cpu"), "cpu", workers or cores(), SIZES_ON_CPU, memory)
    if name != "cuda":
        raise UserError(f"must be one of {', '.join(NAMES)}", given=name, place="--device", remedy="name one of them")
    # float32 throughout, and the same sums at every run; a cuBLAS that is set up already keeps its setting
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if not torch.cuda.is_available():
        rule = "needs an NVIDIA GPU that PyTorch can use, and finds none"
        raise UserError(rule, given=name, place="--device", remedy="leave the option out to train on the CPU")
    torch.set_float32_matmul_precision("highest")
    properties = torch.cuda.get_device_properties(0)
    return Device(
        torch.device("cuda", 0),
        properties.name,
        workers=1,
        cohort_sizes=SIZES_ON_CUDA,
        memory_bytes=properties.total_memory,
        measured_at_once=cores(),
        gpu=f"GPU-{properties.uuid}",
    )


def settle_thread() -> None:
    """What every thread that trains must do first, for its speed and its bits: one core, and tiny numbers are zero.

    Adam's averages of a unit that has died shrink below what a float32 holds in full, and arithmetic on such numbers
    is many times slower.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def cores() -> int:
    """Cores that this process may use; each trains one cohort at a time, on one thread."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
