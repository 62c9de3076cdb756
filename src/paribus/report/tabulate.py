"""Tables from records: what a CSV file gets as it is, and what the page shows rounded, with unit and spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus import units
from paribus.analysis.estimates import Estimate
from paribus.analysis.wording import number, rule_name
from paribus.report.blocks import Cell, Heading, Record, Table
from paribus.spec.metrics import Form, metric_named
from paribus.units import decimals_for, with_spread

NONE = "–"
_DECIMALS: Mapping[Form, int] = {"loss": 4, "error": 5, "ratio": 3}
_WHOLE_FROM = 10.0
"""Counts whose standard deviation is at least this are shown without decimals."""


@dataclass(frozen=True)
class Column:
    """A column as the page shows it: `show` makes a cell out of a record."""

    title: str
    show: Callable[[Record], Cell]
    numeric: bool = False


def table(
    name: str, title: str, columns: Sequence[Column], records: Iterable[Record], *, note: str = "", fold: bool = False
) -> Table:
    """A table of `records`, one line each."""
    kept = tuple(dict(record) for record in records)
    return Table(
        name=name,
        title=title,
        note=note,
        fold=fold,
        records=kept,
        headings=tuple(Heading(column.title, column.numeric) for column in columns),
        cells=tuple(tuple(column.show(record) for column in columns) for record in kept),
    )


def text(title: str, key: str) -> Column:
    """A column of words."""
    return Column(title, lambda record: Cell(plain(record[key])))


def arm(arms: Sequence[str], key: str = "arm", title: str = "arm") -> Column:
    """A column of arm names, each with its colour."""
    place = {name: i for i, name in enumerate(arms)}
    return Column(title, lambda record: Cell(str(record[key]), arm=place.get(str(record[key]))))


def rule(title: str = "rule", key: str = "rule", *, none: str = NONE) -> Column:
    """A column of selection rules, each as prose calls it; `none` stands where there is none."""
    return Column(title, lambda record: Cell(rule_name(str(record[key])) if record[key] else none))


def value(title: str, key: str, form: Form) -> Column:
    """A column of single numbers."""
    return Column(title, lambda record: Cell(shown(form, record[key])), numeric=True)


def mean_and_sd(title: str, key: str, form: Form) -> Column:
    """A column of means with the standard deviation behind them, from the fields that `estimated` writes."""

    def show(record: Record) -> Cell:
        mean, sd, n = record.get(f"{key}_mean"), record.get(f"{key}_sd"), record.get(f"{key}_n")
        if mean is None:
            return Cell(NONE)
        first, spread = with_sd(form, mean, sd)
        return Cell(first, faint=f"± {spread}" if spread else "n = 1" if n == 1 else "")

    return Column(title, show, numeric=True)


def mean_and_sd_points(title: str, key: str) -> Column:
    """A column of differences between shares, in percentage points; its title names the unit."""

    def show(record: Record) -> Cell:
        mean, sd = record.get(f"{key}_mean"), record.get(f"{key}_sd")
        if mean is None:
            return Cell(NONE)
        spread = with_sd("share", mean, sd)[1]
        return Cell(f"{100 * mean:.2f}", faint=f"± {spread}" if spread else "")

    return Column(title, show, numeric=True)


def joules(energy_j: float | None) -> str:
    """An energy as a table shows it: `9.88 kJ`."""
    return "unknown" if energy_j is None else units.joules(energy_j)


def estimated(key: str, estimate: Estimate) -> dict[str, Any]:
    """The fields of one estimate in a record: `<key>_mean`, `<key>_sd`, `<key>_n`."""
    return {f"{key}_mean": estimate.mean, f"{key}_sd": estimate.sd, f"{key}_n": estimate.n}


def with_sd(form: Form, mean: float | None, sd: float | None) -> tuple[str, str]:
    """A mean with its unit, and its standard deviation without; the latter is empty where there is none, or it is 0.

    Both have the decimals that show two significant digits of the standard deviation, but no more than a single number
    of that form has: `0.090` and `0.057`, `0.00339` and `<0.00001`, `438` and `189`.
    """
    if mean is None or not sd or not math.isfinite(sd):
        return shown(form, mean), ""
    if form == "quantity":
        return with_spread(mean, sd)
    if form == "count" and sd >= _WHOLE_FROM:
        return f"{mean:,.0f}", f"{sd:,.0f}"
    if form not in _DECIMALS or not math.isfinite(mean):
        tiny = form == "share" and sd < 0.00005
        return shown(form, mean), "<0.01" if tiny else shown(form, sd, unit=False)
    if 0 < abs(mean) < 10.0 ** -_DECIMALS[form]:
        return with_spread(mean, sd)  # so small a mean would be rounded away
    decimals = max(0, min(decimals_for(sd), _DECIMALS[form]))
    least = 10.0**-decimals
    return f"{mean:,.{decimals}f}", f"<{least:.{decimals}f}" if sd < least / 2 else f"{sd:,.{decimals}f}"


def shown(form: Form, value: float | None, *, unit: bool = True) -> str:
    """A number as a table shows it: 85.13 %, 0.4738, 1,240, 0.00742."""
    if value is None:
        return NONE
    match form:
        case "share":
            return f"{100 * value:.2f}" + (" %" if unit else "")
        case "count":
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
        case "rate":
            return f"{value:g}"
        case "quantity":
            return number(value)
        case _:
            digits = _DECIMALS[form]
            return f"{value:.2e}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"


def signed(form: Form, value: float | None) -> str:
    """A difference of two numbers, shares in percentage points; no difference is `0`."""
    if value is None:
        return NONE
    return ("+" if value > 0 else "−") + shown(form, abs(value), unit=False) if value else "0"


def difference_unit(metric: str) -> str:
    """The unit of a difference in a metric: percentage points for shares."""
    return "percentage points" if metric_named(metric).is_share else metric_named(metric).unit


def plain(value: object) -> str:
    """Any plain value in words; of a setting with a kind, the kind goes without saying that it is one."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(plain(part) if key == "kind" else f"{key} {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    return str(value)
