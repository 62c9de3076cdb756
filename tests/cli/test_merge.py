"""`paribus merge`: what the jobs of an array have trained, as one study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import paribus as python
from tests.execution.conftest import TINY, save_digits

Paribus = Callable[..., Any]
ARM = '[[arms]]\nname = "only"\n'


def test_replicates_of_two_jobs_are_one_study(paribus: Paribus) -> None:
    save_digits(Path())
    Path("tiny.toml").write_text(TINY + ARM, encoding="utf-8")
    for job, first in (("a", 0), ("b", 2)):
        own = f"replicates={{ count = 2, first = {first} }}"
        assert paribus("run", "tiny.toml", "--set", own, "--workspace", job).code == 0
    result = paribus("merge", "a", "b", "--to", "all")
    assert (result.code, result.out, result.lines) == (0, "all\n", ["paribus: tiny: 4 runs"])
    again = paribus("run", "tiny.toml", "--replicates", "4", "--workspace", "all")
    assert again.code == 0
    assert "nothing to train: 4 runs are recorded" in again.err
    assert paribus("verify", "--workspace", "all").code == 0
    assert paribus("table", "tiny", "--workspace", "all").code == 0
    more = paribus("merge", "all", "b", "--to", "more")
    assert more.lines == ["paribus: tiny: 4 runs, 2 of them in several workspaces"]
    assert len(python.merge(["a", "b"], "python").results("tiny").table()) == len(
        python.workspace("all").results("tiny").table()
    )


def test_mistakes_are_one_line_and_leave_nothing(paribus: Paribus) -> None:
    save_digits(Path())
    Path("tiny.toml").write_text(TINY + ARM, encoding="utf-8")
    assert paribus("run", "tiny.toml", "--replicates", "1", "--workspace", "a").code == 0
    before = sorted(path.name for path in Path().iterdir())
    for words in (["a", "none", "--to", "x"], ["a", "--to", "a"], ["tiny.toml", "--to", "x"]):
        result = paribus("merge", *words)
        assert result.code == 2, words
        assert len(result.lines) == 1, words
        assert sorted(path.name for path in Path().iterdir()) == before
