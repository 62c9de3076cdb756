import json
import threading
import time

import pytest

from paribus.energy import meters
from paribus.energy.meters import (
    Metering,
    ModelledMeter,
    RaplMeter,
    best_meter,
    modelled_j,
    rapl_counters,
    watts_per_core,
)
from paribus.errors import UserError


@pytest.fixture
def powercap(tmp_path):
    """Two packages, a memory zone, and two zones that are counted within others."""

    def put(zone, name, energy_uj):
        folder = tmp_path / zone
        folder.mkdir(exist_ok=True)
        (folder / "name").write_text(name + "\n")
        (folder / "energy_uj").write_text(f"{energy_uj}\n")
        (folder / "max_energy_range_uj").write_text("1000000000\n")

    put("intel-rapl:0", "package-0", 100_000_000)
    put("intel-rapl:0:0", "core", 50_000_000)
    put("intel-rapl:0:1", "dram", 999_000_000)
    put("intel-rapl:1", "package-1", 200_000_000)
    put("intel-rapl:2", "psys", 900_000_000)
    return tmp_path


def test_rapl_adds_packages_and_memory_and_follows_a_counter_that_overflows(powercap):
    meter = RaplMeter(rapl_counters(powercap))
    meter.start()
    (powercap / "intel-rapl:0" / "energy_uj").write_text("103000000")  # +3 J
    (powercap / "intel-rapl:0:1" / "energy_uj").write_text("1000000")  # +2 J past its end
    (powercap / "intel-rapl:2" / "energy_uj").write_text("999000000")  # not counted
    assert meter.read().energy_j == pytest.approx(5.0)
    (powercap / "intel-rapl:1" / "energy_uj").write_text("201000000")  # +1 J
    reading = meter.read()
    meter.stop()
    assert reading.energy_j == pytest.approx(6.0)
    assert reading.tag == "measured"
    assert reading.method["zones"] == ["package-0", "dram", "package-1"]


def test_rapl_sees_a_counter_overflow_between_readings(powercap):
    meter = RaplMeter(rapl_counters(powercap), every_s=0.01)
    meter.start()
    for stand in (600_000_000, 50_000_000, 700_000_000):
        (powercap / "intel-rapl:0" / "energy_uj").write_text(str(stand))
        deadline = time.monotonic() + 5
        while meter._last[0] != stand and time.monotonic() < deadline:
            time.sleep(0.005)
    assert meter.read().energy_j == pytest.approx(1600.0)
    meter.stop()
    assert "paribus-rapl" not in [thread.name for thread in threading.enumerate()]


def test_a_counter_that_goes_away_leaves_no_figure(powercap):
    meter = RaplMeter(rapl_counters(powercap))
    meter.start()
    (powercap / "intel-rapl:1" / "energy_uj").write_text("")
    reading = meter.read()
    meter.stop()
    assert (reading.energy_j, reading.tag) == (None, "unknown")


def test_without_readable_counters_energy_is_modelled(powercap, tmp_path):
    assert isinstance(best_meter(powercap=powercap), RaplMeter)
    assert isinstance(best_meter(powercap=tmp_path / "none"), ModelledMeter)
    (powercap / "intel-rapl:1" / "energy_uj").write_text("closed to users")
    assert isinstance(best_meter(powercap=powercap), ModelledMeter)


def test_the_model_is_processor_time_and_memory_times_stated_watts():
    assert modelled_j(cpu_s=10, wall_s=5, memory_gib=2) == pytest.approx(10 * 12 + 5 * 2 * 0.3725)
    with Metering(ModelledMeter()) as metering:
        deadline = time.process_time() + 0.05
        while time.process_time() < deadline:
            pass
    usage = metering.usage
    assert usage.tag == "modelled"
    assert usage.method["watts_per_core"] == 12
    assert "Green Algorithms" in usage.method["source"]
    memory_j = usage.wall_s * usage.method["memory_gib"] * usage.method["watts_per_gib"]
    assert usage.energy_j == pytest.approx(12 * usage.cpu_s + memory_j, rel=0.05)


def test_usage_is_that_so_far_within_the_block_and_final_after_it():
    with Metering(ModelledMeter()) as metering:
        first = metering.usage
        time.sleep(0.01)
        assert metering.usage.wall_s > first.wall_s
    ended = metering.usage
    time.sleep(0.01)
    assert metering.usage == ended
    assert ended.wall_s >= 0.01
    assert ended.started_at.endswith("+00:00")
    json.dumps(dict(ended.method))


def test_usage_ends_when_its_work_fails():
    metering = Metering(ModelledMeter())

    def fail():
        with metering:
            raise RuntimeError("work failed")

    with pytest.raises(RuntimeError, match="work failed"):
        fail()
    ended = metering.usage
    assert metering.usage == ended


def test_the_user_may_name_the_watts_of_a_core(monkeypatch, tmp_path):
    monkeypatch.delenv("PARIBUS_WATTS_PER_CORE", raising=False)
    assert watts_per_core() == meters.WATTS_PER_CORE
    monkeypatch.setenv("PARIBUS_WATTS_PER_CORE", "4.5")
    with Metering(best_meter(powercap=tmp_path)) as metering:
        pass
    assert metering.usage.method["watts_per_core"] == 4.5
    assert metering.usage.method["source"] == "PARIBUS_WATTS_PER_CORE"


@pytest.mark.parametrize("text", ["much", "-3", "0", "nan", "inf", "1e6"])
def test_senseless_watts_are_refused(text, monkeypatch):
    monkeypatch.setenv("PARIBUS_WATTS_PER_CORE", text)
    with pytest.raises(UserError, match="PARIBUS_WATTS_PER_CORE: must be a number of watts"):
        watts_per_core()
