"""Meters made of meters: of the parts of a machine, above idle power, and side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, final

from paribus.energy.meters import Meter, Reading, bounds

IDLE_S: Final = 2.0
"""How long idle power is measured. Counters of GPUs are renewed about ten times a second."""


@final
class SumMeter(Meter):
    """A GPU and its host together: the sum is measured where both are, modelled where the host is, else unknown."""

    def __init__(self, gpu: Meter, host: Meter) -> None:
        self._gpu, self._host = gpu, host

    def start(self) -> None:
        """Start both."""
        self._gpu.start()
        self._host.start()

    def read(self) -> Reading:
        """Joules of both since `start`. The deviations of a modelled host are made those of the sum."""
        gpu, host = self._gpu.read(), self._host.read()
        method: dict[str, Any] = {
            **host.method,
            "meter": f"{gpu.method['meter']} and {host.method['meter']}",
            **{f"gpu_{key}": value for key, value in gpu.method.items() if key not in ("meter", "reason")},
        }
        missing = next((part.method.get("reason") for part in (gpu, host) if part.energy_j is None), None)
        if gpu.energy_j is None or host.energy_j is None:
            return Reading(None, "unknown", {**method, "reason": missing})
        energy_j = gpu.energy_j + host.energy_j
        if "deviations" in method and energy_j > 0:
            low, high = bounds(host.energy_j, host.method)
            method["deviations"] = [energy_j / (gpu.energy_j + high) - 1, energy_j / (gpu.energy_j + low) - 1]
        return Reading(energy_j, "measured" if gpu.tag == host.tag == "measured" else "modelled", method)

    def stop(self) -> None:
        """Stop both."""
        self._gpu.stop()
        self._host.stop()


@final
class IdlePower:
    """What a counter shows while nothing trains, measured once, before the first training. None where it shows none."""

    def __init__(
        self,
        *,
        seconds: float = IDLE_S,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds, self.clock, self._sleep = seconds, clock, sleep
        self._watts: float | None = None
        self._measured = False

    def watts(self, meter: Meter) -> float | None:
        """The idle power by `meter`, which is not started."""
        if not self._measured:
            began = self.clock()
            meter.start()
            try:
                if meter.read().energy_j is not None:
                    self._sleep(self.seconds)
                energy_j = meter.read().energy_j
            finally:
                meter.stop()
            elapsed = self.clock() - began
            self._watts = None if energy_j is None or elapsed <= 0 else energy_j / elapsed
            self._measured = True
        return self._watts


@final
class AboveIdle(Meter):
    """A counter of a whole machine or GPU, without what it shows while nothing trains.

    Other programs count on both sides: idle power is what the machine took just before, with whatever ran then.
    """

    def __init__(self, meter: Meter, idle: IdlePower) -> None:
        self._meter, self._idle = meter, idle
        self._idle_w: float | None = None
        self._began = 0.0

    def start(self) -> None:
        """Measure idle power if no one has yet, then start the counter."""
        self._idle_w = self._idle.watts(self._meter)
        self._meter.start()
        self._began = self._idle.clock()

    def read(self) -> Reading:
        """Joules beyond idle power since `start`; `total_j` in the method has them all."""
        whole = self._meter.read()
        if whole.energy_j is None or self._idle_w is None:
            return whole
        idle_j = self._idle_w * (self._idle.clock() - self._began)
        method = {**whole.method, "total_j": whole.energy_j, "idle_w": self._idle_w, "idle_s": self._idle.seconds}
        return Reading(max(0.0, whole.energy_j - idle_j), whole.tag, method)

    def stop(self) -> None:
        """Stop the counter."""
        self._meter.stop()


@final
class SideBySide(Meter):
    """Several meters of the same work. The first one's figure counts; the method has those of the others, `beside`."""

    def __init__(self, first: Meter, *others: Meter) -> None:
        self._first, self._others = first, others

    def start(self) -> None:
        """Start all, the first one last, so that the start-up of the others is not counted in its energy."""
        for meter in (*self._others, self._first):
            meter.start()

    def read(self) -> Reading:
        """The first meter's figure, and the others' beside it."""
        first = self._first.read()
        beside = [
            {"energy_j": other.energy_j, "tag": other.tag, **other.method}
            for other in (meter.read() for meter in self._others)
        ]
        return Reading(first.energy_j, first.tag, {**first.method, "beside": beside})

    def stop(self) -> None:
        """Stop all."""
        for meter in (self._first, *self._others):
            meter.stop()
