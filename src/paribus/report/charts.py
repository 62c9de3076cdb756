"""Charts as Altair objects over named tables: the page inlines the tables, a notebook or a test may pass its own.

Colours come from the theme (`range.category`, in the order of the study's arms), so that one specification serves light
and dark paper. Legends are the page's, where they can wrap: a chart listens to the parameter `only`, the key of the one
arm to show ("a0" for the study's first; empty for all). `figure` turns a chart and its tables into a block of a report.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt

from paribus.analysis.wording import rule_name
from paribus.report.blocks import Chart, Key, Record
from paribus.report.palette import GLYPHS, SHAPES, arm_dashes

FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
LINE_HEIGHT = 34
TICKS = ",~r"
"""How an axis writes plain numbers: 400 and 42,000, which d3's `g` writes as 4e+2 and 4.2e+4, and 0.0042."""
PARTED = " · "
"""Between an arm and a rule in the name of a line, which is then written as two lines."""
_ONE_OR_ALL = "only == '' || datum.key == only"


def figure(
    name: str,
    title: str,
    chart: alt.LayerChart,
    data: Mapping[str, Sequence[Record]],
    alt_text: str,
    *,
    note: str = "",
    height: int = 300,
    legend: Sequence[Key] = (),
    one_at_a_time: bool = False,
    hint: str = "",
    names_inside: bool = False,
) -> Chart:
    """A chart with the tables that it names, as a block. The last three arguments are those of `Chart`."""
    spec: dict[str, Any] = chart.to_dict()
    for key in ("$schema", "config"):
        spec.pop(key, None)
    return Chart(
        name,
        title,
        spec,
        data,
        alt_text,
        note=note,
        height=height,
        legend=tuple(legend),
        one_at_a_time=one_at_a_time,
        hint=hint,
        names_inside=names_inside,
    )


def theme(colours: Sequence[str], *, ink: str, faint: str, line: str, family: str = FAMILY) -> dict[str, Any]:
    """Vega's configuration for one ground: text, rules and the arms' colours; `family` names the fonts."""
    return {
        "background": "transparent",
        "font": family,
        "range": {"category": list(colours)},
        "view": {"stroke": None},
        "axis": {
            "labelColor": faint,
            "titleColor": ink,
            "labelFont": family,
            "titleFont": family,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "gridColor": line,
            "domainColor": line,
            "tickColor": line,
            "labelLimit": 620,
            "titleLimit": 900,
        },
        "axisXQuantitative": {"labelBound": 4},  # else the last label may be cut where the drawing ends
        "text": {"color": ink, "font": family},
        "title": {"color": ink, "font": family, "fontSize": 13, "fontWeight": 600, "offset": 8},
        "legend": {"labelColor": ink, "labelFont": family, "labelFontSize": 12, "symbolSize": 90, "labelLimit": 200},
        "style": {
            "ink": {"color": ink, "stroke": ink},
            "words": {"fill": ink},
            "line": {"color": line, "stroke": line},
            "faint": {"color": faint, "stroke": faint},
        },
    }


def arm_keys(arms: Sequence[str], shown: Sequence[str]) -> list[Key]:
    """The legend's lines for the arms that a chart shows."""
    return [Key(name, arm=arms.index(name)) for name in shown]


def rule_keys(rules: Sequence[str], shown: Collection[str]) -> list[Key]:
    """The legend's lines for the marks at selected epochs; a rule has the same mark in every chart of a page."""
    return [Key(rule_name(rule), glyph=GLYPHS[i % len(GLYPHS)]) for i, rule in enumerate(rules) if rule in shown]


