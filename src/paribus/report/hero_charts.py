"""The charts that a report opens with: direct labels in place of legends, as wide as the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from paribus.report.charts import TICKS, arm_colour, interval_tip, laid
from paribus.report.palette import arm_dashes

ROW = 38
LABEL_WIDTH = 160
"""Pixels to the right of curves that their labels need."""


def labelled_curves(
    arms: Sequence[str], *, y: str, last: int, domain: tuple[float, float], height: int
) -> alt.LayerChart:
    """Means over epochs with bands, each curve named at its end, its peak marked.

    Data set `curves` has arm, epoch, mean, lo, hi; `labels` has arm, epoch, at (where the text stands), value, text;
    `peaks` has arm, epoch, value, text.
    """
    across = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=alt.Axis(format=",d", grid=False, tickCount=8),
    )
    up: dict[str, Any] = {
        "scale": alt.Scale(domain=list(domain), nice=False, zero=False),
        "axis": alt.Axis(format="~%", tickCount=6),
        "title": y,
    }
    colour = arm_colour(arms)
    dash = alt.StrokeDash("arm:N", scale=alt.Scale(domain=list(arms), range=arm_dashes(len(arms))), legend=None)
    base = alt.Chart(alt.NamedData("curves"), height=height)
    band = base.mark_area(opacity=0.15, clip=True).encode(x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour)
    line = base.mark_line(strokeWidth=2, clip=True).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, strokeDash=dash
    )
    names = (
        alt.Chart(alt.NamedData("labels"), height=height)
        .mark_text(align="left", dx=6, fontSize=12, fontWeight=600)
        .encode(x=across, y=alt.Y("at:Q", **up), text="text:N", color=colour)
    )
    peaks = alt.Chart(alt.NamedData("peaks"), height=height).encode(x=across, y=alt.Y("value:Q", **up), color=colour)
    dots = peaks.mark_point(filled=True, size=70, opacity=1).encode(
        tooltip=["arm:N", "epoch:Q", alt.Tooltip("value:Q", format=".2%")]
    )
    return _with_room(laid(band, line, dots, names))


def interaction(lines: Sequence[str], levels: Sequence[str], *, x: str, y: str, percent: bool) -> alt.LayerChart:
    """The mean of each combination of two factors' levels with its interval: a line for each level of one factor.

    Data set `means` has level, line, mean, lo, hi, n; `ends` has level, line, at, text.
    """
    across = alt.X(
        "level:N",
        sort=list(levels),
        title=x,
        scale=alt.Scale(type="point", padding=0.5),
        axis=alt.Axis(labelAngle=0, grid=False),
    )
    up: dict[str, Any] = {
        "scale": alt.Scale(zero=False, padding=12, nice=False),
        "axis": alt.Axis(format="~%" if percent else TICKS, tickCount=6),
        "title": y,
    }
    colour = alt.Color("line:N", scale=alt.Scale(domain=list(lines), range="category"), legend=None)
    height = 320
    base = alt.Chart(alt.NamedData("means"), height=height)
    line = base.mark_line(strokeWidth=2).encode(x=across, y=alt.Y("mean:Q", **up), color=colour)
    bars = base.mark_rule(strokeWidth=2).encode(x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour)
    number = ".2%" if percent else ".4g"
    tip = ["line:N", "level:N", *interval_tip(number), "n:Q"]
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, tooltip=tip
    )
    names = (
        alt.Chart(alt.NamedData("ends"), height=height)
        .mark_text(align="left", dx=10, fontSize=12, fontWeight=600)
        .encode(x=across, y=alt.Y("at:Q", **up), text="text:N", color=colour)
    )
    return _with_room(laid(line, bars, dots, names))


def cost(arms: Sequence[str], *, x: str, y: str, log: bool, percent: bool, low: float, high: float) -> alt.LayerChart:
    """What arms reach against what they cost: the mean with its interval, as large as the network, named beside it.

    Data set `arms` has arm, cost, mean, lo, hi, parameters, text, and whether its name is to the `left` of its dot.
    The axis of cost runs from `low` to `high`.
    """
    across: dict[str, Any] = {
        "scale": alt.Scale(type="log" if log else "linear", domain=[low, high], nice=False, zero=False),
        "title": x,
        "axis": alt.Axis(format=TICKS, grid=False, tickCount=6),
    }
    up: dict[str, Any] = {
        "scale": alt.Scale(zero=False, padding=14, nice=False),
        "axis": alt.Axis(format="~%" if percent else TICKS, tickCount=6),
        "title": y,
    }
    base = alt.Chart(alt.NamedData("arms"), height=320).encode(x=alt.X("cost:Q", **across), color=arm_colour(arms))
    number = ".2%" if percent else ".4g"
    tip = [
        "arm:N",
        alt.Tooltip("cost:Q", format=".3s", title=x),
        *interval_tip(number),
        alt.Tooltip("parameters:Q", format=","),
    ]
    bars = base.mark_rule(strokeWidth=2.5).encode(y=alt.Y("lo:Q", **up), y2="hi:Q")
    dots = base.mark_point(filled=True, opacity=1).encode(
        y=alt.Y("mean:Q", **up),
        size=alt.Size("parameters:Q", scale=alt.Scale(range=[80, 500], zero=False), legend=None),
        tooltip=tip,
    )
    names = [
        base.transform_filter(alt.datum.left == left)
        .mark_text(align="right" if left else "left", dx=-16 if left else 16, fontSize=12, fontWeight=600)
        .encode(y=alt.Y("mean:Q", **up), text="text:N")
        for left in (False, True)
    ]
    return laid(bars, dots, *names)


def forest(arms: Sequence[str], order: Sequence[str], *, x: str) -> alt.LayerChart:
    """Differences from the control on one axis, with their intervals and every replicate, as a row for each arm.

    Data set `forest` has arm, mean, lo, hi, n; `replicates` has arm, replicate, difference.
    """
    across: dict[str, Any] = {
        "scale": alt.Scale(zero=True, padding=16, nice=False),
        "title": x,
        "axis": alt.Axis(format=TICKS, grid=False, tickCount=7),
    }
    down = alt.Y("arm:N", sort=list(order), title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    height = ROW * len(order) + 10
    base = alt.Chart(alt.NamedData("forest"), height=height)
    zero = base.mark_rule(style="faint", strokeDash=[3, 3]).encode(x=alt.datum(0, **across))
    difference = alt.Tooltip("difference:Q", format="+.4g")
    each = (
        alt.Chart(alt.NamedData("replicates"), height=height)
        .mark_point(style="faint", size=36, strokeWidth=1.2, opacity=0.75)
        .encode(x=alt.X("difference:Q", **across), y=down, tooltip=["arm:N", "replicate:O", difference])
    )
    colour = arm_colour(arms)
    bar = base.mark_rule(strokeWidth=3.5).encode(x=alt.X("lo:Q", **across), x2="hi:Q", y=down, color=colour)
    tip = ["arm:N", *interval_tip("+.4g"), "n:Q"]
    dot = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=alt.X("mean:Q", **across), y=down, color=colour, tooltip=tip
    )
    return laid(zero, each, bar, dot)


def _with_room(chart: alt.LayerChart) -> alt.LayerChart:
    """A chart with room to its right for labels."""
    chart.padding = {"left": 5, "top": 8, "bottom": 5, "right": LABEL_WIDTH}
    return chart
