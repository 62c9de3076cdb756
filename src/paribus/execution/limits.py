"""When a study stops in order, before its end: a budget is used up, or somebody who watches asks for it.

A stop is a pause. Every cohort finishes its epoch and keeps its checkpoint, and the same command goes on from there
with the same bits. Whoever watches is told events, and can change nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from paribus.errors import UserError
from paribus.execution.events import Event
from paribus.units import JOULES_PER_KWH, duration

Watch = Callable[[Event], object]
"""Is told every event; the study pauses when it returns True. Called by the thread that also records: be quick."""

_SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_JOULES: Final = {"J": 1.0, "kJ": 1e3, "MJ": 1e6, "Wh": 3600.0, "kWh": JOULES_PER_KWH}
_AMOUNT: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|min|h|J|kJ|MJ|Wh|kWh)")
READ_EVERY_S: Final = 0.5
"""Energy is read at most so often."""


@dataclass(frozen=True)
class Budget:
    """The most time in seconds, or the most energy in joules, that may be used. One of them is None."""

    seconds: float | None
    joules: float | None

    @classmethod
    def of(cls, text: str, place: str = "--budget") -> Budget:
        """A time or an energy with its unit: `90s`, `20min`, `2h`, `50kJ`, `0.1kWh`. Raises UserError for else."""
        found = _AMOUNT.fullmatch(text.strip())
        if found is None or float(found[1]) <= 0:
            raise UserError(
                f"must be a time or an energy with its unit: {', '.join([*_SECONDS, *_JOULES])}",
                given=text,
                place=place,
                remedy="write 20min or 50kJ",
            )
        amount, unit = float(found[1]), found[2]
        if unit in _SECONDS:
            return cls(amount * _SECONDS[unit], None)
        return cls(None, amount * _JOULES[unit])


@final
class Limits:
    """Watches a budget, from now on, over one study after another, and asks those who watch."""

    def __init__(
        self, budget: Budget | None = None, watch: Sequence[Watch] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget, self._watch, self._clock = budget, tuple(watch), clock
        self._began = clock()
        self._earlier_j = 0.0
        self._read_at = -1e9
        self._asked = ""

    def told(self, event: Event) -> None:
        """Tell those who watch."""
        for watch in self._watch:
            if watch(event) is True and not self._asked:
                self._asked = f"{getattr(watch, '__name__', 'a callback')} asked for it"

    def reason(self, energy_j: Callable[[], float | None]) -> str:
        """Why to stop now; empty to go on. `energy_j` gives the joules of the present study so far."""
        if self._asked or self._budget is None:
            return self._asked
        elapsed = self._clock() - self._began
        if self._budget.seconds is not None:
            return f"the budget is used up after {duration(elapsed)}" if elapsed >= self._budget.seconds else ""
        assert self._budget.joules is not None
        if elapsed - self._read_at < READ_EVERY_S:
            return ""
        self._read_at = elapsed
        used = energy_j()
        if used is None:
            return "nothing here measures or models the energy, so its budget cannot be kept"
        total = self._earlier_j + used
        return f"the budget is used up after {total:,.0f} J" if total >= self._budget.joules else ""

    def ended(self, energy_j: float | None) -> None:
        """A study is over, and has taken this many joules."""
        self._earlier_j += energy_j or 0.0
        self._read_at = -1e9
