from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paribus import __version__

Paribus = Callable[..., Any]

HEAVY = ("pydantic", "numpy", "torch", "altair", "rich", "jinja2", "safetensors", "sqlite3")
HERE = (sys.executable, "-m", "paribus")


def test_help_and_import_load_nothing_heavy() -> None:
    code = (
        "import sys, paribus, paribus.cli.main as m; m.parser().format_help(); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_is_quick() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([*HERE, "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.3


def test_version(paribus: Paribus) -> None:
    assert paribus("--version").out == f"paribus {__version__}\n"


@pytest.mark.parametrize(
    "command", ["new", "plan", "run", "status", "report", "view", "table", "weigh", "verify", "studies"]
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


def test_a_traceback_is_shown_only_on_request(paribus: Paribus) -> None:
    assert "Traceback" not in paribus("status").err
    assert "Traceback" in paribus("status", "--debug").err


def test_an_unforeseen_error_is_one_line_that_asks_for_a_report(tmp_path: Path) -> None:
    code = (
        "import sys, paribus.cli.status as s, paribus.cli.main as m\n"
        "def broken(arguments): raise RuntimeError('two\\nlines')\n"
        "s.execute = broken; sys.argv = ['paribus', 'status', *sys.argv[1:]]; m.entry()"
    )
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert plain.returncode == 1
    assert plain.stderr == (
        "paribus: RuntimeError: two lines; this is a defect of paribus: run again with --debug and report it\n"
    )
    debug = subprocess.run([sys.executable, "-c", code, "--debug"], capture_output=True, text=True, check=False)
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_one_line_that_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    code = (
        "import sys, time, paribus.cli.status as s, paribus.cli.main as m\n"
        "def slow(arguments): print('ready', flush=True); time.sleep(60)\n"
        "s.execute = slow; sys.argv = ['paribus', 'status']; m.entry()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "paribus: interrupted; the same command goes on where this one stopped\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["--version"], ["status"]])
def test_a_reader_that_leaves_early_is_no_error(argv: list[str], unbuffered: str, recorded: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*HERE, *argv],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PARIBUS_WORKSPACE": str(recorded), "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


class _FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_named(paribus: Paribus, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _FullDisk())
    result = paribus("status", "--workspace", recorded)
    assert result.code == 1
    assert result.err == "paribus: the system refused: No space left on device\n"


def test_output_that_the_terminal_cannot_encode_is_escaped(tmp_path: Path) -> None:
    file = tmp_path / "mini-ü.toml"
    done = subprocess.run(
        [*HERE, "run", str(file)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert b"mini-\\xfc.toml" in done.stderr
