"""What a command is doing while there is nothing else to show: reading data, timing a few steps, drawing a page."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Self, final

from paribus.cli.columns import shortened
from paribus.cli.formatting import format_expected
from paribus.cli.output import escape_controls, print_message
from paribus.cli.terminal import MESSAGES, can_redraw, chosen_width, terminal_width

LOOK_EVERY_S = 0.25
SHOWN_FROM_S = 2.0
"""From then on a terminal shows how long a step has taken."""
PRINTED_AFTER_S = 10.0
"""Where nothing can be redrawn, a step that takes longer than this is printed, once."""
PRINTED_AGAIN_S = 20.0
"""After so long again, where it says how far it is."""


@final
class Waiting:
    """Shows the step that a command is at, until the next one or until it is over.

    A terminal shows it at once, in a line that is redrawn and disappears; a file or a pipe gets a line if the step
    takes long. So a mistake that is found soon is a single line. A step that says how far it is (`further`) is shown
    with the time that is left, in a file again and again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._redraws = can_redraw(sys.stderr)
        self._step: str | None = None
        self._since = 0.0
        self._printed_at: float | None = None
        self._shares: list[tuple[float, float]] = []
        self._further_since_print = False
        self._lock = RLock()
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="paribus-waiting", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.over()

    def __call__(self, step: str, *, told: bool = False) -> None:
        """Begin a step, named as `reading the data`; one that is `told` is printed at once everywhere."""
        with self._lock:
            self._since, self._step = self._clock(), step
            self._printed_at, self._shares = None, []
            if self._redraws:
                self.look()
            elif told:
                self._print()

    def further(self, share: float) -> None:
        """The part of the present step that is done, from 0 to 1."""
        with self._lock:
            at = self._clock(), share
            self._shares, self._further_since_print = [*self._shares[:1], at], True
            self.look()

    def over(self) -> None:
        """The step is over: there is something else to show."""
        with self._lock:
            self._step = None
            if self._redraws:
                MESSAGES.pass_by("")

    def look(self) -> None:
        """Show the step as it is now."""
        with self._lock:
            step, elapsed_s = self._step, self._clock() - self._since
            if step is None:
                return
            if self._redraws:
                took = f" ({elapsed_s:.0f} s)" if elapsed_s >= SHOWN_FROM_S else ""
                width = chosen_width() or terminal_width(sys.stderr) or 80
                MESSAGES.pass_by(shortened(f"paribus: {escape_controls(step)}{self._how_far()}{took}", width - 1))
            elif self._printed_at is None:
                if elapsed_s >= PRINTED_AFTER_S:
                    self._print()
            elif self._further_since_print and self._clock() - self._printed_at >= PRINTED_AGAIN_S:
                self._print()

    def _print(self) -> None:
        self._printed_at, self._further_since_print = self._clock(), False
        print_message(f"{self._step}{self._how_far()}")

    def _how_far(self) -> str:
        """`, 40 %, about 12 s left`, once a part of the step is done."""
        if not self._shares:
            return ""
        (began, before), (now, share) = self._shares[0], self._shares[-1]
        if share <= before:
            return ""
        left_s = (now - began) * (1 - share) / (share - before)
        return f", {math.floor(100 * share)} %" + (f", about {format_expected(left_s)} left" if left_s >= 1 else "")

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.look()
