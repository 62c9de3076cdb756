"""A clock that is wrong: for one process, and in Python only, where every time that is recorded comes from."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
import time
from collections.abc import Sequence

_YEAR_S = 365.25 * 86_400


def move(years: Sequence[float]) -> None:
    """From now on this process's clock is off by the first of `years`, at the next reading by the second, and so on."""
    offsets = itertools.cycle(year * _YEAR_S for year in years)
    right = time.time

    def wrong() -> float:
        return right() + next(offsets)

    class Wrong(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Wrong:
            return cls.fromtimestamp(wrong(), tz)

    time.time = wrong
    for name, module in list(sys.modules.items()):
        if name.startswith("paribus") and getattr(module, "datetime", None) is dt.datetime:
            module.datetime = Wrong  # type: ignore[attr-defined]
