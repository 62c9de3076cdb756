"""The installed command as a process: errors that nobody expects, warnings, streams that are closed or full."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from paribus import __version__
from tests.cli.installed import command, environment

HEAVY = ("pydantic", "numpy", "torch", "altair", "rich", "jinja2", "safetensors", "sqlite3")


def run(argv: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, env=environment(**changes), check=False)


def broken(body: str, *argv: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """`paribus status`, whose execution is replaced by `body`."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    before = f"import paribus.cli.status\ndef execute(arguments):\n{lines}paribus.cli.status.execute = execute"
    return run(command("status", *argv, before=before), **changes)


def test_help_and_import_load_nothing_heavy() -> None:
    code = (
        "import sys, paribus, paribus.cli.main as m; m.parser().format_help(); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert run([sys.executable, "-c", code]).stdout.strip() == "[]"


def test_help_is_quick() -> None:
    """In seconds of processor time, which other programs do not lengthen much."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(command("--help")).check_returncode()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.3


def test_the_module_is_the_same_program_as_the_command(recorded: Path) -> None:
    module = (sys.executable, "-m", "paribus")
    for argv in (["--version"], ["run", "--help"], ["status"], ["status", "none"], ["table", "mini", "--json"]):
        script = run(command(*argv), PARIBUS_WORKSPACE=str(recorded))
        other = run([*module, *argv], PARIBUS_WORKSPACE=str(recorded))
        assert (other.returncode, other.stdout, other.stderr) == (script.returncode, script.stdout, script.stderr)
    assert run(command("--version")).stdout == f"paribus {__version__}\n"


REPORTED = "; this is a defect of paribus: run again with --debug and report it\n"
RECURSIVE = "def again(): again()\nagain()"
THREAD = "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nraise SystemExit(1)"
UNPRINTABLE = "class E(Exception):\n    def __str__(self): raise ValueError\nraise E"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise RuntimeError('two\\nlines')", f"RuntimeError: two lines{REPORTED}"),
        ("raise KeyError('x' * 10_000)", f"KeyError: '{'x' * 389}...{REPORTED}"),
        ("1 / 0", f"ZeroDivisionError: division by zero{REPORTED}"),
        (THREAD, f"ZeroDivisionError: division by zero{REPORTED}"),
        ("assert False", f"AssertionError{REPORTED}"),
        (RECURSIVE, f"RecursionError: maximum recursion depth exceeded{REPORTED}"),
    ],
)
def test_a_defect_is_one_line_that_asks_for_a_report(body: str, line: str) -> None:
    done = broken(body)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"paribus: {line}"


def test_a_defect_whose_message_fails_is_one_line() -> None:
    done = broken(UNPRINTABLE)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith(REPORTED)


def test_a_defect_shows_its_traceback_on_request() -> None:
    done = broken("1 / 0", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "line" in done.stderr


@pytest.mark.parametrize("body", ["raise MemoryError", "b = bytearray(2**62)", "import numpy; numpy.zeros(2**58)"])
def test_too_little_memory_is_no_defect(body: str) -> None:
    done = broken(body)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("paribus: not enough memory")
    assert len(done.stderr.splitlines()) == 1


WARNING = "import warnings\nwarnings.simplefilter('always')\nwarnings.warn('careful', RuntimeWarning)\nraise SystemExit"
NUMPY = "import numpy\nnumpy.zeros(1) / numpy.zeros(1)\nraise SystemExit"
LOGGED = "import logging\nlogging.getLogger('library').warning('careful')\nraise SystemExit"


@pytest.mark.parametrize("body", [WARNING, NUMPY, LOGGED])
def test_warnings_do_not_reach_the_user(body: str) -> None:
    done = broken(body)
    assert (done.returncode, done.stderr) == (0, "")


def test_warnings_are_shown_on_request() -> None:
    assert "RuntimeWarning" in broken(NUMPY, PYTHONWARNINGS="default").stderr
    assert "RuntimeWarning" in broken(NUMPY, "--debug").stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["--version"], ["status"]])
def test_a_reader_that_leaves_early_is_no_error(argv: list[str], unbuffered: str, recorded: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*argv),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(PARIBUS_WORKSPACE=str(recorded), PYTHONUNBUFFERED=unbuffered),
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_to_a_full_disk_is_one_line(recorded: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("status", "--workspace", recorded),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "paribus: the system reports: No space left on device\n")
        messages = subprocess.run(command("status", "none"), stdout=full, stderr=full, env=environment(), check=False)
        assert messages.returncode == 2


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_streams_may_be_closed(closed: str, code: int, recorded: Path) -> None:
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *command("status", "--workspace", recorded)]
    done = run(shell)
    assert done.returncode == code
    assert done.stderr == ""
