"""The child process in which another program's meter runs: `python -m paribus.energy.outside_child NAME`.

Such meters start threads, write files, ask the network where they are, and may end the process that they run in. Here
they end a process that does nothing else. Each line on standard input asks for one reading, which is a line of JSON on
standard output: `energy_j`, `tag` and what is to be known about it. The end of the input ends the process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from importlib.metadata import version
from typing import Any, Protocol

JOULES_PER_KWH = 3.6e6


class _Tool(Protocol):
    """A meter that was started when it was made."""

    def reading(self) -> dict[str, Any]: ...


class _CodeCarbon:
    """CodeCarbon's offline tracker with its defaults: the whole machine, overhead 1, nothing written or sent."""

    def __init__(self) -> None:
        codecarbon: Any = importlib.import_module("codecarbon")
        outputs: Any = importlib.import_module("codecarbon.output")
        found: list[Any] = []

        class Kept(outputs.BaseOutput):
            def out(self, total: Any, delta: Any) -> None:
                del delta
                found.append(total)

        self._found = found
        self._tracker = codecarbon.OfflineEmissionsTracker(
            tracking_mode="machine",
            force_carbon_intensity_g_co2e_kwh=1.0,  # its emissions are not used: no location is guessed
            pue=1.0,
            output_methods=[],
            output_handlers=[Kept()],
            allow_multiple_runs=True,
            log_level="critical",
        )
        self._tracker.start()

    def reading(self) -> dict[str, Any]:
        self._tracker.flush()
        if not self._found:
            return {"energy_j": None, "tag": "unknown", "reason": "CodeCarbon gave no figure"}
        total = self._found[-1]
        self._found[:] = [total]
        return {
            "energy_j": total.energy_consumed * JOULES_PER_KWH,
            "tag": "modelled",  # its figure for memory always is
            "processor_j": total.cpu_energy * JOULES_PER_KWH,
            "memory_j": total.ram_energy * JOULES_PER_KWH,
            "gpu_j": total.gpu_energy * JOULES_PER_KWH,
            "processor": total.cpu_model,
            "scope": "the whole machine",
        }


class _CarbonTracker:
    """CarbonTracker, measuring one epoch after another from reading to reading, without its overhead factor."""

    def __init__(self) -> None:
        geocoder: Any = importlib.import_module("geocoder")
        geocoder.ip = _refuse  # it would ask the network where this machine stands
        constants: Any = importlib.import_module("carbontracker.constants")
        self._overhead, self._fallback = float(constants.PUE_2023), float(constants.WORLD_AVG_CARBON_INTENSITY)
        tracker: Any = importlib.import_module("carbontracker.tracker")
        self._tracker = tracker.CarbonTracker(epochs=1 << 40, epochs_before_pred=0, monitor_epochs=1 << 40, verbose=0)
        self._tracker.epoch_start()

    def reading(self) -> dict[str, Any]:
        thread = self._tracker.tracker
        self._tracker.epoch_end()
        kwh = float(thread.total_energy_per_epoch().sum())
        seconds = float(sum(thread.epoch_times))
        handlers = [type(part.handler).__name__ for part in thread.components]
        self._tracker.epoch_start()
        if not handlers:
            return {"energy_j": None, "tag": "unknown", "reason": "CarbonTracker found nothing to measure"}
        energy_j = kwh * JOULES_PER_KWH / self._overhead
        return {
            "energy_j": energy_j,
            "tag": "measured" if set(handlers) <= {"IntelCPU", "NvidiaGPU"} else "modelled",
            "watts": energy_j / seconds if seconds else 0.0,
            "components": handlers,
            "removed_overhead": self._overhead,
            "fallback_g_per_kwh": self._fallback,  # what its CO2 would rest on; not used
            "scope": "the whole machine, whatever it does",
        }


def _refuse(*_arguments: object, **_settings: object) -> Any:
    raise OSError("no location is asked for")


_TOOLS: dict[str, type[_Tool]] = {"codecarbon": _CodeCarbon, "carbontracker": _CarbonTracker}


def main() -> None:
    """Start the tool, then answer until the input ends."""
    name = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the tool prints is no answer
    os.chdir(tempfile.gettempdir())
    tool = _TOOLS[name]()
    known = {"meter": name, "version": version(name)}
    for _ in sys.stdin:
        answers.write(json.dumps({**known, **tool.reading()}) + "\n")
        answers.flush()
    os._exit(0)  # whatever threads the tool has left


if __name__ == "__main__":
    main()
