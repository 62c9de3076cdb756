from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paribus.spec import builtin
from paribus.spec.study import load, parse

Paribus = Callable[..., Any]


@pytest.mark.parametrize("name", builtin.NAMES)
def test_a_copy_is_the_same_study(paribus: Paribus, name: str) -> None:
    result = paribus("new", name)
    assert (result.code, result.out) == (0, f"{name}.toml\n")
    assert load(Path(f"{name}.toml")).digest == parse(builtin.text(name), place=name).digest


def test_the_copy_goes_where_it_is_wanted(paribus: Paribus, tmp_path: Path) -> None:
    result = paribus("new", "faces", "--to", tmp_path / "mine.toml")
    assert result.out == f"{tmp_path / 'mine.toml'}\n"
    assert (tmp_path / "mine.toml").exists()


def test_nothing_is_overwritten(paribus: Paribus, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    result = paribus("new", "faces", "--to", file)
    assert (result.code, result.out) == (2, "")
    assert "overwrites nothing" in result.err
    assert file.read_text() == "precious"


def test_a_link_to_nowhere_is_not_followed(paribus: Paribus, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").symlink_to(tmp_path / "elsewhere")
    assert paribus("new", "faces", "--to", tmp_path / "mine.toml").code == 2
    assert not (tmp_path / "elsewhere").exists()
