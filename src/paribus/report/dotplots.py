"""One quantity by arm, or by arm and rule: every replicate, the mean, and a figure to compare it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.analysis.estimates import Estimate
from paribus.analysis.results import Results
from paribus.analysis.wording import label, plural
from paribus.report import charts
from paribus.report.blocks import Block, Chart, SideBySide
from paribus.spec.metrics import METRICS

LOG_FROM = 12.0
SHORT_LINE = 30
"""Charts whose lines' names have parts longer than this many characters do not stand beside each other."""


@dataclass(frozen=True)
class Line:
    """A line of the plot. `reference` is the figure to compare it with, in the same unit."""

    name: str
    arm: str
    estimate: Estimate
    reference: float | None = None


def plot(
    results: Results, name: str, title: str, lines: Sequence[Line], metric: str, *, axis: str = "", reference: str = ""
) -> Chart:
    """A dot plot of `metric`, on a logarithmic axis where its values span orders. `reference` names the lines' figures.

    At least one line has a value.
    """
    each = [
        {"line": line.name, "arm": line.arm, "replicate": replicate, "value": value}
        for line in lines
        for replicate, value in zip(results.study.replicates.indices, line.estimate.values, strict=True)
        if value is not None
    ]
    means = [
        {"line": line.name, "arm": line.arm, "mean": line.estimate.mean, "reference": line.reference} for line in lines
    ]
    values = [float(row["value"]) for row in each] + [line.reference for line in lines if line.reference is not None]
    percent = METRICS[metric].is_share
    log = not percent and min(values) > 0 and max(values) > LOG_FROM * min(values)
    reference = reference if any(line.reference is not None for line in lines) else ""
    words = (axis or label(metric)) + (" (log scale)" if log else "")
    drawing = charts.dots(
        results.arms,
        [line.name for line in lines],
        x=words,
        percent=percent,
        sized=METRICS[metric].form == "quantity",
        log=log,
        reference=reference,
        beside=any(not line.arm for line in lines),
    )
    note = "Circles are replicates, the stroke their mean" + (f", the diamond {reference}." if reference else ".")
    alt = f"{title}: {plural(len(lines), 'line')}, from {lines[0].name} to {lines[-1].name}."
    return charts.figure(
        name,
        title,
        drawing,
        {"dots": each, "means": means},
        alt,
        note=note,
        height=charts.LINE_HEIGHT * len(lines) + 10,
    )


def arranged(plots: Sequence[Chart]) -> list[Block]:
    """Plots beside each other if the names of their lines are short enough, else one below the other."""
    names = (part for chart in plots for row in chart.data["means"] for part in str(row["line"]).split(charts.PARTED))
    longest = max(map(len, names), default=0)
    return [SideBySide(tuple(plots))] if len(plots) > 1 and longest <= SHORT_LINE else list(plots)
