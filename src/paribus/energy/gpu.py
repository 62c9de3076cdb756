"""What a GPU uses, by its own counter: read through NVML, NVIDIA's management library, which comes with the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from paribus.energy.meters import Meter, Reading, UnknownMeter


def gpu_meter(uuid: str) -> Meter:
    """The counter of the GPU of that UUID. Energy is unknown where NVML, or the package that calls it, is missing."""
    try:
        import pynvml
    except ImportError:
        return UnknownMeter("the GPU's energy counter cannot be read without the package nvidia-ml-py")
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        return UnknownMeter(f"the GPU's energy counter cannot be read ({error})")

    def counter_mj() -> int | None:
        try:
            return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except pynvml.NVMLError:
            return None

    return NvmlMeter(counter_mj)


@final
class NvmlMeter(Meter):
    """A GPU's own counter.

    `counter_mj` gives the millijoules that the GPU has used since its driver was loaded, by any process, or None where
    they cannot be read.
    """

    def __init__(self, counter_mj: Callable[[], int | None]) -> None:
        self._counter_mj = counter_mj
        self._began_mj: int | None = None

    def start(self) -> None:
        """Read the counter."""
        self._began_mj = self._counter_mj()

    def read(self) -> Reading:
        """Joules since `start`; unknown if the counter could no longer be read."""
        now_mj = self._counter_mj()
        method = {"meter": "nvml", "scope": "the whole GPU"}
        if now_mj is None or self._began_mj is None:
            return Reading(None, "unknown", {**method, "reason": "the GPU's counter could no longer be read"})
        return Reading((now_mj - self._began_mj) / 1e3, "measured", method)
