"""Energy meters. Every figure says whether it was measured, modelled, or is unknown, and how."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, final

from paribus.errors import UserError
from paribus.units import GIB

Tag = Literal["measured", "modelled", "unknown"]

WATTS_PER_CORE = 12.0
"""Watts of a busy core of an unnamed CPU: the default of Green Algorithms (Lannelongue, Grealey and Inouye 2021)."""
WATTS_PER_GIB = 0.3725
"""Watts of a GiB of memory in use: the same source, which gives it per GB."""
MODEL_SOURCE = "Green Algorithms (Lannelongue, Grealey and Inouye 2021, doi:10.1002/advs.202100707)"
DEVIATIONS = (-0.6, 1.9)
"""The least and the largest relative deviation of modelled from measured power, model / measurement - 1, of models that
have a processor's load and rated power. See `DEVIATIONS_SOURCE`."""
DEVIATIONS_SOURCE = "CodeCarbon, Accuracy and validation: CPU load x TDP against RAPL on four processors, 2025"


@dataclass(frozen=True)
class Reading:
    """Energy used since a meter was started. `energy_j` is None where `tag` is `unknown`; `method` says how.

    A modelled figure's method has `deviations`: how far such models were found to be from measurements (see `bounds`).
    """

    energy_j: float | None
    tag: Tag
    method: Mapping[str, Any]


class Meter(ABC):
    """Measures or models the energy used between `start` and each `read`; may be read often; `stop` ends it."""

    @abstractmethod
    def start(self) -> None:
        """Begin to count."""

    @abstractmethod
    def read(self) -> Reading:
        """What was used since `start`."""

    def stop(self) -> None:
        """Release what `start` acquired."""
        return


@dataclass(frozen=True)
class NodeLoad:
    """What workers on one node of a cluster take: how many there are, the processor time of these and of earlier ones,
    and the memory that they hold."""

    workers: int = 0
    cpu_s: float = 0.0
    memory_gib: float = 0.0


class Load:
    """What some work takes of a processor and of memory: here all of this process. Work elsewhere has a subclass."""

    scope = "this process"

    @property
    def cpu_s(self) -> float:
        """Processor time so far, all threads together, in seconds."""
        return time.process_time()

    @property
    def memory_gib(self) -> float:
        """The most memory held so far."""
        return peak_memory_gib()

    @property
    def nodes(self) -> Mapping[str, NodeLoad]:
        """The part of it on each node of a cluster, by the node's id; empty where nothing is trained on one."""
        return {}


@final
class ModelledMeter(Meter):
    """A model for machines without a counter: the processor time and memory of a load, times stated constants.

    `why` says why nothing is measured, where nobody asked for the model.
    """

    def __init__(
        self,
        watts_per_core: float = WATTS_PER_CORE,
        watts_per_gib: float = WATTS_PER_GIB,
        load: Load | None = None,
        why: str = "",
    ) -> None:
        self._why = why
        self._watts_per_core = watts_per_core
        self._watts_per_gib = watts_per_gib
        self._load = load or Load()
        self._cpu_s = 0.0
        self._wall_s = 0.0
        self._nodes: dict[str, NodeLoad] = {}
        self._most: dict[str, NodeLoad] = {}

    def start(self) -> None:
        """Note processor and wall time."""
        self._cpu_s, self._nodes, self._wall_s = self._load.cpu_s, dict(self._load.nodes), time.perf_counter()
        self._most = {}

    def read(self) -> Reading:
        """Joules by the model, and its constants."""
        cpu_s, wall_s = self._load.cpu_s - self._cpu_s, time.perf_counter() - self._wall_s
        memory_gib = self._load.memory_gib
        nodes = self._on_nodes(wall_s)
        method = {
            "meter": "modelled",
            "formula": "cpu_s x watts_per_core + wall_s x memory_gib x watts_per_gib",
            "watts_per_core": self._watts_per_core,
            "watts_per_gib": self._watts_per_gib,
            "memory_gib": round(memory_gib, 3),
            "scope": self._load.scope,
            "source": MODEL_SOURCE if self._watts_per_core == WATTS_PER_CORE else "PARIBUS_WATTS_PER_CORE",
            **({"why": self._why} if self._why else {}),
            **({"nodes": nodes} if nodes else {}),
            **deviations(),
        }
        return Reading(self._joules(cpu_s, wall_s, memory_gib), "modelled", method)

    def _on_nodes(self, wall_s: float) -> dict[str, dict[str, float]]:
        """What each node has taken since `start`: the most workers and memory are those of all readings."""
        for name, load in self._load.nodes.items():
            most, before = self._most.get(name, NodeLoad()), self._nodes.get(name, NodeLoad())
            memory_gib = max(most.memory_gib, load.memory_gib)
            self._most[name] = NodeLoad(max(most.workers, load.workers), load.cpu_s - before.cpu_s, memory_gib)
        return {
            name: {
                "workers": most.workers,
                "cpu_s": most.cpu_s,
                "memory_gib": round(most.memory_gib, 3),
                "energy_j": self._joules(most.cpu_s, wall_s, most.memory_gib),
            }
            for name, most in self._most.items()
            if most.workers or most.cpu_s
        }

    def _joules(self, cpu_s: float, wall_s: float, memory_gib: float) -> float:
        return modelled_j(cpu_s=cpu_s, wall_s=wall_s, memory_gib=memory_gib, watts_per_core=self._watts_per_core,
                          watts_per_gib=self._watts_per_gib)  # fmt: skip


