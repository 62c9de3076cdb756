from __future__ import annotations

import threading
import time

import pytest

from paribus.energy.rapl import RaplMeter, rapl_counters


def test_rapl_adds_packages_and_memory_and_follows_a_counter_that_overflows(powercap):
    meter = RaplMeter(rapl_counters(powercap).found)
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
    meter = RaplMeter(rapl_counters(powercap).found, every_s=0.01)
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
    meter = RaplMeter(rapl_counters(powercap).found)
    meter.start()
    (powercap / "intel-rapl:1" / "energy_uj").write_text("")
    reading = meter.read()
    meter.stop()
    assert (reading.energy_j, reading.tag) == (None, "unknown")


def test_part_of_a_machine_is_no_measurement_of_it_and_the_reason_is_said(powercap, tmp_path):
    assert rapl_counters(powercap).missing == ""
    none = rapl_counters(tmp_path / "none")
    assert none.found == ()
    assert "there is no energy counter" in none.missing
    (powercap / "intel-rapl:1" / "energy_uj").write_text("closed to users")
    broken = rapl_counters(powercap)
    assert broken.found == ()
    assert "cannot be read" in broken.missing


def test_counters_for_the_administrator_only_are_said_to_be_so(powercap, monkeypatch):
    def refuse(path, *arguments, **settings):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    assert "administrator only" in rapl_counters(powercap).missing
