from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Paribus = Callable[..., Any]
EXPORT = """"Name","State","seed","test/accuracy","epochs"
"base","finished","0","0.80","10"
"base","finished","1","0.81","10"
"base","finished","2","0.79","10"
"new","finished","0","0.83","10"
"new","finished","1","0.835","10"
"new","finished","2","0.82","10"
"""
"""As a tracker exports runs: one row for each, settings and metrics side by side."""


def test_a_tracker_s_export_is_compared(paribus: Paribus) -> None:
    Path("runs.csv").write_text(EXPORT)
    result = paribus("compare", "runs.csv", "--metric", "test/accuracy", "--by", "0.005")
    assert result.code == 0
    assert result.out.splitlines() == [
        "arm   test/accuracy  better by  95 % interval       n  verdict",
        "base         0.8000                                 3  control",
        "new          0.8283    0.02833  0.02116 to 0.03550  3  SUPPORTED",
    ]
    (line,) = result.lines
    assert line.endswith("new against base: SUPPORTED, it is better by more than 0.005 (3 pairs of replicates).")


def test_json_has_every_number(paribus: Paribus) -> None:
    Path("runs.csv").write_text(EXPORT)
    content = json.loads(paribus("compare", "runs.csv", "--metric", "test/accuracy", "--lower", "--json").out)
    (found,) = content["contrasts"]
    assert (content["metric"], found["arm"], found["n"], found["paired"]) == ("test/accuracy", "new", 3, True)
    assert found["judgement"]["verdict"] == "REFUTED"
    assert found["judgement"]["detail"] == "worse"


def test_the_page_stands_alone(paribus: Paribus) -> None:
    Path("runs.csv").write_text(EXPORT)
    assert paribus("compare", "runs.csv", "--metric", "test/accuracy", "--html", "out/page.html").code == 0
    page = Path("out/page.html").read_text(encoding="utf-8")
    assert "new against base" in page
    assert "SUPPORTED" in page
    assert "Content-Security-Policy" in page
    assert "study identity" not in page


def test_mistakes_are_one_line(paribus: Paribus) -> None:
    Path("runs.csv").write_text(EXPORT)
    for words, message in (
        (["none.csv"], "none.csv: file not found"),
        (["runs.csv"], "needs one column of numbers beside the arm and the replicate, or --metric"),
        (["runs.csv", "--metric", "loss"], "--metric must name a column of runs.csv"),
        (["runs.csv", "--metric", "State"], "line 2: column State must have a finite number in each row"),
        (["runs.csv", "--metric", "epochs", "--by", "-1"], "--by: must be at least 0"),
        (["runs.csv", "--metric", "epochs", "--control", "old"], "--control: must be an arm of the table"),
    ):
        result = paribus("compare", *words)
        assert (result.code, len(result.lines)) == (2, 1), words
        assert message in result.err


def test_training_logs_of_other_programs_stand_beside_a_study(paribus: Paribus, course: Path) -> None:
    for name, start in (("keras_seed", 0.1), ("other_seed", 0.2)):
        for seed in range(3):
            lines = [f"{epoch},{start + epoch / 100 + seed / 1000}" for epoch in range(4)]
            Path(f"{name}{seed}.csv").write_text("epoch,val_accuracy\n" + "\n".join(lines) + "\n")
    files = sorted(path.name for path in Path().glob("*_seed*.csv"))
    alone = json.loads(paribus("compare", *files, "--metric", "val_accuracy", "--json").out)
    [contrast] = alone["contrasts"]
    assert (contrast["arm"], contrast["control"], contrast["paired"], contrast["n"]) == ("other", "keras", True, 3)
    assert contrast["effect"] == pytest.approx(0.1)
    paribus("run", course)
    both = json.loads(paribus("compare", *files, "--metric", "val_accuracy", "--study", "course", "--json").out)
    ours = {one["arm"]: one for one in both["contrasts"]}
    assert set(ours) == {"other", "course/slow", "course/fast"}
    assert not ours["course/slow"]["paired"]
    assert "--rule: goes with training logs" in paribus("compare", table(), "--rule", "last").err


def table() -> str:
    Path("scores.csv").write_text("arm,seed,accuracy\na,0,0.5\na,1,0.6\nb,0,0.7\nb,1,0.8\n")
    return "scores.csv"
