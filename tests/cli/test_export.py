from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Paribus = Callable[..., Any]


def test_a_study_is_exported_and_an_archive_unpacked(paribus: Paribus, course: Path) -> None:
    paribus("run", course)
    result = paribus("export", "course", "--format", "csv", "--to", "tables")
    assert (result.code, result.out.strip()) == (0, "tables")
    assert Path("tables/curves.csv").read_text().startswith('"arm","replicate","epoch"')
    weights = paribus("export", "course", "--format", "safetensors", "--to", "w", "--arm", "fast", "--replicate", 1)
    assert weights.code == 0
    index = json.loads(Path("w/weights.json").read_text())
    assert {(one["arm"], one["replicate"]) for one in index.values()} == {("fast", 1)}
    assert paribus("export", "course", "--format", "archive", "--to", "course.zip").code == 0
    unpacked = paribus("unpack", "course.zip", "--to", "there")
    assert (unpacked.code, unpacked.out.strip()) == (0, "there/workspace")
    assert "all as they were written" in unpacked.err
    ours = paribus("table", "course", "--json")
    assert paribus("table", "course", "--json", "--workspace", "there/workspace").out == ours.out


def test_mistakes_are_one_line_and_write_nothing(paribus: Paribus, course: Path) -> None:
    paribus("run", course)
    for words in (
        ("export", "course", "--format", "csvx", "--to", "x"),
        ("export", "course", "--format", "csv", "--to", "paribus-workspace"),
        ("export", "course", "--format", "pt", "--to", "x", "--replicate", "one"),
        ("export", "cours", "--format", "csv", "--to", "x"),
        ("unpack", "none.zip", "--to", "x"),
        ("unpack", "course.toml", "--to", "x"),
    ):
        result = paribus(*words)
        assert (result.code, len(result.lines)) == (2, 1), result
        assert not Path("x").exists()
