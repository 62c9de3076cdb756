from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Paribus = Callable[..., Any]
CHOOSE = """
[choose]
metric = "train_loss"
confirm = { replicates = 2, first = 7 }
"""


def test_the_chosen_arm_is_trained_on_fresh_replicates(paribus: Paribus, course: Path) -> None:
    course.write_text(course.read_text() + CHOOSE)
    assert paribus("run", course).code == 0
    result = paribus("confirm", course)
    assert result.code == 0
    written = Path(result.out.strip())
    assert written == course.parent / "course-confirmed.toml"  # beside the sweep, where its data are
    assert any("the eligible arm with the lowest mean training loss is chosen" in line.lower() for line in result.lines)
    trained = json.loads(paribus("run", written, "--json").out)
    assert trained[0]["trained"] == 2
    rows = json.loads(paribus("table", "course-confirmed", "--json").out)["rows"]
    assert len({row["arm"] for row in rows}) == 1
    assert paribus("confirm", course).code == 2  # never overwritten


def test_a_study_without_a_rule_is_refused(paribus: Paribus, course: Path) -> None:
    paribus("run", course)
    result = paribus("confirm", "course")
    assert result.code == 2
    assert "must say how an arm is chosen" in result.err
    assert not Path("course-confirmed.toml").exists()
