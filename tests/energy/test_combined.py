"""Meters made of recorded readings: what two meters said of the same work on machines that have both."""

from __future__ import annotations

import json

import pytest

from paribus.energy.choice import Meters
from paribus.energy.combined import AboveIdle, IdlePower, SideBySide
from paribus.energy.meters import Load, Meter, Metering, Reading
from paribus.errors import UserError


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


class Recorded(Meter):
    """Shows a constant power, by a clock."""

    def __init__(self, clock, watts, name="rapl"):
        self._clock, self.watts, self._name = clock, watts, name
        self.stopped = 0

    def start(self):
        self._joules, self._at = 0.0, self._clock()

    def read(self):
        self._joules += self.watts * (self._clock() - self._at)
        self._at = self._clock()
        return Reading(self._joules, "measured", {"meter": self._name, "scope": "the whole machine"})

    def stop(self):
        self.stopped += 1


def idle(clock, seconds=2.0):
    def sleep(s):
        clock.at += s

    return IdlePower(seconds=seconds, clock=clock, sleep=sleep)


def test_idle_power_is_measured_before_and_subtracted():
    clock = Clock()
    counter = Recorded(clock, 15.0)
    meter = AboveIdle(counter, idle(clock))
    meter.start()
    counter.watts = 65.0
    clock.at += 10.0
    reading = meter.read()
    assert reading.energy_j == pytest.approx(10.0 * (65.0 - 15.0))
    assert reading.tag == "measured"
    assert (reading.method["total_j"], reading.method["idle_w"]) == (pytest.approx(650.0), pytest.approx(15.0))
    json.dumps(dict(reading.method))


def test_idle_power_is_measured_once_for_all_sessions():
    clock = Clock()
    counter, power = Recorded(clock, 20.0), idle(clock)
    AboveIdle(counter, power).start()
    assert clock.at == 2.0
    counter.watts = 100.0  # other work runs now: not idle
    second = AboveIdle(counter, power)
    second.start()
    assert clock.at == 2.0
    clock.at += 1.0
    assert second.read().energy_j == pytest.approx(80.0)


def test_a_machine_quieter_than_before_has_used_nothing_rather_than_less():
    clock = Clock()
    counter = Recorded(clock, 20.0)
    meter = AboveIdle(counter, idle(clock))
    meter.start()
    counter.watts = 10.0
    clock.at += 5.0
    assert meter.read().energy_j == 0.0


def test_a_counter_that_shows_nothing_is_not_waited_for():
    class Broken(Recorded):
        def read(self):
            return Reading(None, "unknown", {"meter": "rapl", "reason": "gone"})

    clock = Clock()
    meter = AboveIdle(Broken(clock, 1.0), idle(clock))
    meter.start()
    assert clock.at == 0.0
    assert meter.read().tag == "unknown"


def test_two_meters_stand_side_by_side_and_the_first_counts():
    clock = Clock()
    rapl, plug = Recorded(clock, 40.0), Recorded(clock, 90.0, "plug")
    meter = SideBySide(rapl, plug)
    with Metering(meter) as metering:
        clock.at += 10.0
    usage = metering.usage
    assert (usage.energy_j, usage.tag) == (400.0, "measured")
    assert usage.method["meter"] == "rapl"
    assert [(other["meter"], other["energy_j"]) for other in usage.method["beside"]] == [("plug", 900.0)]
    assert (rapl.stopped, plug.stopped) == (1, 1)


def test_where_there_are_counters_they_count_and_the_model_stands_beside_them(powercap):
    meters = Meters(powercap=powercap)
    meters._idle["rapl"] = IdlePower(seconds=0.001)
    with Metering(meters.of(Load())) as metering:
        (powercap / "intel-rapl:0" / "energy_uj").write_text("103000000")  # +3 J
    usage = metering.usage
    assert (usage.energy_j, usage.tag, usage.method["meter"]) == (pytest.approx(3.0), "measured", "rapl")
    assert [other["meter"] for other in usage.method["beside"]] == ["modelled"]


def test_without_counters_the_model_says_why(powercap, tmp_path):
    with Metering(Meters(powercap=tmp_path / "none").of(Load())) as metering:
        pass
    assert metering.usage.tag == "modelled"
    assert "there is no energy counter" in metering.usage.method["why"]
    with Metering(Meters(["model"], powercap=tmp_path / "none").of(Load())) as metering:
        pass
    assert "why" not in metering.usage.method  # somebody asked for the model


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["rapl"], "needs the processor's counters: there is no energy counter"),
        (["codecarbo"], "did you mean codecarbon?"),
        (["model", "model"], "must be named once"),
    ],
)
def test_a_meter_that_cannot_be_had_is_refused_and_not_replaced(names, words, tmp_path):
    with pytest.raises(UserError) as caught:
        Meters(names, powercap=tmp_path / "none")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_told_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"install paribus\[energy\]"):
        Meters(["codecarbon"], powercap=tmp_path)
