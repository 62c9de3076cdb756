from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Paribus = Callable[..., Any]


def test_a_whole_workspace_has_no_problems(paribus: Paribus, recorded: Path) -> None:
    result = paribus("verify", "--workspace", recorded)
    assert (result.code, result.out) == (0, "")
    assert "no problems" in result.err
    found = json.loads(paribus("verify", "--json", "--workspace", recorded).out)
    assert found["problems"] == []
    assert found["checked"]["runs"] == 4


def test_what_was_changed_behind_its_back_is_named(paribus: Paribus, recorded: Path) -> None:
    with closing(sqlite3.connect(recorded / "workspace.sqlite")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE measurements SET value = value + 1 WHERE name = 'parameters'")
        connection.commit()
    result = paribus("verify", "--workspace", recorded)
    assert result.code == 1
    assert "mini, arm fixed, replicate 0" in result.out
    assert json.loads(paribus("verify", "--json", "--workspace", recorded).out)["problems"]
