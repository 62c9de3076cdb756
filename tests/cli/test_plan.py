from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Paribus = Callable[..., Any]


def test_a_plan_shows_what_would_be_done_and_does_nothing(paribus: Paribus, course: Path) -> None:
    result = paribus("plan", course)
    assert result.code == 0
    assert "2 arms x 2 replicates = 4 runs, 0 recorded already" in result.out
    assert re.search(r"expected time: less than \d s on \d+ cores? \(from timing a few steps", result.out)
    assert "0.0 s" not in result.out
    assert not Path("paribus-workspace").exists()


def test_a_plan_of_runs_that_may_stop_early_gives_the_maximum(paribus: Paribus, course: Path) -> None:
    stop = ("--set", "training.early_stop.rule=min-val-loss", "--set", "training.early_stop.patience=2")
    assert "at most" not in paribus("plan", course).out
    result = paribus("plan", course, *stop)
    assert "expected time: at most " in result.out
    assert "as 4 runs may stop early" in result.out
    assert json.loads(paribus("plan", course, *stop, "--json").out)["may_stop_early"] == 4


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(
    paribus: Paribus, course: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    text = course.read_text(encoding="utf-8").replace('"slow"', f'"{"a slow arm " * 5}x"')
    course.write_text(text, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, paribus("plan", course).out.splitlines())) <= width


def test_cohorts_that_are_alike_share_a_row(paribus: Paribus, course: Path) -> None:
    more = ("--replicates", "20")
    lines = paribus("plan", course, *more).out.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split()[:1] == ["cohorts"])
    rows = [line.split() for line in lines[heading + 1 : lines.index("", heading)]]
    assert len({tuple(row[1:]) for row in rows}) == len(rows) < sum(int(row[0]) for row in rows)
    assert sum(int(row[0]) * int(row[1]) for row in rows) == 40


def test_json_holds_runs_and_cohorts(paribus: Paribus, course: Path) -> None:
    plan = json.loads(paribus("plan", course, "--json", "--replicates", 3).out)
    assert (plan["study"], plan["replicates"], plan["recorded"]) == ("course", 3, 0)
    assert [run["members"] for run in plan["runs"]] == [
        [{"arm": arm, "replicate": replicate}] for arm in ("slow", "fast") for replicate in range(3)
    ]
    assert {run["parameters"] for run in plan["runs"]} == {784 * 4 + 4 + 4 * 10 + 10}
    assert sorted(run for cohort in plan["cohorts"] for run in cohort["runs"]) == sorted(
        run["run"] for run in plan["runs"]
    )
    assert plan["expected_s"] > 0
    low, high = plan["expected_range_s"]
    assert low < plan["expected_s"] < high
    assert "timing a few steps" in plan["expected_basis"]
    assert sum(cohort["model_epochs"] for cohort in plan["cohorts"]) == 6 * 3


def test_what_is_recorded_is_not_planned_again(paribus: Paribus, course: Path) -> None:
    assert paribus("run", course).code == 0
    result = paribus("plan", course)
    assert "4 recorded already" in result.out
    assert "nothing to train" in result.out
    more = json.loads(paribus("plan", course, "--replicates", "3", "--json").out)
    assert more["recorded"] == 4
    assert [run["state"] for run in more["runs"]].count("new") == 2


def test_changes_on_the_command_line_change_the_runs(paribus: Paribus, course: Path) -> None:
    def runs(*changes: str) -> set[str]:
        return {run["run"] for run in json.loads(paribus("plan", course, "--json", *changes).out)["runs"]}

    assert runs() == runs("--set", "replicates=2")
    assert not runs() & runs("--set", "training.epochs=4")
    assert len(runs() & runs("--set", "arms.fast.optimizer.lr=0.2")) == 2


def test_a_change_without_effect_is_pointed_out(paribus: Paribus, course: Path) -> None:
    result = paribus("plan", course, "--set", "title=course")
    assert result.code == 0
    assert "note: title changes nothing" in result.err


def test_layers_add_up_to_the_network(paribus: Paribus, course: Path) -> None:
    lines = paribus("plan", course, "--layers").out.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("layers of slow, fast"))
    rows = [line.split() for line in lines[heading + 2 : heading + 5]]
    assert rows == [
        ["fc1", "Linear", "4", f"{784 * 4 + 4:,}", f"{2 * 784 * 4:,}"],
        ["fc2", "Linear", "10", f"{4 * 10 + 10:,}", f"{2 * 4 * 10:,}"],
        ["all", f"{784 * 4 + 4 + 4 * 10 + 10:,}", f"{2 * (784 * 4 + 4 * 10):,}"],
    ]
