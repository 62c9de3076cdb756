from __future__ import annotations

from paribus.training import timing
from paribus.training.devices import device_named
from paribus.training.timing import TimingRuns
from tests.training.conftest import active, recipe


def test_no_cohort_is_timed_before_all_are_made(monkeypatch):
    calls = []
    make, time = timing._short_cohort, timing._timed

    def making(runs, **options):
        cohort = make(runs, **options)
        calls.append("made")
        return cohort

    def timed(cohort):
        calls.append("timed")
        return time(cohort)

    monkeypatch.setattr(timing, "_short_cohort", making)
    monkeypatch.setattr(timing, "_timed", timed)
    one = active(recipe())
    timer = TimingRuns(device_named("cpu"), 3)
    for _ in range(2):  # each kind is timed once
        assert timer.seconds_per_epoch(("a kind",), [(one.spec, one.splits)], examples_evaluated=150) > 0
    assert calls == ["made"] * 3 + ["timed"] * 3
