"""Charts about eigenfaces: their variances, and how the weights come to span their space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from paribus.analysis.eigenfaces import Pca, Where, overlaps
from paribus.analysis.overlap_history import OverlapAtEpoch, overlap_history
from paribus.analysis.results import Results
from paribus.report import charts
from paribus.report.blocks import Chart, Record

HEIGHT = 260


def spectrum(faces: Pca, note: str = "") -> Chart:
    """The share of the variance that each eigenface explains, and their sum. Data set: component, share, sum."""
    total = float(faces.mse_by_rank[0])
    shares = -np.diff(faces.mse_by_rank) / total
    rows = [
        {"component": i + 1, "share": float(share), "sum": float(total_share)}
        for i, (share, total_share) in enumerate(zip(shares, np.cumsum(shares), strict=True))
        if share > 0
    ]
    across = alt.X(
        "component:Q", title="eigenface", scale=alt.Scale(nice=False, padding=14), axis=alt.Axis(labelBound=True)
    )
    up = alt.Y(
        "share:Q", title="share of the variance (log scale)", scale=alt.Scale(type="log", padding=8, nice=False),
        axis=alt.Axis(format="~%", tickCount=5),
    )  # fmt: skip
    tip = ["component:O", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("sum:Q", format=".1%", title="sum")]
    base = alt.Chart(alt.NamedData("spectrum"), height=HEIGHT).encode(x=across, y=up)
    drawing = charts.laid(
        base.mark_line(style="ink"), base.mark_point(style="ink", filled=True, size=20).encode(tooltip=tip)
    )
    half = next((row["component"] for row in rows if row["sum"] >= 0.5), None)
    explain = "eigenface explains" if len(rows) == 1 else "eigenfaces explain"
    words = f"{len(rows)} {explain} {100 * float(np.sum(shares)):.0f} % of the variance"
    words += f", the first {half} of them half of it." if half and len(rows) > 1 else "."
    title = "Variance of the eigenfaces"
    return charts.figure("spectrum", title, drawing, {"spectrum": rows}, words, note=note, height=HEIGHT)


def overlap_over_epochs(results: Results) -> Chart | None:
    """The overlap of the first layer's weights with the eigenfaces over the epochs, with the level of chance.

    Data sets: `overlap` has arm, key, epoch, mean, lo, hi; `chance` has arm, key, epoch, chance.
    """
    found = overlap_history(results)
    if not found:
        return None
    rows = [
        {"arm": e.arm, "key": _key(results, e.arm), "epoch": e.epoch, "mean": e.mean, "lo": e.low, "hi": e.high}
        for e in found
    ]
    chance = [{"arm": e.arm, "key": _key(results, e.arm), "epoch": e.epoch, "chance": e.chance} for e in found]
    shown = list(dict.fromkeys(e.arm for e in found))
    note = (
        "First-layer weights and as many eigenfaces as the code has units: mean squared cosine of the principal "
        f"angles, mean and range over replicates. Dashed: by chance ({_chances(found)} at the last epoch)."
    )
    last = {e.arm: e for e in found}
    words = f"At the last epoch: {', '.join(f'{arm} {100 * e.mean:.1f} %' for arm, e in last.items())}."
    return charts.figure(
        "overlap-over-epochs",
        "Overlap of weights and eigenfaces over the epochs",
        _over_epochs(results),
        {"overlap": rows, "chance": chance},
        words,
        note=note,
        height=HEIGHT,
        legend=charts.arm_keys(results.arms, shown),
    )


def _chances(found: Sequence[OverlapAtEpoch]) -> str:
    last = {entry.arm: entry.chance for entry in found}
    low, high = min(last.values()), max(last.values())
    return (
        f"{100 * low:.2f} %" if f"{100 * low:.2f}" == f"{100 * high:.2f}" else f"{100 * low:.2f} to {100 * high:.2f} %"
    )


def _over_epochs(results: Results) -> alt.LayerChart:
    across = alt.X(
        "epoch:Q", title="epoch", scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(format=",d", grid=False)
    )
    up: dict[str, Any] = {
        "title": "overlap",
        "scale": alt.Scale(domain=[0, 1], nice=False),
        "axis": alt.Axis(format="~%", tickCount=5),
    }
    colour = charts.arm_colour(results.arms)
    overlap, chance = (alt.Chart(alt.NamedData(name), height=HEIGHT) for name in ("overlap", "chance"))
    band = overlap.mark_area(clip=True).encode(
        x=across, y=alt.Y("lo:Q", **up), y2="hi:Q", color=colour, opacity=charts.shown_or_pale(0.2)
    )
    line = overlap.mark_line(strokeWidth=1.75, point=True).encode(
        x=across,
        y=alt.Y("mean:Q", **up),
        color=colour,
        opacity=charts.shown_or_pale(1.0),
        tooltip=["arm:N", "epoch:Q", alt.Tooltip("mean:Q", format=".1%")],
    )
    level = chance.mark_line(strokeDash=[4, 3], strokeWidth=1.25).encode(
        x=across, y=alt.Y("chance:Q", **up), color=colour, opacity=charts.shown_or_pale(0.9)
    )
    return charts.laid(band.add_params(alt.param(name="only", value="")), line, level)


_TITLES: dict[Where, str] = {"encoder": "Encoder", "decoder": "Decoder"}


def angles(results: Results) -> list[Chart]:
    """The principal angles between weights and eigenfaces at the deployed epoch: a chart for encoder and decoder.

    Data set: arm, key, replicate, angle (its index, from 1), degrees.
    """
    found: list[Chart] = []
    for where, title in _TITLES.items():
        rows = angle_rows(results, where)
        if rows:
            shown = list(dict.fromkeys(str(row["arm"]) for row in rows))
            found.append(
                charts.figure(
                    f"angles-{where}",
                    f"{title}: principal angles with the eigenfaces",
                    _angles(results),
                    {"angles": rows},
                    f"{title}: median angle {_medians(rows, shown)}.",
                    note="0 degrees: a direction within the span of the eigenfaces. 90 degrees: orthogonal to it.",
                    height=HEIGHT,
                    legend=charts.arm_keys(results.arms, shown),
                )
            )
    return found


def angle_rows(results: Results, where: Where) -> list[Record]:
    """The principal angles of every finished run, smallest first."""
    return [
        {
            "arm": overlap.arm,
            "key": _key(results, overlap.arm),
            "replicate": overlap.replicate,
            "angle": i + 1,
            "degrees": float(np.degrees(np.arccos(cosine))),
        }
        for overlap in overlaps(results)
        if overlap.where == where
        for i, cosine in enumerate(overlap.cosines.tolist())
    ]


def _medians(rows: Sequence[Record], arms: Sequence[str]) -> str:
    each = {arm: float(np.median([row["degrees"] for row in rows if row["arm"] == arm])) for arm in arms}
    return ", ".join(f"{arm} {value:.0f} degrees" for arm, value in each.items())


def _angles(results: Results) -> alt.LayerChart:
    across = alt.X("angle:Q", title="principal angle, smallest first", scale=alt.Scale(nice=False, padding=8))
    up = alt.Y("degrees:Q", title="degrees", scale=alt.Scale(domain=[0, 90], nice=False), axis=alt.Axis(tickCount=4))
    base = alt.Chart(alt.NamedData("angles"), height=HEIGHT)
    line = base.mark_line(strokeWidth=1.25).encode(
        x=across,
        y=up,
        color=charts.arm_colour(results.arms),
        detail="replicate:N",
        opacity=charts.shown_or_pale(0.8),
        tooltip=["arm:N", "replicate:O", "angle:O", alt.Tooltip("degrees:Q", format=".1f")],
    )
    return charts.laid(line.add_params(alt.param(name="only", value="")))


def _key(results: Results, arm: str) -> str:
    return f"a{results.arms.index(arm)}"
