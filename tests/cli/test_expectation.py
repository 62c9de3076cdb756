from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paribus.cli.expectation import ENOUGH, earlier_errors, expectation
from paribus.cli.formatting import format_range
from paribus.spec.study import load
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


def test_a_range_holds_what_is_expected() -> None:
    for errors in ([], [1.1], [0.9, 1.0, 1.3], [1.2, 1.3, 1.4]):
        found = expectation(100.0, errors)
        assert found.low_s <= 100.0 <= found.high_s
        assert "timing a few steps" in found.basis
    own = expectation(100.0, [0.9, 1.0, 1.3])
    assert (own.low_s, own.high_s) == (90.0, pytest.approx(132.0))
    assert "3 earlier forecasts in this workspace" in own.basis
    assert "earlier forecasts in this workspace" not in expectation(100.0, [0.9] * (ENOUGH - 1)).basis
    assert expectation(0.01, []).at_most == "at most 3 s"


def test_errors_are_those_of_forecasts_that_were_trained_to_the_end(tmp_path: Path, mini: Path) -> None:
    made, began = "2026-03-01T09:00:00+00:00", "2026-03-01T09:00:01+00:00"
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, load(mini))
        workspace.finish([outcome(run, replicate) for (_, replicate), run in runs.items()])
        record = workspace.study("mini")
        used = UsageRecord("a" * 32, began, 12.0, 12.0, None, "unknown", {}, dict.fromkeys(runs.values(), 0.25), 12)
        workspace.record_forecast(Forecast(record.id, made, 12, 10.0, None, "timing runs"))
        workspace.record_usage(used)
        assert earlier_errors(workspace) == [pytest.approx(1.2)]
        workspace.record_usage(replace(used, model_epochs=11))  # interrupted, or stopped early
        assert earlier_errors(workspace) == []