@final
class UnknownMeter(Meter):
    """For energy that nothing here can measure or model: no figure, and the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def start(self) -> None:
        """Nothing to begin."""

    def read(self) -> Reading:
        """No figure."""
        return Reading(None, "unknown", {"meter": "none", "reason": self._reason})


def modelled_j(*, cpu_s: float, wall_s: float, memory_gib: float, watts_per_core: float = WATTS_PER_CORE,
               watts_per_gib: float = WATTS_PER_GIB) -> float:  # fmt: skip
    """Joules of busy cores and of memory in use (Green Algorithms' formula without its overhead factor)."""
    return cpu_s * watts_per_core + wall_s * memory_gib * watts_per_gib


def deviations() -> dict[str, Any]:
    """What the method of a modelled figure says about its error."""
    return {"deviations": list(DEVIATIONS), "deviations_source": DEVIATIONS_SOURCE}


def bounds(energy_j: float, method: Mapping[str, Any]) -> tuple[float, float]:
    """Between what the true energy lies, if a model deviates as its method says; of a measured figure, itself.

    A deviation d means that the model gave (1 + d) times the true energy.
    """
    least, most = method.get("deviations", (0.0, 0.0))
    return energy_j / (1.0 + most), energy_j / (1.0 + least)


def watts_per_core() -> float:
    """PARIBUS_WATTS_PER_CORE if it is set, else the default.

    Raises UserError unless it is a number above 0 and at most 1000.
    """
    return positive_setting("PARIBUS_WATTS_PER_CORE", most=1000.0, unit="watts") or WATTS_PER_CORE


def positive_setting(name: str, *, most: float, unit: str) -> float | None:
    """The environment's `name` as a number above 0 and at most `most`; None where it is unset or empty."""
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise UserError(
            f"must be a number of {unit} above 0 and at most {most:g}",
            given=text,
            place=name,
            remedy="correct or unset it",
        )
    return value


def peak_memory_gib() -> float:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / GIB


@dataclass(frozen=True)
class Usage:
    """Time and energy of some work. `cpu_s` is the processor time of its load, all threads together."""

    started_at: str
    wall_s: float
    cpu_s: float
    energy_j: float | None
    tag: Tag
    method: Mapping[str, Any]


@final
class Metering(AbstractContextManager["Metering"]):
    """Time and energy of a `with` block, as `usage`: so far within the block, in all after it.

    `load` is what takes processor time in the block, by default this process.
    """

    def __init__(self, meter: Meter, load: Load | None = None) -> None:
        self._meter = meter
        self._load = load or Load()
        self._started_at = ""
        self._wall_s = 0.0
        self._cpu_s = 0.0
        self._final: Usage | None = None

    def __enter__(self) -> Metering:
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._wall_s, self._cpu_s = time.perf_counter(), self._load.cpu_s
        self._meter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._final = self.usage
        self._meter.stop()

    @property
    def usage(self) -> Usage:
        """What the block has taken."""
        if self._final is not None:
            return self._final
        wall_s, cpu_s = time.perf_counter() - self._wall_s, self._load.cpu_s - self._cpu_s
        reading = self._meter.read()
        return Usage(self._started_at, wall_s, cpu_s, reading.energy_j, reading.tag, reading.method)
