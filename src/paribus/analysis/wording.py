"""Numbers as sentences show them: accuracies in per cent, differences with their sign."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from paribus.analysis.estimates import LEVEL_TEXT, Estimate, Interval
from paribus.spec.metrics import metric_named
from paribus.spec.rules import parse_rule
from paribus.units import with_spread

MAX_MORE = 50
"""Further replicates up to which their number is named."""
MAX_LISTED = 4
"""Of more values only the lowest and the highest are named."""


def number(value: float) -> str:
    """A plain number with four significant digits: `0.4715`, `12.5`, `25,450`. What is not finite is `inf` or `nan`."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def quantity(metric: str, value: float | None) -> str:
    """A metric's value: `85.13 %` for a share, `0.4715` for a loss, `1,490` for an epoch, `unknown` for None."""
    if value is None:
        return "unknown"
    match metric_named(metric).form:
        case "share":
            return f"{100 * value:.2f} %"
        case "count":
            return f"{value:,.1f}".removesuffix(".0")
        case _:
            return number(value)


def difference(metric: str, value: float | None) -> str:
    """A difference with its sign: `+1.30 points` for shares, `-0.0123` otherwise."""
    if value is None:
        return "unknown"
    if metric_named(metric).is_share:
        return f"{100 * value:+.2f} points"
    return f"{'-' if value < 0 else '+'}{quantity(metric, abs(value))}"


def effect(metric: str, mean: float | None, between: Interval | None) -> str:
    """A mean difference with its interval: `+0.30 points, 95 % CI -0.20 to +0.80`; without one, by itself."""
    if between is None or mean is None:
        return difference(metric, mean)
    text = _signed(metric, mean, between)
    return f"{text}, {LEVEL_TEXT} CI {_bounds(metric, between)}"


def _bounds(metric: str, between: Interval) -> str:
    if metric_named(metric).is_share:
        return f"{100 * between.low:+.2f} to {100 * between.high:+.2f}"
    return f"{_signed(metric, between.low, between)} to {_signed(metric, between.high, between)}"


def _signed(metric: str, value: float, between: Interval) -> str:
    """A difference; one in a unit of the user's has the digits that its interval's half-width allows."""
    half = (between.high - between.low) / 2
    if metric_named(metric).form != "quantity" or not half > 0:
        return difference(metric, value)
    return f"{'-' if value < 0 else '+'}{with_spread(abs(value), half)[0]}"


def mean_and_sd(metric: str, estimate: Estimate) -> str:
    """Mean and sample standard deviation: `85.13 % (sd 0.21, n = 3)`; a single run is called that."""
    if not estimate.n:
        return "not measured"
    mean = quantity(metric, estimate.mean)
    if estimate.sd is None:
        return f"{mean} (one run)"
    if metric_named(metric).form == "quantity" and estimate.sd and estimate.mean is not None:
        mean, sd = with_spread(estimate.mean, estimate.sd)
        return f"{mean} (sd {sd}, n = {estimate.n})"
    sd = f"{100 * estimate.sd:.2f}" if metric_named(metric).is_share else quantity(metric, estimate.sd)
    return f"{mean} (sd {sd}, n = {estimate.n})"


def plural(count: int, noun: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def more_replicates(more: int) -> str:
    """How many further replicates would decide: `about 9 more replicates would decide`.

    A number is named up to `MAX_MORE` only. A larger one rests on how near the mean is to the margin, which the
    replicates hardly tell.
    """
    if more > MAX_MORE:
        return f"more than {MAX_MORE} more replicates would be needed: the mean is close to the margin"
    return f"about {plural(more, 'more replicate')} would decide"


def capital(words: str) -> str:
    """Words with a capital first letter, the rest as it was."""
    return f"{words[:1].upper()}{words[1:]}"


def in_runs(shown: int, of: int) -> str:
    """How many of an arm's runs show something: `all 3 runs`, `both runs`, `2 of 3 runs`, `its one run`."""
    if of == 1:
        return "its one run"
    every = "both runs" if of == 2 else f"all {of} runs"
    return every if shown == of else f"{shown} of {of} runs"


def each_or_range(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Values of replicates: each where they are few, else the lowest and the highest; equal ones once."""
    distinct = list(dict.fromkeys(show(value) for value in values))
    if len(distinct) == 1:
        return distinct[0]
    if len(values) <= MAX_LISTED:
        return listed(show(value) for value in values)
    return f"{show(min(values))} to {show(max(values))}"


def listed(words: Iterable[object]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = [str(word) for word in words] or ["none"]
    return f"{', '.join(head)} and {last}" if head else last


def label(metric: str) -> str:
    """A metric's name for people; `test RMSE of price` for that of one of several numbers."""
    return metric_named(metric).label


def better(metric: str) -> str:
    """`higher` or `lower`, whichever is better."""
    return "higher" if metric_named(metric).direction > 0 else "lower"


def best(metric: str) -> str:
    """`highest` or `lowest`, whichever is best."""
    return "highest" if metric_named(metric).direction > 0 else "lowest"


def rule_name(rule: str) -> str:
    """A selection rule as a name: `lowest validation loss`, `last epoch`, `epoch 40`."""
    return at(rule).removeprefix("at ").removeprefix("the ")


def at(rule: str) -> str:
    """A selection rule within a sentence: `at the lowest validation loss`, `at the last epoch`, `at epoch 40`."""
    if rule == "last":
        return "at the last epoch"
    if rule.startswith("epoch:"):
        return f"at epoch {rule.removeprefix('epoch:')}"
    found = parse_rule(rule)
    return f"at the {'lowest' if found.direction < 0 else 'highest'} {label(found.metric)}"


def at_each(rules: Iterable[str]) -> str:
    """The rules that arms deploy by, in a sentence: `at the last epoch`, or `as each arm deploys` where some differ."""
    distinct = list(dict.fromkeys(rules))
    return at(distinct[0]) if len(distinct) == 1 else "as each arm deploys"
