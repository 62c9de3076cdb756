"""Tables from records: what a CSV file gets as it is, and what the page shows rounded, with unit and spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.analysis.estimates import Estimate
from paribus.analysis.wording import is_share
from paribus.report.blocks import Cell, Heading, Record, Table
from paribus.spec.metrics import METRICS

NONE = "–"
_DECIMALS = {"mse": 5, "pca_mse": 5, "mean_mse": 5, "output_variation": 4, "ratio": 3}
_WHOLE = ("parameters", "weights", "epoch", "dead_units", "unmoved_units", "hidden_units", "last_epoch", "peak_epoch")

SHORT = {
    "epoch": "epoch",
    "train_loss": "train loss",
    "train_loss_end": "train loss at epoch end",
    "val_loss": "val. loss",
    "val_accuracy": "val. accuracy",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy",
    "parameters": "parameters",
    "weights": "weights alone",
    "mse": "error",
    "pca_mse": "PCA error",
    "dead_units": "dead units",
    "collapsed": "collapsed",
    "memorised": "memorised",
    "lr": "learning rate",
}


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


def number(title: str, key: str, metric: str) -> Column:
    """A column of single values of `metric`."""
    return Column(title, lambda record: Cell(shown(metric, record[key])), numeric=True)


def spread(title: str, key: str, metric: str) -> Column:
    """A column of means with the standard deviation behind them, from the fields that `estimated` writes."""

    def show(record: Record) -> Cell:
        mean, sd, n = record.get(f"{key}_mean"), record.get(f"{key}_sd"), record.get(f"{key}_n")
        if mean is None:
            return Cell(NONE)
        return Cell(shown(metric, mean), faint=f"± {shown(metric, sd, unit=False)}" if sd is not None else f"n = {n}")

    return Column(title, show, numeric=True)


def estimated(key: str, estimate: Estimate) -> dict[str, Any]:
    """The fields of one estimate in a record: `<key>_mean`, `<key>_sd`, `<key>_n`."""
    return {f"{key}_mean": estimate.mean, f"{key}_sd": estimate.sd, f"{key}_n": estimate.n}


def shown(metric: str, value: float | None, *, unit: bool = True) -> str:
    """A value of `metric` as a table shows it: 85.13 %, 0.4738, 1,240, 0.00742."""
    if value is None:
        return NONE
    if is_share(metric):
        return f"{100 * value:.2f}" + (" %" if unit else "")
    if metric in _WHOLE:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    if metric == "lr":
        return f"{value:g}"
    digits = next((n for ending, n in _DECIMALS.items() if metric.endswith(ending)), 4)
    if value and abs(value) < 10**-digits:
        return f"{value:.2e}"
    return f"{value:.{digits}f}"


def signed(metric: str, value: float | None) -> str:
    """A difference of two values of `metric`: accuracies in percentage points."""
    if value is None:
        return NONE
    text_ = shown(metric, abs(value), unit=False)
    return ("+" if value > 0 else "−" if value < 0 else "±") + text_


def difference_unit(metric: str) -> str:
    """The unit of a difference: percentage points for fractions, else nothing."""
    return "percentage points" if is_share(metric) else METRICS[metric].unit if metric in METRICS else ""


def capital(words: str) -> str:
    """Words with a capital first letter, the rest as it was."""
    return words[:1].upper() + words[1:]


def plain(value: object) -> str:
    """Any plain value in words."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    return str(value)
