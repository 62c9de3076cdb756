"""What a command is doing while there is nothing else to show: reading data, timing a few steps, drawing a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Self, final

from paribus.cli.columns import shortened
from paribus.cli.output import escape_controls, print_message
from paribus.cli.terminal import MESSAGES, can_redraw, chosen_width, terminal_width

LOOK_EVERY_S = 0.25
SHOWN_FROM_S = 2.0
"""From then on a terminal shows how long a step has taken."""
PRINTED_AFTER_S = 10.0
"""Where nothing can be redrawn, a step that takes longer than this is printed, once."""


@final
class Waiting:
    """Shows the step that a command is at, until the next one or until it is over.

    A terminal shows it at once, in a line that is redrawn and disappears; a file or a pipe gets a line if the step
    takes long. So a mistake that is found soon is a single line.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._redraws = can_redraw(sys.stderr)
        self._step: str | None = None
        self._since = 0.0
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
            if self._redraws:
                self.look()
            elif told:
                self._step = None
                print_message(step)

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
                MESSAGES.pass_by(shortened(f"paribus: {escape_controls(step)}{took}", width - 1))
            elif elapsed_s >= PRINTED_AFTER_S:
                self._step = None
                print_message(step)

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.look()
