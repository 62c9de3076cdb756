"""What the README shows is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from paribus.spec.study import parse

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_study_file_is_valid_with_its_comments_and_without() -> None:
    *_, text = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    plain = parse(text, place="README")
    assert [arm.name for arm in plain.arms] == ["narrow", "wide"]
    optional = re.sub(r"^# (\w+ = .*|\[\w+\] .*)$", r"\1", text, flags=re.MULTILINE)
    full = parse(optional, place="README")
    assert full.arms[0].recipe.training.clip is not None
    assert full.arms[0].recipe.data.limit.train == 500
    assert full.arms[0].recipe.occlusion is not None
