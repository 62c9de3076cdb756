"""Charts of what classifiers give for single examples: confusion matrices, scores by class, confidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from paribus.report.charts import arm_colour, laid, shown_or_pale

WIDE_CELL = 34
NARROW_CELL = 24
FEW_CLASSES = 10
LEAST_HEIGHT = 150


def cell_height(classes: int) -> int:
    """The height of a row of a confusion matrix, in CSS pixels."""
    return max(WIDE_CELL if classes <= FEW_CLASSES else NARROW_CELL, LEAST_HEIGHT // classes)


def confusion(classes: Sequence[str], arms: Mapping[str, str]) -> alt.LayerChart:
    """How examples of each true class are classified, in per cent of that class, for one arm at a time.

    `arms` has the names of the arms by key; the first one is shown until the parameter `only` names another. Data set
    `confusion` has arm, key, true, predicted, share (fraction), count, label (what the cell shows). The labels are left
    out where cells are too narrow for them.
    """
    names, height = list(classes), cell_height(len(classes)) * len(classes)
    base = (
        alt.Chart(alt.NamedData("confusion"), height=height)
        .transform_filter(chosen(arms))
        .encode(
            x=alt.X("predicted:N", sort=names, title="predicted", axis=alt.Axis(labelAngle=-40, grid=False)),
            y=alt.Y("true:N", sort=names, title="true", axis=alt.Axis(grid=False)),
        )
    )
    shade = alt.Scale(domain=[0, 1], range=["#8ab8d800", "#0072B2"], type="sqrt")
    tip = [
        "arm:N",
        "true:N",
        "predicted:N",
        alt.Tooltip("share:Q", format=".2%"),
        alt.Tooltip("count:Q", format=",.1~f", title="examples per replicate"),
    ]
    cells = base.mark_rect().encode(color=alt.Color("share:Q", legend=None, scale=shade), tooltip=tip)
    roomy = alt.expr("bandwidth('x') < 26 ? 0 : 1")
    plain = base.transform_filter("datum.share < 0.45").mark_text(style="words", fontSize=11, opacity=roomy)
    light = base.transform_filter("datum.share >= 0.45").mark_text(
        color="white", fontSize=11, fontWeight=600, opacity=roomy
    )
    text = alt.Text("label:N")
    cells = cells.add_params(alt.param(name="only", value=""))
    return titled(laid(cells, plain.encode(text=text), light.encode(text=text)), arms)


def class_scores(arms: Sequence[str], shown: Sequence[str], classes: Sequence[str], *, x: str) -> alt.LayerChart:
    """One score by class and arm: the mean over replicates in its sampling interval, and every replicate.

    Data set `scores` has arm, key, class, mean, low, high, examples; `replicates` has arm, key, class, replicate and
    value.
    """
    height = score_height(len(classes), len(shown))
    across: dict[str, Any] = {
        "scale": alt.Scale(zero=False, padding=8, nice=False),
        "title": x,
        "axis": alt.Axis(format="~%", tickCount=6),
    }
    down = alt.Y("class:N", sort=list(classes), title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    offset = alt.YOffset("arm:N", scale=alt.Scale(domain=list(shown), paddingInner=0.2, paddingOuter=0.4))
    colour, shares = arm_colour(arms), ".1%"
    base = alt.Chart(alt.NamedData("scores"), height=height)
    tip = [
        "arm:N",
        "class:N",
        alt.Tooltip("mean:Q", format=shares),
        alt.Tooltip("low:Q", format=shares, title="from"),
        alt.Tooltip("high:Q", format=shares, title="to"),
        alt.Tooltip("examples:Q", format=",.1~f"),
    ]
    interval = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", **across), x2="high:Q", y=down, yOffset=offset, color=colour, opacity=shown_or_pale(0.55)
    )
    interval = interval.add_params(alt.param(name="only", value=""))
    mean = base.mark_tick(thickness=3, size=9).encode(
        x=alt.X("mean:Q", **across), y=down, yOffset=offset, color=colour, tooltip=tip, opacity=shown_or_pale(1.0)
    )
    each = (
        alt.Chart(alt.NamedData("replicates"), height=height)
        .mark_point(size=18, strokeWidth=1)
        .encode(
            x=alt.X("value:Q", **across),
            y=down,
            yOffset=offset,
            color=colour,
            tooltip=["arm:N", "class:N", "replicate:O", alt.Tooltip("value:Q", format=shares)],
            opacity=shown_or_pale(0.9),
        )
    )
    return laid(interval, each, mean)


def score_height(classes: int, arms: int) -> int:
    """The height of `class_scores`, in CSS pixels."""
    return classes * max(24, 10 + 9 * arms)


def reliability(arms: Sequence[str]) -> alt.LayerChart:
    """Accuracy against confidence, a line for each arm, beside the diagonal on which the two agree.

    Data set `bins` has arm, key, confidence, accuracy, low, high, examples; `errors` has arm, key, mean.
    """
    whole = alt.Scale(domain=[0, 1], nice=False)
    percent = alt.Axis(format="~%", tickCount=6)
    across: dict[str, Any] = {
        "scale": whole,
        "axis": percent,
        "title": "confidence",
    }
    up: dict[str, Any] = {"scale": whole, "axis": percent, "title": "share that is right"}
    colour = arm_colour(arms)
    diagonal = (
        alt.Chart(alt.NamedData("errors"), height=300)
        .mark_rule(style="faint", strokeDash=[3, 3])
        .encode(x=alt.datum(0, **across), y=alt.datum(0, **up), x2=alt.datum(1), y2=alt.datum(1))
    )
    base = alt.Chart(alt.NamedData("bins"), height=300).encode(x=alt.X("confidence:Q", **across), color=colour)
    interval = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", **up), y2="high:Q", opacity=shown_or_pale(0.45))
    line = base.mark_line(strokeWidth=1.75).encode(y=alt.Y("accuracy:Q", **up), opacity=shown_or_pale(1.0))
    tip = [
        "arm:N",
        *(alt.Tooltip(f"{key}:Q", format=".1%") for key in ("confidence", "accuracy")),
        alt.Tooltip("examples:Q", format=",.1~f", title="examples per replicate"),
    ]
    size = alt.Size("examples:Q", scale=alt.Scale(type="sqrt", range=[14, 130]), legend=None)
    points = base.mark_point(filled=True).encode(
        y=alt.Y("accuracy:Q", **up), size=size, tooltip=tip, opacity=shown_or_pale(0.9)
    )
    return laid(diagonal.add_params(alt.param(name="only", value="")), interval, line, points)


def confidence(arms: Mapping[str, str]) -> alt.LayerChart:
    """How many examples are right and how many are wrong in each bin of confidence, for one arm at a time.

    `arms` as for `confusion`. Data set `confidence` has arm, key, low, high, inner_low, inner_high (a narrower bar in
    the same bin), right, wrong.
    """
    base = alt.Chart(alt.NamedData("confidence"), height=300).transform_filter(chosen(arms))
    across: dict[str, Any] = {
        "scale": alt.Scale(domain=[0, 1], nice=False),
        "axis": alt.Axis(format="~%", tickCount=6, grid=False),
        "title": "confidence",
    }
    up: dict[str, Any] = {
        "scale": alt.Scale(type="sqrt", nice=False),
        "axis": alt.Axis(format=",~f", tickCount=5),
        "title": "examples per replicate (square-root scale)",
    }
    tip = [
        "arm:N",
        *(alt.Tooltip(f"{key}:Q", format=".1%", title=title) for key, title in (("low", "above"), ("high", "up to"))),
        *(alt.Tooltip(f"{key}:Q", format=",.1~f") for key in ("right", "wrong")),
    ]
    right = base.mark_bar(style="line", opacity=1).encode(
        x=alt.X("low:Q", **across), x2="high:Q", y=alt.Y("right:Q", **up), y2=alt.datum(0), tooltip=tip
    )
    wrong = base.mark_bar(style="ink", opacity=0.8).encode(
        x=alt.X("inner_low:Q", **across), x2="inner_high:Q", y=alt.Y("wrong:Q", **up), y2=alt.datum(0), tooltip=tip
    )
    return titled(laid(right.add_params(alt.param(name="only", value="")), wrong), arms)


def titled(chart: alt.LayerChart, arms: Mapping[str, str]) -> alt.LayerChart:
    """A chart of one arm at a time with the name of that arm above it, where there are several."""
    if len(arms) < 2:
        return chart
    names, first = json.dumps(dict(arms)), json.dumps(next(iter(arms.values())))
    words = alt.expr(f"({names})[only] || {first}")
    return chart.properties(title=alt.TitleParams(text=words, anchor="start"))


def chosen(arms: Mapping[str, str]) -> str:
    """The filter of a chart of one arm at a time: the arm that `only` names, or the first of `arms` by key."""
    keys = json.dumps(list(arms))
    return f"datum.key == (indexof({keys}, only) < 0 ? {keys}[0] : only)"
