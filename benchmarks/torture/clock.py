"""A wrong clock, in one process and in Python only: every time that paribus records comes from there."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
import time
from collections.abc import Sequence

_YEAR_S = 365.25 * 86_400


def move(years: Sequence[float]) -> None:
    """From now on this process's clock is wrong by the first of `years`, at the next reading by the second, and so on,
    in a cycle."""
    offsets = itertools.cycle(year * _YEAR_S for year in years)
    right_time = time.time

    def wrong_time() -> float:
        return right_time() + next(offsets)

    class WrongDatetime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> WrongDatetime:
            return cls.fromtimestamp(wrong_time(), tz)

    time.time = wrong_time
    for name, module in list(sys.modules.items()):
        if name.startswith("paribus") and getattr(module, "datetime", None) is dt.datetime:
            module.datetime = WrongDatetime  # type: ignore[attr-defined]
