"""Energy meters. Every figure says whether it was measured, modelled, or is unknown, and how."""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, final

from paribus.errors import UserError
from paribus.units import GIB

Tag = Literal["measured", "modelled", "unknown"]

WATTS_PER_CORE = 12.0
"""Of a busy core of an unnamed CPU: the default of Green Algorithms (Lannelongue, Grealey and Inouye 2021)."""
WATTS_PER_GIB = 0.3725
"""Of memory in use: the same source, which gives it per GB."""
MODEL_SOURCE = "Green Algorithms (Lannelongue, Grealey and Inouye 2021, doi:10.1002/advs.202100707)"
POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Reading:
    """Energy used since a meter was started. `energy_j` is None where `tag` is `unknown`; `method` says how."""

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


@final
class RaplMeter(Meter):
    """The processor's own energy counters (RAPL, as Linux shows them in `/sys/class/powercap`).

    They count everything that the machine does, other processes too. A counter overflows at `max_energy_range_uj`
    (within an hour, on a busy server), so a thread reads it every `every_s` seconds.
    """

    def __init__(self, counters: tuple[RaplCounter, ...], *, every_s: float = 60.0) -> None:
        self._counters = counters
        self._every_s = every_s
        self._lock = threading.Lock()
        self._last = [0] * len(counters)
        self._used_uj = 0
        self._broken = False
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the counters, and begin to follow them."""
        self._broken = False
        self._update()
        self._used_uj = 0
        self._halt.clear()
        self._thread = threading.Thread(target=self._follow, name="paribus-rapl", daemon=True)
        self._thread.start()

    def read(self) -> Reading:
        """Joules of all counters since `start`; unknown if one could no longer be read."""
        self._update()
        method = {"meter": "rapl", "zones": [counter.name for counter in self._counters], "scope": "the whole machine"}
        if self._broken:
            return Reading(None, "unknown", {**method, "reason": "a counter could no longer be read"})
        return Reading(self._used_uj / 1e6, "measured", method)

    def stop(self) -> None:
        """Stop following the counters."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._halt.wait(self._every_s):
            self._update()

    def _update(self) -> None:
        with self._lock:
            try:
                now = [counter.read_uj() for counter in self._counters]
            except (OSError, ValueError):
                self._broken = True
                return
            for counter, before, after in zip(self._counters, self._last, now, strict=True):
                self._used_uj += after - before if after >= before else after - before + counter.range_uj
            self._last = now


@dataclass(frozen=True)
class RaplCounter:
    """One zone of RAPL: a processor package, or memory beside it. Counts microjoules up to `range_uj`."""

    name: str
    path: Path
    range_uj: int

    def read_uj(self) -> int:
        """The counter's value. Raises OSError or ValueError where it cannot be read."""
        return int((self.path / "energy_uj").read_text())


def rapl_counters(root: Path = POWERCAP) -> tuple[RaplCounter, ...]:
    """The counters that add up to processor and memory: packages, and memory zones, which no package includes.

    Empty where there is none, or one cannot be read: part of a machine is no measurement of it.
    """
    counters: list[RaplCounter] = []
    try:
        for zone in sorted(root.glob("intel-rapl:*")):
            name = (zone / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                counter = RaplCounter(name, zone, int((zone / "max_energy_range_uj").read_text()))
                counter.read_uj()
                counters.append(counter)
    except (OSError, ValueError):
        return ()
    return tuple(counters)


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


@final
class ModelledMeter(Meter):
    """A model for machines without a counter: the processor time and memory of a load, times stated constants."""

    def __init__(
        self,
        watts_per_core: float = WATTS_PER_CORE,
        watts_per_gib: float = WATTS_PER_GIB,
        load: Load | None = None,
    ) -> None:
        self._watts_per_core = watts_per_core
        self._watts_per_gib = watts_per_gib
        self._load = load or Load()
        self._cpu_s = 0.0
        self._wall_s = 0.0

    def start(self) -> None:
        """Note processor and wall time."""
        self._cpu_s, self._wall_s = self._load.cpu_s, time.perf_counter()

    def read(self) -> Reading:
        """Joules by the model, and its constants."""
        cpu_s, wall_s = self._load.cpu_s - self._cpu_s, time.perf_counter() - self._wall_s
        memory_gib = self._load.memory_gib
        energy_j = modelled_j(cpu_s=cpu_s, wall_s=wall_s, memory_gib=memory_gib, watts_per_core=self._watts_per_core,
                              watts_per_gib=self._watts_per_gib)  # fmt: skip
        method = {
            "meter": "modelled",
            "formula": "cpu_s x watts_per_core + wall_s x memory_gib x watts_per_gib",
            "watts_per_core": self._watts_per_core,
            "watts_per_gib": self._watts_per_gib,
            "memory_gib": round(memory_gib, 3),
            "scope": self._load.scope,
            "source": MODEL_SOURCE if self._watts_per_core == WATTS_PER_CORE else "PARIBUS_WATTS_PER_CORE",
        }
        return Reading(energy_j, "modelled", method)


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


def watts_per_core() -> float:
    """PARIBUS_WATTS_PER_CORE if it is set, else the default. Raises UserError where it is no sensible number."""
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


def best_meter(powercap: Path = POWERCAP, load: Load | None = None) -> Meter:
    """The best meter of this machine for the processor and memory that `load` takes, by default this process."""
    counters = rapl_counters(powercap)
    return RaplMeter(counters) if counters else ModelledMeter(watts_per_core(), load=load)


def modelled_meter(load: Load) -> Meter:
    """A meter that models energy from the processor time of a load, wherever that is spent."""
    return ModelledMeter(watts_per_core(), load=load)


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
