"""What a person sees before there is anything to show."""

from __future__ import annotations

import io
import time

import pytest

from paribus.cli.output import print_message
from paribus.cli.terminal import can_redraw
from paribus.cli.waiting import LOOK_EVERY_S, PRINTED_AFTER_S, PRINTED_AGAIN_S, Waiting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """All that was written to a terminal so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._written = capsys, ""

    def getvalue(self) -> str:
        self._written += self._capsys.readouterr().err
        return self._written


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The test looks; the thread does not."""
    monkeypatch.setattr("paribus.cli.waiting.LOOK_EVERY_S", 3600.0)
    return Clock()


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("paribus.cli.waiting.can_redraw", lambda _: True)
    return Terminal(capsys)


def test_a_terminal_shows_a_step_at_once_and_how_long_it_takes(clock: Clock, terminal: Terminal) -> None:
    with Waiting(clock) as waiting:
        waiting("faces: reading the data")
        assert terminal.getvalue() == "paribus: faces: reading the data"
        clock.now = 12.4
        waiting.look()
        assert terminal.getvalue().endswith("\r\x1b[Kparibus: faces: reading the data (12 s)")
        waiting("a step with a name that is much too long for this terminal")
        assert terminal.getvalue().endswith("\r\x1b[Kparibus: a step with a name that is ...")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()


def test_a_message_takes_the_place_of_a_step(clock: Clock, terminal: Terminal) -> None:
    with Waiting(clock) as waiting:
        waiting("reading the data")
        print_message("note: unusual")
        assert terminal.getvalue() == "paribus: reading the data\r\x1b[Kparibus: note: unusual\n"
        waiting.look()
        assert terminal.getvalue().endswith("\nparibus: reading the data")


def test_what_is_over_is_not_shown_again(clock: Clock, terminal: Terminal) -> None:
    with Waiting(clock) as waiting:
        waiting("reading the data")
        waiting.over()
        before = terminal.getvalue()
        waiting.look()
        waiting.over()
    assert terminal.getvalue() == before


def test_a_pipe_gets_a_line_for_a_step_that_takes_long(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting(clock) as waiting:
        waiting("reading the data")
        clock.now = PRINTED_AFTER_S - 0.1
        waiting.look()
        assert capsys.readouterr().err == ""
        for clock.now in (PRINTED_AFTER_S, 2 * PRINTED_AFTER_S):
            waiting.look()
        assert capsys.readouterr().err == "paribus: reading the data\n"
        waiting("timing", told=True)
        assert capsys.readouterr().err == "paribus: timing\n"
        waiting("soon over")
    assert capsys.readouterr().err == ""


def test_a_step_that_says_how_far_it_is_is_printed_again_with_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Waiting(clock) as waiting:
        waiting("ranking")
        for clock.now in (2.0, 4.0, 9.0):  # the first part counts from here
            waiting.further((clock.now - 2.0) / 100)
        assert capsys.readouterr().err == ""
        for clock.now in (12.0, 12.0 + PRINTED_AGAIN_S - 0.1, 12.0 + PRINTED_AGAIN_S):
            waiting.further((clock.now - 2.0) / 100)
        assert capsys.readouterr().err == (
            "paribus: ranking, 10 %, about 1 min 30 s left\nparibus: ranking, 30 %, about 1 min 10 s left\n"
        )
        clock.now += 2 * PRINTED_AGAIN_S
        waiting.look()  # nothing new
        waiting("drawing")
        clock.now += PRINTED_AFTER_S
        waiting.look()
        assert capsys.readouterr().err == "paribus: drawing\n"


class Stream(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "redraws"), [("xterm", True), ("dumb", False), ("unknown", False)])
def test_not_every_terminal_can_redraw(monkeypatch: pytest.MonkeyPatch, kind: str, redraws: bool) -> None:
    monkeypatch.setenv("TERM", kind)
    assert can_redraw(Stream()) == redraws
    assert not can_redraw(io.StringIO())


def test_a_thread_looks_again_and_ends(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOOK_EVERY_S < 1
    clock = Clock()
    with Waiting(clock) as waiting:
        waiting("reading the data")
        clock.now = 3.0
        for _ in range(1000):
            if "(3 s)" in terminal.getvalue():
                break
            time.sleep(0.01)
    assert "(3 s)" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
