"""The processor's own energy counters: RAPL, as Linux shows it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import final

from paribus.energy.meters import Meter, Reading

POWERCAP = Path("/sys/class/powercap")


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


@dataclass(frozen=True)
class RaplCounters:
    """The counters of a machine; none of them, and the reason in `missing`, where it cannot be measured."""

    found: tuple[RaplCounter, ...]
    missing: str = ""


def rapl_counters(root: Path = POWERCAP) -> RaplCounters:
    """The counters that add up to processor and memory: packages, and memory zones, which no package includes.

    None where there is none, or one cannot be read: part of a machine is no measurement of it.
    """
    counters: list[RaplCounter] = []
    try:
        for zone in sorted(root.glob("intel-rapl:*")):
            name = (zone / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                counter = RaplCounter(name, zone, int((zone / "max_energy_range_uj").read_text()))
                counter.read_uj()
                counters.append(counter)
    except PermissionError:
        return RaplCounters((), f"the counters in {root} may be read by the administrator only")
    except (OSError, ValueError) as error:
        return RaplCounters((), f"a counter in {root} cannot be read ({type(error).__name__})")
    return RaplCounters(tuple(counters), "" if counters else f"there is no energy counter in {root}")
