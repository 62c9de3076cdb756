from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paribus import __version__

Paribus = Callable[..., Any]


def test_version(paribus: Paribus) -> None:
    assert paribus("--version").out == f"paribus {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        "new",
        "plan",
        "run",
        "search",
        "lr-range",
        "confirm",
        "status",
        "report",
        "view",
        "table",
        "evaluate",
        "verify",
        "studies",
        "schema",
    ],
)
def test_every_command_explains_itself(paribus: Paribus, command: str) -> None:
    assert command in paribus("--help").out
    result = paribus(command, "--help")
    assert result.code == 0
    assert f"usage: paribus {command}" in result.out
    assert "--workspace" in result.out


def test_global_options_stand_before_or_after_the_command(paribus: Paribus, recorded: Path) -> None:
    before, after = paribus("--workspace", recorded, "status"), paribus("status", "--workspace", recorded)
    assert before.code == 0
    assert before.out == after.out != ""


def test_the_environment_names_the_workspace_unless_an_option_does(
    paribus: Paribus, recorded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARIBUS_WORKSPACE", str(recorded))
    assert "mini" in paribus("status").out
    assert paribus("status", "--workspace", tmp_path / "none").code == 2
    monkeypatch.setenv("PARIBUS_WORKSPACE", "")
    assert "paribus-workspace" in paribus("status").err


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_a_tilde_is_the_home_folder(
    paribus: Paribus, recorded: Path, home: Path, mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.rename(home / "results")
    (home / "mini.toml").write_bytes(mini.read_bytes())
    assert "mini" in paribus("status", "--workspace", "~/results").out
    monkeypatch.setenv("PARIBUS_WORKSPACE", "~/results")
    assert "mini" in paribus("status").out
    assert paribus("table", "~/mini.toml").code == 0
    assert paribus("new", "faces", "--to", "~/faces.toml").out == f"{home}/faces.toml\n"
    assert paribus("report", "--to", "~/report").out.startswith(f"{home}/report")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        ("status", "--workspace", "~nobody-of-that-name/x"),
        ("report", "--to", "~nobody-of-that-name/x"),
        ("new", "faces", "--to", "~nobody-of-that-name/x"),
        ("plan", "~nobody-of-that-name/x.toml"),
    ],
)
def test_an_unknown_home_folder_is_a_mistake(paribus: Paribus, recorded: Path, argv: tuple[str, ...]) -> None:
    result = paribus(*argv, *([] if "--workspace" in argv else ["--workspace", recorded]))
    assert (result.code, result.out) == (2, "")
    assert "must begin with a home folder that exists, got '~nobody-of-that-name/x" in result.err
    assert len(result.lines) == 1


def test_a_traceback_is_shown_only_on_request(paribus: Paribus) -> None:
    assert "Traceback" not in paribus("status").err
    assert "Traceback" in paribus("status", "--debug").err


class _FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_named(paribus: Paribus, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _FullDisk())
    result = paribus("status", "--workspace", recorded)
    assert result.code == 1
    assert result.err == "paribus: the system reports: No space left on device\n"
