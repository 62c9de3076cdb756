"""Charts of two numbers for each example: decision regions, predicted against true numbers, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from paribus.report.charts import laid
from paribus.report.class_charts import chosen, titled

HEIGHT = 320
_PLAIN_NUMBER = (
    "abs(datum.value) >= 1e7 || (datum.value != 0 && abs(datum.value) < 1e-4) "
    "? format(datum.value, '~e') : format(datum.value, ',~r')"
)
"""200,000 and 0.05, and powers of ten beyond: `~g` would write 2e+5."""
LEVEL_OPACITY = (0.14, 0.26, 0.4, 0.55)


def regions(classes: Sequence[str], *, x: str, y: str) -> alt.LayerChart:
    """The class of each part of a plane, the stronger in colour the more confident, and examples on it.

    Data set `stretches` has left, right, low, high, class, level (0 to 3); `points` has row, x, y, class, predicted,
    wrong. Wrong examples have a ring.
    """
    across: dict[str, Any] = {
        "scale": alt.Scale(zero=False, nice=False),
        "title": x,
        "axis": alt.Axis(grid=False, tickCount=6),
    }
    up: dict[str, Any] = {"scale": alt.Scale(zero=False, nice=False), "title": y, "axis": alt.Axis(grid=False)}
    colour = alt.Color(
        "class:N",
        scale=alt.Scale(domain=list(classes), range="category"),
        legend=alt.Legend(orient="top", title=None, columns=3, symbolType="circle", symbolOpacity=1),
    )
    strength = alt.Opacity("level:O", scale=alt.Scale(domain=[0, 1, 2, 3], range=list(LEVEL_OPACITY)), legend=None)
    ground = (
        alt.Chart(alt.NamedData("stretches"), height=HEIGHT)
        .mark_rect()
        .encode(
            x=alt.X("left:Q", **across),
            x2="right:Q",
            y=alt.Y("low:Q", **up),
            y2="high:Q",
            color=colour,
            opacity=strength,
        )
    )
    tip = ["row:Q", alt.Tooltip("class:N", title="true class"), alt.Tooltip("predicted:N", title="predicted as")]
    points = alt.Chart(alt.NamedData("points"), height=HEIGHT).encode(
        x=alt.X("x:Q", **across), y=alt.Y("y:Q", **up), tooltip=tip
    )
    dots = points.mark_circle(size=28, opacity=1).encode(color=colour)
    rings = points.transform_filter("datum.wrong").mark_point(style="ink", size=80, strokeWidth=1.75, opacity=1)
    return laid(ground, dots, rings)


def scatter(arms: Mapping[str, str], *, x: str, y: str) -> alt.LayerChart:
    """Examples as points, for one arm at a time (`arms` by key), beside a line.

    Data set `points` has arm, key, row, x, y; `line` has x, y, x2, y2.
    """
    points = (
        alt.Chart(alt.NamedData("points"), height=HEIGHT)
        .transform_filter(chosen(arms))
        .mark_circle(size=26, opacity=0.55, style="ink")
        .encode(
            x=alt.X("x:Q", **_axis(x)),
            y=alt.Y("y:Q", **_axis(y)),
            tooltip=[
                "arm:N",
                "row:Q",
                alt.Tooltip("x:Q", title=x, format=".5~g"),
                alt.Tooltip("y:Q", title=y, format=".5~g"),
            ],
        )
    )
    return titled(laid(points.add_params(alt.param(name="only", value="")), _line(x, y)), arms)


def binned(arms: Mapping[str, str], *, x: str, y: str) -> alt.LayerChart:
    """`scatter` of many examples: their number in each cell of a grid.

    Data set `cells` has arm, key, left, right, low, high, count; `line` as for `scatter`.
    """
    cells = (
        alt.Chart(alt.NamedData("cells"), height=HEIGHT)
        .transform_filter(chosen(arms))
        .mark_rect()
        .encode(
            x=alt.X("left:Q", **_axis(x)),
            x2="right:Q",
            y=alt.Y("low:Q", **_axis(y)),
            y2="high:Q",
            color=alt.Color("count:Q", scale=alt.Scale(range=["#8ab8d855", "#0072B2"], type="log"), legend=None),
            tooltip=["arm:N", alt.Tooltip("count:Q", format=",")],
        )
    )
    return titled(laid(cells.add_params(alt.param(name="only", value="")), _line(x, y)), arms)


def _line(x: str, y: str) -> alt.Chart:
    return (
        alt.Chart(alt.NamedData("line"), height=HEIGHT)
        .mark_rule(style="faint", strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q", **_axis(x)), y=alt.Y("y:Q", **_axis(y)), x2="x2:Q", y2="y2:Q")
    )


def _axis(title: str) -> dict[str, Any]:
    return {
        "scale": alt.Scale(zero=False, nice=False, padding=6),
        "title": title,
        "axis": alt.Axis(labelExpr=_PLAIN_NUMBER, tickCount=6),
    }
