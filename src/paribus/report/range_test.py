"""A learning-rate range test in its report: every arm's training loss against the growing rate."""

from __future__ import annotations

from typing import Any

import altair as alt

from paribus.analysis.range_answers import range_sentences, rules_in_words, suggested
from paribus.analysis.range_test import RULES, RangeTest, range_tests
from paribus.analysis.results import Results
from paribus.report import charts
from paribus.report.blocks import Chart, Record, Section
from paribus.report.palette import arm_dashes
from paribus.report.tabulate import arm, table, value

HEIGHT = 340
LOG_FROM = 3.0
"""Losses whose largest is this many times the smallest stand on a logarithmic axis."""
MOST_SHOWN = 4.0
"""Losses above this many times the first one are cut off: beyond it, a diverging loss leaves no room for the rest."""


def section(results: Results) -> Section | None:
    """What each rule suggests; None for another study."""
    tests = range_tests(results)
    if not tests:
        return None
    records = [record_of(test) for test in tests]
    columns = [
        arm(results.arms),
        *(value(rule, rule, "rate") for rule in RULES),
        value("unstable from", "unstable", "rate"),
        value("constant from", "collapsed", "rate"),
        value("replicates", "replicates", "count"),
    ]
    shown = [{key: _rounded(entry) for key, entry in record.items()} for record in records]
    suggestions = table("lr-range", "Suggested learning rates", columns, shown, note=rules_in_words())
    return Section("lr-range", "Learning-rate range test", (suggestions,), lead=(" ".join(range_sentences(results)),))


def record_of(test: RangeTest) -> Record:
    """A line of the table: the rate that each rule suggests, and where the regions begin."""
    by_rule = {rule: test.suggestion(rule) for rule in RULES}
    regions = {"unstable": test.unstable, "collapsed": test.collapsed}
    return {"arm": test.arm, **by_rule, **regions, "replicates": test.replicates}


def _rounded(entry: Any) -> Any:
    return float(f"{entry:.2g}") if isinstance(entry, float) else entry


def hero(results: Results) -> Chart | None:
    """All arms in one chart; None for another study.

    Data set `curves` has arm, key, rate, mean, lo, hi; `regions` has arm, key, kind, rate, where a region begins;
    `marks` has arm, key, rate, loss, rule, what is suggested.
    """
    tests = range_tests(results)
    if not tests:
        return None
    limit = MOST_SHOWN * max(float(test.mean[0]) for test in tests)
    curves = [row for test in tests for row in curve_rows(results, test, limit)]
    regions = [
        {"arm": test.arm, "key": _key(results, test), "kind": kind, "rate": rate}
        for test in tests
        for kind, rate in (("unstable", test.unstable), ("no better than a constant", test.collapsed))
        if rate is not None
    ]
    marks: list[Record] = []
    for test in tests:
        found, rule = suggested(test)
        if found is not None:
            loss = min(limit, _loss_at(test, found))
            marks.append({"arm": test.arm, "key": _key(results, test), "rate": found, "loss": loss, "rule": rule})
    lows = [float(row["lo"]) for row in curves]
    log = min(lows) > 0 and max(float(row["hi"]) for row in curves) > LOG_FROM * min(lows)
    note = (
        "Mean training loss over replicates, the band from the lowest to the highest. Dots: the suggested rates. "
        "Vertical lines, dashed: from there on some replicate is unstable; dotted: no better than a constant output."
    )
    return charts.figure(
        "lr-range",
        "Training loss against a growing learning rate",
        _drawn(results.arms, "training loss (log scale)" if log else "training loss", log=log),
        {"curves": curves, "regions": regions, "marks": marks},
        " ".join(range_sentences(results)),
        note=note,
        height=HEIGHT,
        legend=charts.arm_keys(results.arms, [test.arm for test in tests]) if len(tests) > 1 else (),
    )


def curve_rows(results: Results, test: RangeTest, limit: float) -> list[Record]:
    """An arm's curve and band, cut off at `limit`."""
    return [
        {
            "arm": test.arm,
            "key": _key(results, test),
            "rate": float(rate),
            "mean": min(limit, float(mean)),
            "lo": min(limit, float(low)),
            "hi": min(limit, float(high)),
        }
        for rate, mean, low, high in zip(test.rates, test.mean, test.low, test.high, strict=True)
    ]


def _key(results: Results, test: RangeTest) -> str:
    return f"a{results.arms.index(test.arm)}"


def _loss_at(test: RangeTest, rate: float) -> float:
    """The mean loss at the tested rate nearest to one."""
    distances = [abs(float(tested) / rate - 1) for tested in test.rates]
    return float(test.mean[distances.index(min(distances))])


def _drawn(arms: tuple[str, ...], y: str, *, log: bool) -> alt.LayerChart:
    across = alt.X(
        "rate:Q",
        title="learning rate (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=8),
        axis=alt.Axis(format=".0e", grid=False, tickCount=7),
    )
    form: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    up: dict[str, Any] = {
        "title": y,
        "scale": alt.Scale(nice=False, padding=10, **form),
        "axis": alt.Axis(format="~g", tickCount=6),
    }
    colour, pale = charts.arm_colour(arms), charts.shown_or_pale
    dash = alt.StrokeDash("arm:N", scale=alt.Scale(domain=list(arms), range=arm_dashes(len(arms))), legend=None)
    base = alt.Chart(alt.NamedData("curves"), height=HEIGHT)
    band = base.mark_area().encode(x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour, opacity=pale(0.2))
    line = base.mark_line(strokeWidth=1.75).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, strokeDash=dash, opacity=pale(1.0)
    )
    regions = alt.Chart(alt.NamedData("regions"), height=HEIGHT)
    rules = [
        regions.transform_filter(f"datum.kind == '{kind}'")
        .mark_rule(strokeDash=strokes, strokeWidth=1.5)
        .encode(
            x=across, color=colour, opacity=pale(0.8), tooltip=["arm:N", "kind:N", alt.Tooltip("rate:Q", format=".2g")]
        )
        for kind, strokes in (("unstable", [7, 4]), ("no better than a constant", [2, 3]))
    ]
    dots = (
        alt.Chart(alt.NamedData("marks"), height=HEIGHT)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=across,
            y=alt.Y("loss:Q", **up),
            color=colour,
            opacity=pale(1.0),
            tooltip=["arm:N", "rule:N", alt.Tooltip("rate:Q", format=".2g")],
        )
    )
    return charts.laid(band.add_params(alt.param(name="only", value="")), line, *rules, dots)
