from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paribus.spec import builtin

Paribus = Callable[..., Any]


def test_built_in_studies_are_listed_without_a_workspace(paribus: Paribus) -> None:
    result = paribus("studies", "--json")
    assert [(study["name"], study["kind"]) for study in json.loads(result.out)] == [
        (name, "built-in") for name in builtin.NAMES
    ]
    assert not Path("paribus-workspace").exists()


def test_recorded_studies_are_listed_after_them(paribus: Paribus, recorded: Path) -> None:
    last = json.loads(paribus("studies", "--json", "--workspace", recorded).out)[-1]
    assert (last["name"], last["kind"], last["arms"], last["replicates"]) == ("mini", "recorded", 2, 2)
    assert paribus("studies", "--workspace", recorded).out.splitlines()[-1].split()[:2] == ["mini", "recorded"]
