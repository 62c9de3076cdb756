"""The study file that is explained line by line is one that the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from paribus.spec.study import parse

PAGE = (Path(__file__).parents[2] / "docs" / "study-file.md").read_text(encoding="utf-8")


def test_the_study_file_is_valid_with_its_comments_and_without() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    plain = parse(text, place="study-file.md")
    assert [arm.name for arm in plain.arms] == ["narrow", "wide"]
    optional = re.sub(r"^# (\w+ = .*|\[\w+\] .*)$", r"\1", text, flags=re.MULTILINE)
    full = parse(optional, place="study-file.md")
    assert full.arms[0].recipe.training.clip is not None
    assert full.arms[0].recipe.data.limit.train == 500
    assert full.arms[0].recipe.occlusion is not None
