"""Paired differences as sentences: who has more of what than whom, by how much, and how sure that is."""

from __future__ import annotations

import math

from paribus.analysis import wording
from paribus.analysis.contrasts import ArmAtRule, Contrast
from paribus.analysis.estimates import LEVEL_TEXT, Interval
from paribus.analysis.results import Results
from paribus.spec.metrics import metric_named
from paribus.units import decimals_for

_MAX_POINT_DECIMALS = 2
_DIGITS = 3
"""Significant digits of the larger end of an interval, unless its ends would then look the same."""


def statement(results: Results, found: Contrast, *, with_interval: bool = True) -> str:
    """A contrast as a sentence without its full stop.

    Example: *The test accuracy is 0.33 points lower with deep than with shallow (95 % CI -1.21 to +0.55, n = 3)*.
    """
    if found.mean is None:
        return f"{_subject(results, found)} of {_sides(results, found, 'and')} cannot be compared yet"
    ending = f" ({certainty(found)})" if with_interval else ""
    size = amount(found.metric, found.mean, found.interval)
    if not any(digit in "123456789" for digit in size):
        return f"{_subject(results, found)} is the same {_sides(results, found, 'and')}{ending}"
    way = "higher" if found.mean > 0 else "lower"
    return f"{_subject(results, found)} is {size} {way} {_sides(results, found, 'than')}{ending}"


def certainty(found: Contrast) -> str:
    """What stands in brackets behind a difference: its interval, in the direction that the sentence says, and n."""
    if metric_named(found.metric).kind == "exact":
        return f"in every replicate, n = {found.n}" if found.n > 1 else "one replicate"
    if found.interval is None or found.mean is None:
        return "one replicate, no interval" if found.n == 1 else f"no interval, n = {found.n}"
    return f"{LEVEL_TEXT} CI {between(found.metric, found.mean, found.interval)}, n = {found.n}"


def between(metric: str, mean: float, interval: Interval) -> str:
    """The ends of an interval without their unit. Beside a difference called lower, a negative interval is positive.

    An interval with zero inside keeps the signs of first minus second: `-1.21 to +0.55`.
    """
    low, high = interval.low, interval.high
    if low < 0 < high:
        return signed_between(metric, interval)
    if mean < 0:
        low, high = -high, -low
    return f"{_digits(metric, low + 0.0, interval)} to {_digits(metric, high + 0.0, interval)}"


def signed_between(metric: str, interval: Interval) -> str:
    """The ends of an interval with their signs, without their unit."""
    return f"{_signed(metric, interval.low, interval)} to {_signed(metric, interval.high, interval)}"


def amount(metric: str, value: float, interval: Interval | None) -> str:
    """The size of a difference with its unit, in as many digits as its interval's width allows (see `_decimals`)."""
    points = metric_named(metric).is_share
    text = _digits(metric, abs(value), interval)
    return f"{text} {'point' if text == '1' else 'points'}" if points else text


def margin(metric: str, by: float) -> str:
    """The size of the smallest difference that matters, with its unit: `0.5 points`, `0.001`."""
    size = abs(by)
    if metric_named(metric).is_share:
        return f"{100 * size:.4g} {'point' if math.isclose(size, 0.01) else 'points'}"
    return f"{size:,.4g}"


def _signed(metric: str, value: float, interval: Interval) -> str:
    return f"{'-' if value < 0 else '+'}{_digits(metric, abs(value), interval)}"


def _digits(metric: str, value: float, interval: Interval | None) -> str:
    share = metric_named(metric).is_share
    scale = 100 if share else 1
    half = 0.0 if interval is None else scale * (interval.high - interval.low) / 2
    if not half > 0:
        return f"{scale * value:.{_MAX_POINT_DECIMALS}f}" if share else wording.number(value)
    if interval is None:
        return wording.number(value)
    decimals = min(decimals_for(half), _MAX_POINT_DECIMALS) if share else _decimals(interval)
    if not share and (decimals > 8 or abs(value) >= 1e12):
        return f"{value:.3g}"
    return f"{round(scale * value, decimals) + 0.0:,.{max(0, decimals)}f}"


def _decimals(interval: Interval) -> int:
    """Decimals with two significant digits of half the interval's width, but no more than a reader can use.

    These are three significant digits of the larger end, or as many as tell the two ends apart.
    """
    most = decimals_for((interval.high - interval.low) / 2)
    decimals = min(most, _DIGITS - 2 + decimals_for(max(abs(interval.low), abs(interval.high))))
    while decimals < most and round(interval.low, decimals) == round(interval.high, decimals):
        decimals += 1
    return decimals


def _subject(results: Results, found: Contrast) -> str:
    label, first, second = wording.label(found.metric), found.first, found.second
    if first.arm == second.arm:
        return f"{first.arm}: the {label}"  # a name stays as the user wrote it
    if first.rule and first.rule == second.rule and not _deploys(results, first, second):
        return f"{wording.capital(wording.at(first.rule))}, the {label}"
    return f"The {label}"


def _sides(results: Results, found: Contrast, joined: str) -> str:
    first, second = found.first, found.second
    if first.arm == second.arm:
        return f"{wording.at(first.rule)} {joined} {wording.at(second.rule)}"
    if first.rule == second.rule or _deploys(results, first, second):
        return f"with {first.arm} {joined} with {second.arm}"
    sides = [f"with {end.arm} ({wording.at(end.rule)})" for end in (first, second)]
    return f" {joined} ".join(sides)


def _deploys(results: Results, *ends: ArmAtRule) -> bool:
    """Whether each side is an arm at the rule that it deploys by, which needs no word."""
    return all(end.rule == results.deploy(end.arm) for end in ends)
