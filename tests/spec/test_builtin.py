from __future__ import annotations

from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.spec import builtin
from paribus.spec.study import parse


@pytest.mark.parametrize("name", builtin.NAMES)
def test_a_built_in_study_is_valid_and_named_as_it_is_called(name: str) -> None:
    study = parse(builtin.text(name), place=name)
    assert study.name == name
    assert study.replicates.count == 3
    assert all(claim.because for claim in study.claims)
    assert study.claims
    assert parse(study.document, place=name) == study


def test_any_other_name_is_a_path() -> None:
    assert builtin.find("mine.toml") == Path("mine.toml")
    text, place = builtin.find("faces")
    assert "[network]" in text
    assert place == "built-in study faces"


def test_a_name_that_is_not_built_in_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean faces"):
        builtin.text("face")
