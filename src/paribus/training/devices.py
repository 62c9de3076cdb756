"""Where cohorts train: on the processor, one cohort per core, or on an accelerator, one large cohort after another."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from paribus.errors import Shown, UserError
from paribus.spec.identity import EngineFamily
from paribus.training.engine import Engine

NAMES: Final = ("cpu", "cuda")
WorkerKind = Literal["threads", "processes"]
WORKERS: Final[Mapping[EngineFamily, WorkerKind]] = {"cpu": "threads", "cuda": "threads", "module": "processes"}
"""Compiled loops and an accelerator's queue leave Python's lock to other threads. A user's module holds it, draws from
random generators that a process has one of, and may break its process."""
CPU_COHORT_SIZES: Final = (1, 2, 4, 8)
"""Cohort sizes that are timed. More runs fit no core's cache, and cost no less."""
CUDA_COHORT_SIZES: Final = (1, 4, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Device:
    """Where training takes place.

    `workers` cohorts train at once, of at most `memory_bytes` together and of one of `cohort_sizes` runs each. Each
    evaluates `evaluated_at_once` of its ended runs side by side, on cores that nothing trains on. `gpu` is the UUID of
    a GPU, as its driver knows it.
    """

    family: EngineFamily
    model: str
    workers: int
    cohort_sizes: tuple[int, ...]
    memory_bytes: int
    evaluated_at_once: int = 1
    gpu: str | None = None

    def engine(self) -> Engine:
        """What trains there."""
        return engine_of(self.family)

    def workers_are(self, family: EngineFamily) -> WorkerKind:
        """Whether workers that train runs of `family` are threads of this process, or processes."""
        return WORKERS[family]


def engine_of(family: EngineFamily) -> Engine:
    """A new engine of a family. Raises RuntimeError where its device is missing."""
    if family == "cpu":
        from paribus.training.cpu.engine import CompiledEngine

        return CompiledEngine()
    if family == "module":
        from paribus.training.torch.module_engine import ModuleEngine

        return ModuleEngine()
    from paribus.training.torch.accelerator import accelerator
    from paribus.training.torch.engine import StackedTensorEngine

    found = accelerator()
    if found is None:
        raise RuntimeError("a CUDA device is made only where there is a GPU")
    return StackedTensorEngine(found.device)


def device_named(name: str, workers: int | None = None) -> Device:
    """The device of that name; `workers` replaces the number of the CPU's cores.

    Raises UserError where there is no such device, or PyTorch is missing that it needs.
    """
    if name == "cpu":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Device("cpu", "cpu", workers or cores(), CPU_COHORT_SIZES, memory)
    if name != "cuda":
        raise UserError(f"must be one of {', '.join(NAMES)}", given=name, place="--device", remedy="use one of them")
    if importlib.util.find_spec("torch") is None:
        rule, remedy = "needs PyTorch", "install paribus[torch], or leave the option out to train on the CPU"
        raise UserError(rule, given=Shown("no PyTorch here"), place="--device cuda", remedy=remedy)
    from paribus.training.torch.accelerator import accelerator

    gpu = accelerator()
    if gpu is None:
        rule = "needs an NVIDIA GPU that PyTorch can use"
        raise UserError(rule, given=Shown("none"), place="--device cuda", remedy="leave the option out to use the CPU")
    return Device("cuda", gpu.model, 1, CUDA_COHORT_SIZES, gpu.memory_bytes, evaluated_at_once=cores(), gpu=gpu.uuid)


def cores() -> int:
    """Cores that this process may use; each trains one cohort at a time, on one thread."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
