from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paribus.cli.expectation import expectation
from paribus.cli.formatting import format_range
from paribus.energy.forecast import ENOUGH
from paribus.spec.study import load
from paribus.store.forecasts import earlier_ratios
from paribus.store.records import Forecast, UsageRecord
from paribus.store.workspace import Workspace
from tests.cli.conftest import outcome, registered


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.0, 0.2, "less than 1 s"),
        (0.1, 2.1, "less than 3 s"),
        (5.0, 8.3, "5 to 9 s"),
        (33.0, 58.0, "30 s to 1 min"),
        (70.0, 101.0, "1 min 10 s to 1 min 45 s"),
        (280.0, 330.0, "4 min 30 s to 5 min 30 s"),
        (7000.0, 9000.0, "1 h 55 min to 2 h 30 min"),
    ],
)
def test_ranges_are_rounded_outwards(low: float, high: float, text: str) -> None:
    assert format_range(low, high) == text


def test_a_range_says_what_it_rests_on() -> None:
    made = Forecast("x", "2026-03-01T09:00:00+00:00", 12, 100.0, 50.0, "timing runs", 80.0, 127.0, 40.0, 63.5)
    found = expectation(made, 0)
    assert (found.low_s, found.high_s, found.low_j, found.high_j) == (80.0, 127.0, 40.0, 63.5)
    assert "off by up to a quarter" in found.basis
    assert f"{ENOUGH} earlier forecasts in this workspace" in expectation(made, ENOUGH).basis
    assert expectation(replace(made, low_s=0.008, high_s=2.0125), 0).at_most == "at most 3 s"


def test_errors_are_those_of_forecasts_that_were_trained_to_the_end(tmp_path: Path, mini: Path) -> None:
    made, began = "2026-03-01T09:00:00+00:00", "2026-03-01T09:00:01+00:00"
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, load(mini))
        workspace.finish([outcome(run, replicate) for (_, replicate), run in runs.items()])
        record = workspace.study("mini")
        used = UsageRecord("a" * 32, began, 12.0, 12.0, None, "unknown", {}, dict.fromkeys(runs.values(), 0.25), 12)
        workspace.record_forecast(Forecast(record.id, made, 12, 10.0, None, "timing runs"))
        inside = Forecast(record.id, made, 12, 11.5, None, "the first 2 %", 11.0, 12.5, session="a" * 32)
        workspace.record_forecast(inside)
        assert workspace.forecasts(record.id)[1] == inside
        workspace.record_usage(used)
        assert earlier_ratios(workspace, "timing runs") == [pytest.approx(1.2)]
        assert earlier_ratios(workspace, "the first") == [pytest.approx(12 / 11.5)]
        workspace.record_usage(replace(used, model_epochs=11))  # interrupted, or stopped early
        assert earlier_ratios(workspace, "timing runs") == []