def curves(
    arms: Sequence[str],
    shown: Sequence[str],
    rules: Sequence[str],
    *,
    y: str,
    percent: bool = False,
    sized: bool = False,
    log: bool = False,
    domain: tuple[float, float] | None = None,
    height: int = 300,
    tails: bool = False,
) -> alt.LayerChart:
    """One metric over epochs: a line for each arm's mean, a band from its lowest to its highest replicate, and marks.

    A mark stands at every epoch that a selection rule chose.

    Data set `curves` has arm, key, epoch, mean, lo, hi; `marks` has arm, key, rule, replicate, epoch, value.
    `shown` are those of `arms` that the tables hold, `rules` all rules of the study in order, none where there is
    nothing to mark. With `tails`, data set `tails` has arm, key, replicate, epoch, value: single runs beyond the end of
    their arm's mean. `domain` bounds the axis at first sight. Numbers are shares in `percent`, or `sized`: of a unit of
    the user's, and so of any size.
    """
    value, ticks = _formats(percent=percent, sized=sized)
    form = _scale(log, domain=domain, padding=8)
    across = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(padding=8, nice=False),
        axis=alt.Axis(format=",d", grid=False, tickCount=8, tickMinStep=1),
    )
    up: dict[str, Any] = {"scale": form, "axis": alt.Axis(format=ticks, tickCount=6), "title": y}
    colour = arm_colour(arms)
    dash = alt.StrokeDash("arm:N", scale=alt.Scale(domain=list(arms), range=arm_dashes(len(arms))), legend=None)
    moved = alt.selection_interval(bind="scales", zoom="wheel![event.shiftKey]", name="moved")
    near = alt.selection_point(nearest=True, on="pointerover", clear="pointerout", fields=["epoch"], name="near")

    base = alt.Chart(alt.NamedData("curves"), height=height)
    band = base.mark_area(clip=True).encode(
        x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour, opacity=shown_or_pale(0.2)
    )
    line = base.mark_line(clip=True, strokeWidth=1.75).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, strokeDash=dash, opacity=shown_or_pale(1.0)
    )
    keys = [(f"a{arms.index(name)}", name) for name in shown]
    hover = (
        base.transform_pivot("key", value="mean", groupby=["epoch"])
        .mark_rule(strokeWidth=8)
        .encode(
            x=across,
            opacity=alt.condition(near, alt.value(0.15), alt.value(0), empty=False),
            # Numbers, not texts: Vega-Lite looks for texts in the wrong place where the nearest point is selected.
            tooltip=[alt.Tooltip("epoch:Q"), *(alt.Tooltip(f"{k}:Q", title=n, format=value) for k, n in keys)],
        )
    )
    layers = [band.add_params(alt.param(name="only", value=""), moved), line, hover.add_params(near)]
    if tails:
        rest = alt.Chart(alt.NamedData("tails"), height=height).mark_line(clip=True, strokeWidth=0.9)
        layers.append(
            rest.encode(
                x=across, y=alt.Y("value:Q", **up), color=colour, detail="replicate:N", opacity=shown_or_pale(0.7)
            )
        )
    if rules:
        layers.append(_marks(rules, colour, across, alt.Y("value:Q", **up), value))
    return laid(*layers)


def _marks(rules: Sequence[str], colour: alt.Color, x: alt.X, y: alt.Y, value: str) -> alt.Chart:
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(rules))]
    shape = alt.Shape("rule:N", scale=alt.Scale(domain=list(rules), range=shapes), legend=None)
    mark = alt.Chart(alt.NamedData("marks")).mark_point(filled=True, size=64, clip=True, strokeWidth=1)
    names = json.dumps({rule: rule_name(rule) for rule in rules})  # the table has the rules as study files write them
    return mark.transform_calculate(named=f"({names})[datum.rule]").encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        opacity=shown_or_pale(0.9),
        tooltip=[
            "arm:N",
            alt.Tooltip("named:N", title="selection rule"),
            "replicate:O",
            alt.Tooltip("epoch:Q"),
            alt.Tooltip("value:Q", format=value),
        ],
    )


def interval_tip(form: str) -> list[alt.Tooltip]:
    """What a tooltip says of a mean and its interval, from the fields mean, lo and hi."""
    titles = (("mean", "mean"), ("lo", "from"), ("hi", "to"))
    return [alt.Tooltip(f"{key}:Q", format=form, title=title) for key, title in titles]


def contrast(*, x: Sequence[str], by: float, low: float, high: float) -> alt.LayerChart:
    """A paired difference: the margin's band, each replicate, the mean and its interval, on [low, high].

    A margin below 0, of non-inferiority, is a line and no band.

    `x` is the axis' title line by line: a phone is too narrow for one.
    Data set `contrast` has one record: mean, lo, hi (equal to the mean without an interval); `replicates` has
    replicate, difference.
    """
    across: dict[str, Any] = {
        "scale": alt.Scale(domain=[low, high], nice=False, zero=False),
        "title": x,
        "axis": alt.Axis(format=TICKS, grid=False, tickCount=7),
    }
    data = alt.Chart(alt.NamedData("contrast"), height=58)
    zero = data.mark_rule(style="faint", strokeDash=[3, 3]).encode(x=alt.datum(0, **across))
    band = data.mark_rect(style="line", opacity=0.55).encode(x=alt.datum(-by, **across), x2=alt.datum(by))
    stroke = alt.Chart(alt.NamedData("replicates"), height=58).mark_point(
        style="faint", shape="stroke", angle=90, size=160, opacity=0.9
    )
    each = stroke.encode(
        x=alt.X("difference:Q", **across),
        y=alt.value(47),
        tooltip=["replicate:O", alt.Tooltip("difference:Q", format="+.4g")],
    )
    interval = data.mark_rule(style="ink", strokeWidth=3).encode(x=alt.X("lo:Q", **across), x2="hi:Q", y=alt.value(20))
    mean = data.mark_point(style="ink", filled=True, size=130, opacity=1).encode(
        x=alt.X("mean:Q", **across), y=alt.value(20), tooltip=interval_tip("+.4g")
    )
    edge = data.mark_rule(style="faint", strokeWidth=2).encode(x=alt.datum(by, **across))
    return laid(*([band] if by > 0 else [edge] if by < 0 else []), zero, each, interval, mean)


