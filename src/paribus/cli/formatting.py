"""Numbers, times and counts as commands print them."""

from __future__ import annotations

import math
from datetime import datetime

from paribus.units import duration, with_spread

MAX_PLAIN = 1e9
"""Numbers from here on are printed with an exponent."""
SMALLEST_POINTS = 0.005
"""Standard deviations in percentage points, from here on, have two decimals at most."""


def format_number(value: float | None, digits: int = 6) -> str:
    """A number with at most `digits` significant digits, a whole number below 1e9 in full; a dash if it is not finite.

    There is no negative zero: `0` for -0.0.
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < MAX_PLAIN:
        return str(int(value))
    return f"{value:z.{digits}g}"


def format_share(value: float | None, decimals: int = 1) -> str:
    """A fraction in per cent: `83.4 %`, or a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{100 * value:z.{decimals}f} %" if abs(value) < MAX_PLAIN else f"{100 * value:.4g} %"


def format_mean(mean: float | None, sd: float | None, *, share: bool = False, sized: bool = False) -> str:
    """Mean and standard deviation with two significant digits of the latter: `0.4715 ± 0.0032`, `83.12 ± 0.21 %`.

    `share` prints fractions in per cent, `sized` numbers that may be large: `41,250 ± 830`. Without a standard
    deviation, or where it is 0, only the mean is printed.
    """
    if mean is None or not math.isfinite(mean):
        return "-"
    if sized and sd and math.isfinite(sd):
        return " ± ".join(with_spread(mean, sd))
    if sized and 1000 <= abs(mean) < MAX_PLAIN:
        return f"{mean:,.0f}"
    if not sd or not math.isfinite(sd):
        return format_share(mean, 2) if share else format_number(mean, 4)
    unit, scale = (" %", 100.0) if share else ("", 1.0)
    mean, sd = mean * scale, sd * scale
    decimals = max(0, 1 - math.floor(math.log10(sd)))
    if share and sd >= SMALLEST_POINTS:
        decimals = min(decimals, 2)
    if decimals > 6 or max(abs(mean), sd) >= MAX_PLAIN:
        return f"{mean:z.4g} ± {sd:.2g}{unit}"
    return f"{mean:z.{decimals}f} ± {sd:.{decimals}f}{unit}"


def format_range(low_s: float, high_s: float) -> str:
    """A range of times in steps that a person can use: `12 to 18 s`, `1 min 10 s to 1 min 40 s`, `less than 5 s`.

    It is rounded outwards, so that it is never narrower than it was.
    """
    step_s = _step_s(high_s)
    low, high = math.floor(low_s / step_s) * step_s, max(1, math.ceil(high_s / step_s)) * step_s
    if low == 0:
        return f"less than {_whole(high)}"
    if high < 60:
        return f"{low} to {high} s"
    return f"{_whole(low)} to {_whole(high)}"


def _step_s(seconds: float) -> int:
    """What times of this length are rounded to."""
    return next((step for limit, step in ((20, 1), (300, 5), (3600, 30)) if seconds < limit), 300)


def _whole(seconds: float) -> str:
    """A time in whole seconds, minutes or hours."""
    text = f"{seconds:.0f} s" if seconds < 60 else duration(seconds)
    return text.replace(" 00 s", "").replace(" 00 min", "")


def format_expected(seconds: float | None) -> str:
    """An expected time: `3 min 20 s`, `less than 1 s`, `unknown`."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    return "less than 1 s" if seconds < 1 else duration(seconds)


def local_time(moment: str) -> str:
    """A recorded moment (ISO 8601 with its offset) in this machine's time zone: `2026-03-01 14:05 CET`."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 run`, `2 runs`; `nouns` is the plural where it is not the noun with an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or f'{noun}s'}"
