"""A chart of cost and memory by the number of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt


def by_runs(points: Sequence[Mapping[str, Any]]) -> alt.HConcatChart:
    """Milliseconds for a model-epoch, and megabytes, by the number of runs; one line for each network."""
    rows = [{**point, "megabytes": point["bytes"] / 1e6} for point in points]
    return alt.hconcat(
        _panel(rows, "ms_per_model_epoch", "milliseconds for a model-epoch", alt.Scale(zero=True)),
        _panel(rows, "megabytes", "megabytes in all", alt.Scale(type="log", base=10)),
        spacing=40,
    ).configure(background="white", font="sans-serif")


def _panel(rows: Sequence[Mapping[str, Any]], field: str, title: str, scale: alt.Scale) -> Any:
    runs = sorted({row["runs"] for row in rows})
    base = alt.Chart(alt.Data(values=[row for row in rows if row[field] > 0])).encode(
        x=alt.X("runs:Q", title="runs", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=runs, format="d")),
        y=alt.Y(f"{field}:Q", title=title, scale=scale),
        color=alt.Color("network:N", title=None, legend=alt.Legend(orient="top")),
        shape=alt.Shape("network:N", legend=None),
    )
    return alt.layer(base.mark_line(), base.mark_point(filled=True, size=50)).properties(width=320, height=240)
