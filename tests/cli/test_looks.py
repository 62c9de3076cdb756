from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Paribus = Callable[..., Any]
CLAIM = """
[[claims]]
statement = "Faster is better."
metric = "train_loss"
better = { arm = "fast" }
than = { arm = "slow" }
by = BY
"""


def looking(course: Path, by: float, looks: str = "[2, 3, 4]") -> Path:
    """The course's study with a claim, and looks."""
    text = course.read_text().replace("replicates = 2", f"replicates = {{ count = 2, looks = {looks} }}")
    course.write_text(text + CLAIM.replace("BY", str(by)))
    return course


def trained(result: Any) -> list[int]:
    return [study["trained"] for study in json.loads(result.out)]


def test_a_claim_that_stays_open_goes_on_to_the_last_look(paribus: Paribus, course: Path) -> None:
    """The margin is the difference itself, which no number of replicates can decide."""
    looking(course, 1e-3)
    table = json.loads(paribus("run", course, "--json").out) and json.loads(paribus("table", "course", "--json").out)
    mean = {row["arm"]: row["mean"] for row in table["rows"] if (row["rule"], row["metric"]) == ("last", "train_loss")}
    course.write_text(course.read_text().replace("by = 0.001", f"by = {abs(mean['slow'] - mean['fast'])!r}"))
    result = paribus("run", course, "--until-decided", "--json")
    assert trained(result) == [0, 2, 2]
    assert "paribus: course: stopped at 4 replicates: that was the last look" in result.lines


def test_a_decided_claim_ends_it(paribus: Paribus, course: Path) -> None:
    """A margin far above any loss: the difference does not matter, as two replicates show."""
    result = paribus("run", looking(course, 1000.0), "--until-decided", "--json")
    assert trained(result) == [4]
    assert "paribus: course: stopped at 2 replicates: every claim is decided" in result.lines
    assert any(line.startswith("paribus: EQUIVALENT: Faster is better: ") for line in result.lines)


def test_the_limits_end_it(paribus: Paribus, course: Path) -> None:
    looking(course, 1e-3)
    limited = paribus("run", course, "--until-decided", "--at-most", "3")
    assert any("stopped at" in line for line in limited.lines)
    assert trained(paribus("run", course, "--until-decided", "--at-most", "2", "--json")) == [0]
    used_up = paribus("run", course, "--until-decided", "--budget", "0.001s", "--json")
    assert trained(used_up) == [0, 0, 0]  # the third look has runs to train, and no time
    assert any("paused: the budget is used up" in line for line in used_up.lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at-most", "3"], "--at-most: goes with --until-decided"),
        (["--until-decided", "--at-most", "0"], "--at-most: must be a whole number of at least 1"),
        (["--until-decided", "--at-most", "1"], "must be at least the first look of study course (2)"),
        (["--until-decided", "--budget", "20"], "--budget: must be a time or an energy with its unit: s, min, h, J"),
        (["--until-decided", "--replicates", "3"], "--replicates: does not go with --until-decided"),
    ],
)
def test_limits_that_are_none_are_refused(paribus: Paribus, course: Path, options: list[str], message: str) -> None:
    result = paribus("run", looking(course, 0.1), *options)
    assert result.code == 2
    assert message in result.err
    assert len(result.lines) == 1
    assert not Path("paribus-workspace").exists()


def test_a_study_without_looks_or_claims_is_refused(paribus: Paribus, course: Path) -> None:
    assert "needs claims to decide" in paribus("run", course, "--until-decided").err
    course.write_text(course.read_text() + CLAIM.replace("BY", "0.1"))
    result = paribus("run", course, "--until-decided")
    assert (result.code, len(result.lines)) == (2, 1)
    assert "needs declared looks" in result.err


@pytest.mark.parametrize("looks", ["[3, 2]", "[1, 2]", "[2, 2]"])
def test_looks_must_ascend_from_two(paribus: Paribus, course: Path, looks: str) -> None:
    result = paribus("plan", looking(course, 0.1, looks))
    assert result.code == 2
    assert "must be ascending numbers of replicates, the first at least 2" in result.err
