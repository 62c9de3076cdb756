"""One quality of denoised images against the severity of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from paribus.analysis.denoising import AXES, QUALITIES, Denoised, Kind
from paribus.analysis.eigenfaces import pca_rank
from paribus.analysis.estimates import Estimate
from paribus.analysis.results import Results
from paribus.analysis.wording import capital
from paribus.report import charts
from paribus.report.blocks import Chart, Key, Record

HEIGHT = 260
NOTHING = "doing nothing"
_TITLES: dict[Kind, str] = {
    "uniform": "Uniform noise",
    "gaussian": "Normal noise",
    "zeroed": "Zeroed pixels",
    "block": "Missing block",
}
_DASHES = ([6, 3], [2, 2], [9, 3, 2, 3])


def severity_chart(results: Results, kind: Kind, cases: Sequence[Denoised], images: str) -> Chart:
    """One kind of corruption, at least one case: every arm, doing nothing, and PCA of each rank.

    Data sets: `arms` has arm, key, severity, mean, lo, hi (over replicates); `others` has who, severity, mean.
    """
    first = cases[0]
    arms, others = arm_rows(results, cases), other_rows(results, cases)
    names = list(dict.fromkeys(str(row["who"]) for row in others))
    values = [float(row["mean"]) for row in (*arms, *others)]
    log = first.quality == "mse" and min(values) > 0
    shown = list(dict.fromkeys(str(row["arm"]) for row in arms))
    title = f"{_TITLES[kind]}, {images}"
    words = QUALITIES[first.quality]
    return charts.figure(
        f"denoising-{first.quality}-{kind}{'-unseen' if first.split == 'validation' else ''}",
        title,
        _drawn(results, names, x=AXES[kind], y=f"{words}{' (log scale)' if log else ''}", log=log),
        {"arms": arms, "others": others},
        f"{title}: {words} against the {AXES[kind]}. {_at_most_severe(cases)}",
        height=HEIGHT,
        legend=[*charts.arm_keys(results.arms, shown), *(Key(name, glyph=_GLYPHS[i]) for i, name in enumerate(names))],
    )


_GLYPHS = ("┈┈", "╌╌", "┄┄", "╍╍")


def arm_rows(results: Results, cases: Sequence[Denoised]) -> list[Record]:
    """A row for each arm and severity: arm, key, severity, mean, lo, hi."""
    return [
        {
            "arm": case.arm,
            "key": f"a{results.arms.index(case.arm)}",
            "severity": case.severity,
            "mean": case.network.mean,
            **_range(case.network),
        }
        for case in cases
        if case.network.mean is not None
    ]


def other_rows(results: Results, cases: Sequence[Denoised]) -> list[Record]:
    """What the arms are compared with: doing nothing, and PCA of each rank; each once for each severity."""
    found: dict[tuple[str, float], Record] = {}
    for case in cases:
        rank = pca_rank(results, case.arm)
        for who, got in ((NOTHING, case.noisy), (f"PCA, rank {rank}", case.pca)):
            if got.mean is not None:
                found.setdefault((who, case.severity), {"who": who, "severity": case.severity, "mean": got.mean})
    order = list(dict.fromkeys(who for who, _ in found))
    return sorted(found.values(), key=lambda row: (order.index(str(row["who"])), float(row["severity"])))


def _range(got: Estimate) -> dict[str, float]:
    known = [value for value in got.values if value is not None]
    return {"lo": min(known), "hi": max(known)}


def _at_most_severe(cases: Sequence[Denoised]) -> str:
    """The numbers at the highest severity, for those who cannot see the chart."""
    most = max(case.severity for case in cases)
    last = [case for case in cases if case.severity == most and case.network.mean is not None]
    parts = [f"{case.arm} {case.network.mean:.3g}" for case in last]
    nothing = f"{NOTHING} {last[0].noisy.mean:.3g}" if last and last[0].noisy.mean is not None else ""
    return f"At {most:g}: {', '.join([*parts, nothing] if nothing else parts)}."


def _drawn(results: Results, others: Sequence[str], *, x: str, y: str, log: bool) -> alt.LayerChart:
    across = alt.X(
        "severity:Q",
        title=x,
        scale=alt.Scale(nice=False, padding=10),
        axis=alt.Axis(format=charts.TICKS, grid=False, tickCount=6),
    )
    form: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    up: dict[str, Any] = {
        "title": capital(y),
        "scale": alt.Scale(nice=False, padding=10, **form),
        "axis": alt.Axis(format=charts.TICKS, tickCount=5),
    }
    colour = charts.arm_colour(results.arms)
    arms = alt.Chart(alt.NamedData("arms"), height=HEIGHT)
    tip = ["arm:N", "severity:Q", alt.Tooltip("mean:Q", format=".4g")]
    band = arms.mark_area(clip=True).encode(
        x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour, opacity=charts.shown_or_pale(0.15)
    )
    line = arms.mark_line(strokeWidth=1.75).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, opacity=charts.shown_or_pale(1.0)
    )
    points = arms.mark_point(size=36, filled=True).encode(
        x=across, y=alt.Y("mean:Q", **up), color=colour, opacity=charts.shown_or_pale(0.9), tooltip=tip
    )
    layers = [band.add_params(alt.param(name="only", value="")), line, points]
    for place, who in enumerate(others):
        beside = alt.Chart(alt.NamedData("others"), height=HEIGHT).transform_filter(alt.datum.who == who)
        style = "faint" if who == NOTHING else "ink"
        layers.append(
            beside.mark_line(style=style, strokeWidth=1.5, strokeDash=list(_DASHES[place % len(_DASHES)])).encode(
                x=across, y=alt.Y("mean:Q", **up), tooltip=["who:N", *tip[1:]]
            )
        )
    return charts.laid(*layers)
