"""A GPU's counter, read from a stand-in for NVML: there is no GPU where these tests run."""

from __future__ import annotations

import json
import subprocess
import sys

import pynvml
import pytest

from paribus.energy.combined import SumMeter
from paribus.energy.gpu import NvmlMeter, gpu_meter
from paribus.energy.meters import Meter, Metering, ModelledMeter, Reading, UnknownMeter, bounds


class Measured(Meter):
    """A host that has used 2 J."""

    def start(self):
        self.running = True

    def read(self):
        return Reading(2.0, "measured", {"meter": "rapl", "scope": "the whole machine"})

    def stop(self):
        self.running = False


@pytest.fixture
def counter(monkeypatch):
    """Millijoules that NVML will return, one after the other."""
    values = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: {"GPU-1": "handle"}[uuid])

    def read(handle):
        assert handle == "handle"
        if not values:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return values.pop(0)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", read)
    return values


def test_gpu_and_host_add_up_and_are_measured_where_both_are(counter):
    counter += [0, 5_000_000, 5_001_500]
    host = Measured()
    with Metering(SumMeter(gpu_meter("GPU-1"), host)) as metering:
        assert host.running
    assert not host.running
    assert (metering.usage.energy_j, metering.usage.tag) == (1500.0 / 1e3 + 2.0, "measured")
    assert metering.usage.method["meter"] == "nvml and rapl"
    assert metering.usage.method["gpu_scope"] == "the whole GPU"
    json.dumps(dict(metering.usage.method))


def test_beside_a_modelled_host_the_sum_is_modelled(counter):
    counter += [0, 1000, 9000]
    with Metering(SumMeter(gpu_meter("GPU-1"), ModelledMeter())) as metering:
        pass
    assert metering.usage.tag == "modelled"
    assert metering.usage.energy_j > 8.0
    low, high = bounds(metering.usage.energy_j, metering.usage.method)
    assert 8.0 < low < metering.usage.energy_j < high  # only the host's part is unsure
    assert metering.usage.method["watts_per_core"] > 0


def test_a_counter_that_fails_makes_the_sum_unknown(counter):
    counter += [0, 1000]
    with Metering(SumMeter(gpu_meter("GPU-1"), Measured())) as metering:
        pass
    assert (metering.usage.energy_j, metering.usage.tag) == (None, "unknown")
    assert "no longer" in metering.usage.method["reason"]


def test_a_host_that_nobody_can_measure_makes_the_sum_unknown():
    with Metering(SumMeter(NvmlMeter(lambda: 1), UnknownMeter("no counter"))) as metering:
        pass
    assert (metering.usage.energy_j, metering.usage.method["reason"]) == (None, "no counter")


def test_without_a_counter_the_energy_is_unknown_and_says_why():
    with Metering(SumMeter(gpu_meter("GPU-none"), ModelledMeter())) as metering:
        pass
    assert (metering.usage.energy_j, metering.usage.tag) == (None, "unknown")
    assert "the GPU's energy counter cannot be read" in metering.usage.method["reason"]


def test_without_the_package_that_reads_the_counter_the_energy_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    meter = gpu_meter("GPU-1")
    assert "nvidia-ml-py" in meter.read().method["reason"]


def test_the_package_is_imported_only_for_a_gpu():
    code = "import sys, paribus.energy.gpu; print('pynvml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