def dots(
    arms: Sequence[str],
    order: Sequence[str],
    *,
    x: str,
    percent: bool = False,
    sized: bool = False,
    log: bool = False,
    reference: str = "",
    beside: bool = False,
) -> alt.LayerChart:
    """One quantity by line of a list: every replicate, their mean, and a figure to compare with where there is one.

    Data set `dots` has line, arm (empty where the line is of no arm), replicate, value; `means` has line, arm, mean,
    reference (or None). `reference` says what that figure is; empty where no line has any. `sized` is as in `curves`,
    and `beside` says whether some lines are of no arm.
    """
    value, ticks = _formats(percent=percent, sized=sized)
    axis = alt.Axis(format=ticks, tickCount=7)
    across: dict[str, Any] = {"scale": _scale(log, padding=14), "title": x, "axis": axis}
    down = alt.Y(
        "line:N",
        sort=list(order),
        title=None,
        axis=alt.Axis(
            grid=True,
            ticks=False,
            domain=False,
            labelPadding=8,
            labelExpr=f"split(datum.label, '{PARTED}')",
            labelOffset=-7 if any(PARTED in line for line in order) else 0,  # the middle of two lines on the row
        ),
    )
    colour = arm_colour(arms)
    height = LINE_HEIGHT * len(order) + 10
    dotted, means = alt.Chart(alt.NamedData("dots"), height=height), alt.Chart(alt.NamedData("means"), height=height)
    at = {"x": alt.X("value:Q", **across), "y": down}
    shown = ["line:N", "replicate:O", alt.Tooltip("value:Q", format=value)]
    tip = ["line:N", alt.Tooltip("mean:Q", format=value)]
    each = (
        dotted.transform_filter("datum.arm != ''")
        .mark_point(size=50, strokeWidth=1.5, opacity=0.75)
        .encode(**at, color=colour, tooltip=shown)
    )
    mean = (
        means.transform_filter("datum.arm != ''")
        .mark_tick(thickness=3, size=22)
        .encode(x=alt.X("mean:Q", **across), y=down, color=colour, tooltip=tip)
    )
    no_arm = (
        dotted.transform_filter("datum.arm == ''")
        .mark_point(style="faint", size=50, strokeWidth=1.5, opacity=0.75)
        .encode(**at, tooltip=shown),
        means.transform_filter("datum.arm == ''")
        .mark_tick(style="faint", thickness=3, size=22)
        .encode(x=alt.X("mean:Q", **across), y=down, tooltip=tip),
    )
    others = no_arm if beside else ()
    if not reference:
        return laid(each, mean, *others)
    other = means.transform_filter("isValid(datum.reference)").mark_point(
        style="ink", shape="diamond", size=90, strokeWidth=1.75
    )
    tip = [*tip, alt.Tooltip("reference:Q", format=value, title=reference)]
    return laid(each, mean, *others, other.encode(x=alt.X("reference:Q", **across), y=down, tooltip=tip))


def pca_error(arms: Sequence[str]) -> alt.LayerChart:
    """The error that PCA leaves at each rank, a lower bound for autoencoders with a linear decoder; arms beside it.

    Data set `pca` has rank, mse; `arms` has arm, key, rank, replicate, mse.
    """
    across = alt.X("rank:Q", title="rank, or hidden units n", scale=alt.Scale(nice=False, padding=8))
    up: dict[str, Any] = {
        "scale": _scale(log=True, padding=12),
        "axis": alt.Axis(format=TICKS, tickCount=6),
        "title": "mean squared error per pixel (log scale)",
    }
    base = alt.Chart(alt.NamedData("pca"), height=300).encode(x=across, y=alt.Y("mse:Q", **up))
    tip = ["rank:Q", alt.Tooltip("mse:Q", format=".5f")]
    line = base.mark_line(style="ink", strokeWidth=2).add_params(alt.param(name="only", value=""))
    each = base.mark_point(style="ink", filled=True, size=14, opacity=0.8).encode(tooltip=tip)
    points = (
        alt.Chart(alt.NamedData("arms"), height=300)
        .mark_point(size=90, strokeWidth=2)
        .encode(
            x=across,
            y=alt.Y("mse:Q", **up),
            color=arm_colour(arms),
            tooltip=["arm:N", "replicate:O", *tip],
            opacity=shown_or_pale(0.9),
        )
    )
    return laid(line, each, points)


def _formats(*, percent: bool, sized: bool) -> tuple[str, str]:
    """How a number and an axis are written: `83.12%`, `0.4715`, or of any size `41,250`."""
    if percent:
        return ".2%", "~%"
    return (",.4r" if sized else ".4g"), TICKS


def shown_or_pale(opacity: float) -> Any:
    """An opacity of marks with a `key`: faint where the parameter `only` names another arm."""
    return alt.condition(_ONE_OR_ALL, alt.value(opacity), alt.value(opacity / 12))


def _scale(log: bool, *, padding: int, domain: tuple[float, float] | None = None) -> alt.Scale:
    more: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    if domain is not None:
        more["domain"] = list(domain)
    return alt.Scale(padding=padding, nice=False, **more)


def arm_colour(arms: Sequence[str]) -> alt.Color:
    """The colour of each arm, the same in every chart."""
    return alt.Color("arm:N", scale=alt.Scale(domain=list(arms), range="category"), legend=None)


def laid(*layers: alt.Chart) -> alt.LayerChart:
    """Layers on shared scales, as wide as their place on the page."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.LayerChart(layer=list(layers), width="container", autosize=fit)
