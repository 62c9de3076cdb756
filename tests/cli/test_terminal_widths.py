"""The installed command on a real terminal of the usual widths: no line is too long, and nothing is cut."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.cli.installed import command, environment

Paribus = Callable[..., Result]
WIDTHS = (60, 80, 100, 120)
COMMANDS = (
    "compare",
    "evaluate",
    "new",
    "plan",
    "report",
    "run",
    "schema",
    "status",
    "studies",
    "table",
    "verify",
    "view",
)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ARMS = ('"slow"', '"fast"'), ('"slow, with a name as long as people give it"', '"fast, with a name as long as that"')
CLAIM = """
[[claims]]
statement = "The faster learning rate of these two has the lower training loss at the end."
metric = "train_loss"
better = { arm = "slow, with a name as long as people give it" }
than = { arm = "fast, with a name as long as that" }
by = 0.5
"""


def on_terminal(width: int, *argv: object, **changes: str) -> str:
    """What a command writes to a terminal, stdout and stderr together, control characters included."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    variables = {name: value for name, value in environment().items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        command(*argv), stdin=theirs, stdout=theirs, stderr=theirs, env={**variables, "TERM": "xterm", **changes}
    ) as process:
        os.close(theirs)
        written = bytearray()
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux's way to say that the other side has closed
                break
            if not part:
                break
            written += part
        os.close(terminal)
        process.wait(60)
    return written.decode()


def lines(written: str) -> list[str]:
    """The lines, and what was shown in their place before, without control characters."""
    return [part.rstrip() for part in re.split(r"[\r\n]+", CONTROL.sub("", written)) if part.strip()]


@pytest.fixture
def long_names(course: Path) -> Path:
    text = course.read_text(encoding="utf-8")
    for short, long in zip(*ARMS, strict=True):
        text = text.replace(short, long)
    course.write_text(text + CLAIM, encoding="utf-8")
    return course


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_and_what_is_recorded_fit_the_terminal(long_names: Path, width: int) -> None:
    run = on_terminal(width, "run", long_names)
    shown = lines(run)
    assert max(map(len, shown)) <= width, [line for line in shown if len(line) > width]
    assert "…" not in run
    assert any(re.match(r"paribus: course: (loading|reading)", line) for line in shown)
    assert any("timing a few steps" in line for line in shown)
    assert any(re.fullmatch(r"course: 4/4 runs done", line) for line in shown)
    heading = next(line.split() for line in shown if line.lstrip().startswith("cohort  "))
    assert {"arms", "epoch", "time", "left"} <= set(heading)
    words = " ".join(" ".join(shown).split())
    assert re.search(r"(SUPPORTED|REFUTED|EQUIVALENT|INCONCLUSIVE):? +The faster learning rate", words)
    assert re.search(r" energy +\S", words)
    assert "next: paribus report course, or paribus view course" in words


def test_what_is_recorded_fits_the_terminal(long_names: Path) -> None:
    on_terminal(80, "run", long_names)
    for argv in (["status"], ["status", "course"], ["table", "course"], ["plan", long_names, "--replicates", "3"]):
        written = lines(on_terminal(80, *argv))
        assert max(map(len, written)) <= 80, argv
        assert "…" not in "".join(written)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_fits_the_terminal(
    paribus: Paribus, monkeypatch: pytest.MonkeyPatch, width: int, name: str | None
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = paribus(*filter(None, [name]), "--help").out
    assert max(map(len, out.splitlines())) <= width
    assert not re.search(r"[a-z]-$", out, re.MULTILINE)  # no option and no name is broken at a hyphen


@pytest.mark.parametrize("width", [60, 120])
def test_a_mistake_fits_the_terminal(course: Path, width: int) -> None:
    mistake = on_terminal(width, "plan", course, "--set", "optimizer.weight_decay=-0.5")
    shown = [line for line in lines(mistake) if not re.match("paribus: (loading|course: reading)", line)]
    assert max(map(len, shown)) <= width
    assert "-0.5" in " ".join(shown)


def test_a_terminal_that_cannot_redraw_gets_plain_lines(course: Path) -> None:
    for written in (on_terminal(80, "run", course, TERM="dumb"), on_terminal(80, "status", TERM="dumb")):
        assert "\x1b" not in written
        assert "\r" not in written.replace("\r\n", "\n")
        assert max(map(len, written.splitlines())) <= 80


def test_no_colour_on_request(course: Path) -> None:
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9]m", on_terminal(80, "run", course, NO_COLOR="1"))
