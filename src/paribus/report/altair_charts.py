"""The figures of a report as Altair charts, with their tables inside: for notebooks, and to go on from."""

from __future__ import annotations

import altair as alt

from paribus.analysis.results import Results
from paribus.report.blocks import Chart
from paribus.report.figure_files import named_charts
from paribus.report.page import compose, themes

WIDTH = 560
"""Pixels of a chart in a notebook, where nothing says how wide its place is."""


def altair_charts(results: Results) -> dict[str, alt.TopLevelMixin]:
    """Every figure of a study's report by its name, in the order of the page."""
    page = compose(results)
    return {chart.name: _altair(chart, title) for chart, title in named_charts(page.sections)}


def _altair(chart: Chart, title: str) -> alt.TopLevelMixin:
    spec: dict[str, object] = {
        "$schema": alt.SCHEMA_URL,
        **chart.spec,
        "title": title,
        "datasets": {name: [dict(row) for row in rows] for name, rows in chart.data.items()},
        "config": {**themes()["light"], "background": "white"},
    }
    if spec.get("width") == "container":
        spec |= {"width": WIDTH, "autosize": {"type": "pad", "contains": "content"}}
    return alt.Chart.from_dict(spec)
