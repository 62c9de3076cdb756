from __future__ import annotations

import io
import math
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from paribus.cli.live import LiveDisplay
from paribus.cli.terminal import REPLACE
from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.progress import StudyProgress

LONG_ARM = "momentum 0.9, weight decay 0.0005 and a rather wide layer no 1"[:60]
Drawn = Callable[[int], list[str]]


def progress(runs: int = 12, recorded: int = 0, work: int = 0) -> StudyProgress:
    return StudyProgress("selection", runs=runs, recorded=recorded, work=work or 2 * 25450 * 4000)


def epoch(index: int, number: int, runs: int, *figures: float) -> EpochDone:
    return EpochDone(index, number, [str(run) for run in range(runs)], {}, *figures)


def screen(terminal: io.StringIO, rows: int) -> list[str]:
    """The last `rows` lines that were drawn, without colours and movements of the cursor."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    return [line.split("\r")[-1].rstrip() for line in text.splitlines()[-rows:]]


@pytest.fixture
def drawn() -> Drawn:
    """Draws a study of two cohorts, one in training and one done, on a terminal of a certain width."""

    def draw(width: int) -> list[str]:
        terminal = io.StringIO()
        with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=width, height=24)) as display:
            display(CohortStarted(0, 12, (LONG_ARM, "other"), 6, 25450, 0, 4000))
            display(CohortStarted(1, 12, (LONG_ARM,), 3, 25450, 0, 4000))
            display(epoch(0, 1234, 6, 0.3125, 0.4375, 0.834, 1234.0, 3700.0))
            display(epoch(1, 4000, 3, 0.25, 0.5625, 0.85, 99.0, 0.0))
            display(CohortDone(1, 3, 1, 12.0))
        return screen(terminal, 4)

    return draw


@pytest.mark.parametrize("width", [60, 80, 100, 109, 110, 120, 160, 300])
def test_the_main_columns_are_whole_at_every_width(drawn: Drawn, width: int) -> None:
    total, heading, training, done = drawn(width)
    assert total.startswith("selection: 3/12 runs done, 65 %")
    for words in ("cohort", "arms", "epoch", "val acc", "time left"):
        assert words in heading
    for words in ("1/12", "1234/4000", "83.4 %", "1 h 02 min"):
        assert words in training
    for words in ("2/12", "4000/4000", "85.0 %", "1 diverged"):
        assert words in done
    assert all(len(line) <= width for line in (total, heading, training, done))
    assert "…" not in f"{total}{heading}{training}{done}"


@pytest.mark.parametrize("width", [60, 80, 100, 109, 120])
def test_the_arms_are_shortened_to_the_space_that_is_left(drawn: Drawn, width: int) -> None:
    _, _, training, done = drawn(width)
    assert re.search(r"1/12  momentu.*\.\.\.  ", training)
    assert max(map(len, (training, done))) == width


def test_the_arms_are_the_first_to_be_left_out(drawn: Drawn) -> None:
    assert drawn(50)[1].split() == ["cohort", "epoch", "val", "acc", "time", "left"]
    assert drawn(50)[2].endswith("1 h 02 min")


def test_details_are_for_wide_terminals(drawn: Drawn) -> None:
    for words in ("runs", "train loss", "val loss"):
        assert words in drawn(110)[1]
        assert words not in drawn(109)[1]
    assert "model-epochs/s" in drawn(160)[1]
    assert "1.23 k" in drawn(160)[2]
    assert "done in 12 s, 1 diverged" in drawn(110)[3]


@pytest.mark.parametrize("width", [20, 30, 40, 50])
def test_a_very_narrow_terminal_keeps_epoch_metric_and_time_left(drawn: Drawn, width: int) -> None:
    total, heading, training, _ = drawn(width)
    assert "epoch" in heading
    assert "1234/4000" in training
    for words in ("1 h 02 min", "83.4 %"):
        assert (words in training) == (width >= 30)
    assert max(map(len, (total, heading, training))) <= width


def test_without_validation_the_training_loss_is_shown() -> None:
    terminal = io.StringIO()
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=80)) as display:
        display(CohortStarted(0, 1, ("fixed",), 3, 25450, 0, 50))
        display(epoch(0, 7, 3, 0.25, math.nan, math.nan, 99.0, math.inf))
    _, heading, row = screen(terminal, 3)
    assert heading.split() == ["cohort", "arms", "epoch", "train", "loss", "time", "left"]
    assert "0.25" in row
    assert "unknown" in row


def test_names_are_text_and_not_markup() -> None:
    terminal = io.StringIO()
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=120)) as display:
        display(CohortStarted(0, 1, ("[bold]odd[/bold]\x1b[31m",), 3, 25450, 0, 50))
    assert r"[bold]odd[/bold]\x1b[31m" in terminal.getvalue()


def test_of_many_cohorts_those_in_training_are_shown() -> None:
    terminal = io.StringIO()
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=80, height=10)) as display:
        for index in range(40):
            display(CohortStarted(index, 40, ("a",), 1, 10, 0, 50))
            if index != 3:
                display(CohortDone(index, 1, 0, 1.0))
    rows = [line.split()[0] for line in screen(terminal, 7)]
    assert rows == ["4/40", "35/40", "36/40", "37/40", "38/40", "39/40", "40/40"]


def test_an_ascii_terminal_can_show_it() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", errors=REPLACE)
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=80)) as display:
        display(CohortStarted(0, 1, ("ü" * 60,), 3, 25450, 0, 50))
        display(epoch(0, 25, 3, 0.25, 0.5, 0.8, 99.0, 3.0))
    terminal.flush()
    assert b"25/50" in raw.getvalue()


def test_nothing_is_drawn_where_nothing_happens() -> None:
    terminal = io.StringIO()
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True)):
        pass
    assert terminal.getvalue() == ""


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        terminal = io.StringIO()
        with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=80)) as display:
            display(CohortStarted(0, 1, ("fixed",), 3, 25450, 0, 50))
            display(epoch(0, 25, 3, 0.25, 0.5, 0.8, 99.0, 3.0))
        return terminal.getvalue()

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = r"\x1b\[[0-9;]*[349][0-9]m"
    assert re.search(coloured, drawn())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(coloured, drawn())
