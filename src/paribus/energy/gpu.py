"""What a GPU uses, by its own counter: read through NVML, NVIDIA's management library, which comes with the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from paribus.energy.meters import Meter, Reading, UnknownMeter


def gpu_meter(uuid: str, host: Meter) -> Meter:
    """The best meter for training on the GPU of that UUID, whose host `host` measures or models.

    Energy is unknown where NVML, or the package that calls it, is missing.
    """
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

    return GpuMeter(counter_mj, host)


@final
class GpuMeter(Meter):
    """A GPU and its host together: the sum is measured where the host is, and else modelled.

    `counter_mj` gives the millijoules that the GPU has used since its driver was loaded, by any process, or None where
    they cannot be read.
    """

    def __init__(self, counter_mj: Callable[[], int | None], host: Meter) -> None:
        self._counter_mj, self._host = counter_mj, host
        self._began_mj: int | None = None

    def start(self) -> None:
        """Read the counter; start the host's meter."""
        self._began_mj = self._counter_mj()
        self._host.start()

    def read(self) -> Reading:
        """Joules of GPU and host since `start`; unknown if one of them could no longer be read."""
        now_mj, host = self._counter_mj(), self._host.read()
        method = {**host.method, "meter": f"nvml and {host.method['meter']}", "gpu_scope": "the whole GPU"}
        if now_mj is None or self._began_mj is None:
            return Reading(None, "unknown", {**method, "reason": "the GPU's counter could no longer be read"})
        if host.energy_j is None:
            return Reading(None, "unknown", method)
        return Reading((now_mj - self._began_mj) / 1e3 + host.energy_j, host.tag, method)

    def stop(self) -> None:
        """Stop the host's meter."""
        self._host.stop()
