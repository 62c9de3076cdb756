from __future__ import annotations

import io
import math

from rich.console import Console

from paribus.cli.live import LiveDisplay
from paribus.execution.progress import CohortDone, CohortStarted, EpochDone


def test_every_cohort_has_a_row_with_its_latest_figures() -> None:
    terminal = io.StringIO()
    with LiveDisplay(Console(file=terminal, force_terminal=True, width=160)) as display:
        display(CohortStarted(0, 2, ("fixed", "steps"), 6, 25450, 0, 100))
        display(EpochDone(0, 60, 6, 0.3125, 0.4375, 0.834, 1234.0, 75.0))
        display(CohortDone(0, 6, 1, 12.0))
        display(CohortStarted(1, 2, ("[bold]odd[/bold]",), 3, 25450, 0, 50))
        display(EpochDone(1, 7, 3, 0.25, math.nan, math.nan, 99.0, math.inf))
    drawn = terminal.getvalue()
    last = drawn[drawn.rindex("cohort") :]
    for words in ("1/2", "60/100", "0.3125", "83.4%", "1.23 k", "done in 12 s, 1 diverged", "2/2", "7/50", "unknown"):
        assert words in last
    assert "[bold]odd[/bold]" in last


def test_nothing_is_drawn_where_nothing_happens() -> None:
    terminal = io.StringIO()
    with LiveDisplay(Console(file=terminal, force_terminal=True)):
        pass
    assert terminal.getvalue() == ""
