from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paribus.spec.json_schema import study_schema

Paribus = Callable[..., Any]


def test_the_schema_is_printed_as_json_and_nothing_else(paribus: Paribus) -> None:
    result = paribus("schema")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == study_schema()
    assert list(Path().iterdir()) == []


def test_the_help_says_how_editors_find_it(paribus: Paribus) -> None:
    help_ = paribus("schema", "--help").out
    assert "#:schema paribus.schema.json" in help_
