"""Results against the learning rate, with the rates at which training is unstable or collapses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from paribus.analysis.estimates import estimate
from paribus.analysis.rate_answers import sentences, thresholds_in_words
from paribus.analysis.rates import Sweep, rate_sweeps
from paribus.analysis.results import Results
from paribus.analysis.wording import capital, label, quantity
from paribus.report import charts
from paribus.report.blocks import Block, Cell, Chart, Record, Section, SideBySide, Table
from paribus.report.tabulate import Column, estimated, mean_and_sd, table, text, value
from paribus.spec.metrics import metric_named

HEIGHT = 320
LOG_FROM = 3.0
"""A metric whose largest value is this many times its smallest gets a logarithmic axis."""


def hero(results: Results) -> Block | None:
    """A chart for each sweep of the learning rate, beside each other; None for a study without a sweep."""
    drawn = [chart(results, sweep, place) for place, sweep in enumerate(rate_sweeps(results))]
    shown = tuple(block for block in drawn if block is not None)
    return SideBySide(shown) if len(shown) > 1 else next(iter(shown), None)


def section(results: Results) -> Section | None:
    """What the charts say, and the table that they are drawn from."""
    sweeps = rate_sweeps(results)
    if not sweeps:
        return None
    leads = " ".join(line for sweep in sweeps for line in sentences(sweep)), thresholds_in_words()
    return Section("rates", "Results against the learning rate", (_table(sweeps),), lead=leads)


def chart(results: Results, sweep: Sweep, place: int = 0) -> Chart | None:
    """One sweep: every replicate, the means, the bad regions, the chosen rate, and PCA's error where there is one.

    Data sets: `runs` has rate, replicate, value; `means` has rate, mean; `regions` has kind, low, high; `marks` has
    rate, label; `bounds` has value, label. None where no run has a value.
    """
    runs = runs_of(results, sweep)
    if not runs:
        return None
    metric, regions, bounds = metric_named(sweep.metric), region_bands(sweep), _bounds(results, sweep)
    means = [{"rate": p.rate, "mean": p.estimate.mean} for p in sweep.points if p.estimate.mean is not None]
    point = sweep.point(sweep.chosen)
    marks = [] if point is None else [{"rate": point.rate, "label": f"chosen: {point.rate:g}"}]
    values = [float(row["value"]) for row in runs]
    log = not metric.is_share and min(values) > 0 and max(values) > LOG_FROM * min(values)
    name = f": {sweep.name}" if sweep.name else ""
    data = {"runs": runs, "means": means, "regions": regions, "marks": marks, "bounds": bounds}
    return charts.figure(
        f"rates-{place}",
        f"{capital(label(sweep.metric))} against the learning rate{name}",
        _drawn(f"{label(sweep.metric)}{' (log scale)' if log else ''}", data, log=log, percent=metric.is_share),
        data,
        " ".join(sentences(sweep)),
        note=_note(regions, marks, bounds),
        height=HEIGHT,
    )


def runs_of(results: Results, sweep: Sweep) -> list[Record]:
    """Every run of a sweep that has a value: arm, rate, replicate, value."""
    return [
        {"arm": point.arm, "rate": point.rate, "replicate": replicate, "value": found}
        for point in sweep.points
        for replicate, found in zip(results.study.replicates.indices, point.estimate.values, strict=True)
        if found is not None
    ]


def region_bands(sweep: Sweep) -> list[Record]:
    """The bad regions as bands, on a logarithmic axis: from halfway to the rate before to halfway to the rate after."""
    rates = [point.rate for point in sweep.points]
    return [
        {
            "kind": region.kind,
            "low": _between(rates, rates.index(region.low), -1),
            "high": _between(rates, rates.index(region.high), 1),
        }
        for region in sweep.regions()
    ]


def _between(rates: Sequence[float], at: int, step: int) -> float:
    """The geometric mean of a rate and its neighbour; at an end, as far beyond it as its other neighbour is away."""
    if 0 <= at + step < len(rates):
        return math.sqrt(rates[at] * rates[at + step])
    return rates[at] * math.sqrt(rates[at] / rates[at - step])


def _bounds(results: Results, sweep: Sweep) -> list[Record]:
    """The error of PCA of the same rank, for autoencoders."""
    if sweep.metric != "mse":
        return []
    values = [v for p in sweep.points for v in results.values(p.arm, results.deploy(p.arm), "pca_mse")]
    found = estimate(values).mean
    return [] if found is None else [{"value": found, "label": f"PCA of the same rank: {quantity('mse', found)}"}]


def _note(regions: Sequence[Record], marks: Sequence[Record], bounds: Sequence[Record]) -> str:
    parts = ["Circles are runs, the line connects the means"]
    parts += ["shaded: rates with a run that is unstable or has collapsed"] if regions else []
    parts += ["vertical line: the chosen rate"] if marks else []
    parts += [f"dashed: {bounds[0]['label']}"] if bounds else []
    return "; ".join(parts) + "."


def _drawn(y: str, data: dict[str, list[Record]], *, log: bool, percent: bool) -> alt.LayerChart:
    along: dict[str, Any] = {
        "title": "learning rate (log scale)",
        "scale": alt.Scale(type="log", nice=False, padding=10),
        "axis": alt.Axis(format=".0e", grid=False, tickCount=6),
    }
    across, low = alt.X("rate:Q", **along), alt.X("low:Q", **along)
    form: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    up: dict[str, Any] = {
        "title": y,
        "scale": alt.Scale(nice=False, padding=12, **form),
        "axis": alt.Axis(format="~%" if percent else charts.TICKS, tickCount=6),
    }
    shown = ".2%" if percent else ".4g"
    runs, means, regions = (alt.Chart(alt.NamedData(name), height=HEIGHT) for name in ("runs", "means", "regions"))
    band = regions.mark_rect(style="line", opacity=0.5).encode(x=low, x2="high:Q", tooltip=["kind:N"])
    words = regions.mark_text(style="words", align="left", baseline="top", dx=3, dy=2, fontSize=11).encode(
        x=low, y=alt.value(0), text="kind:N"
    )
    line = means.mark_line(style="ink", strokeWidth=1.75).encode(x=across, y=alt.Y("mean:Q", **up))
    each = runs.mark_point(style="ink", size=45, strokeWidth=1.5, opacity=0.75).encode(
        x=across,
        y=alt.Y("value:Q", **up),
        tooltip=["arm:N", alt.Tooltip("rate:Q", format=".2g"), "replicate:O", alt.Tooltip("value:Q", format=shown)],
    )
    layers = [*([band, words] if data["regions"] else []), line, each]
    if data["bounds"]:
        bound = alt.Chart(alt.NamedData("bounds"), height=HEIGHT)
        at = alt.Y("value:Q", **up)
        layers.append(bound.mark_rule(style="ink", strokeDash=[5, 4]).encode(y=at, tooltip=["label:N"]))
    if data["marks"]:
        chosen = alt.Chart(alt.NamedData("marks"), height=HEIGHT)
        layers.append(chosen.mark_rule(style="ink", strokeWidth=1.5, opacity=0.7).encode(x=across, tooltip=["label:N"]))
    return charts.laid(*layers)


def _table(sweeps: Sequence[Sweep]) -> Table:
    records = [
        {
            "sweep": sweep.name,
            "arm": point.arm,
            "lr": point.rate,
            **estimated("result", point.estimate),
            "n": point.n,
            "diverged": point.diverged,
            "unstable": point.unstable,
            "collapsed": point.collapsed,
            "chosen": point.arm == sweep.chosen,
        }
        for sweep in sweeps
        for point in sweep.points
    ]
    metric = metric_named(sweeps[0].metric)
    columns = [
        *([text("sweep", "sweep")] if len(sweeps) > 1 else []),
        value("learning rate", "lr", "rate"),
        mean_and_sd(metric.label, "result", metric.form),
        *(value(name, name, "count") for name in ("diverged", "unstable", "collapsed")),
        Column("", lambda r: Cell("chosen" if r["chosen"] else "", strong=True)),
    ]
    return table("rates", "Every learning rate", columns, records, note=thresholds_in_words(), fold=True)
