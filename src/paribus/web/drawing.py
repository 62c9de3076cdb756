"""The charts of runs in training, as Vega-Lite: one thin line a run, in the colour of its arm.

They are drawn by the page's own script from the theme of the report (`range.category`, in the order of the study's
arms), and listen to its parameter `only`, as the report's charts do.
"""

from __future__ import annotations

from typing import Any

from paribus.web.curves import LiveChart

HEIGHT = 220
DATA = "lines"
"""The name of the data set with the rows of a `LiveChart`."""


def specification(chart: LiveChart, arms: int) -> dict[str, Any]:
    """A chart without its data. `arms` is how many the study has."""
    metric = chart.metric
    value = ".2%" if metric.is_share else ".4g"
    scale: dict[str, Any] = {"nice": False, "padding": 8} | ({"type": "log"} if chart.log else {"zero": False})
    title = metric.label + (" (log scale)" if chart.log else "")
    across = {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "scale": {"nice": False, "padding": 8},
        "axis": {"format": ",d", "grid": False, "tickCount": 6, "tickMinStep": 1},
    }
    return {
        "width": "container",
        "height": HEIGHT,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"name": DATA},
        "params": [{"name": "only", "value": ""}],
        "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 12}, "clip": True},
        "encoding": {
            "x": across,
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": title,
                "scale": scale,
                "axis": {"format": "~%" if metric.is_share else "~g", "tickCount": 5},
            },
            "detail": {"field": "replicate", "type": "nominal"},
            "color": {
                "field": "key",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [f"a{place}" for place in range(arms)], "range": "category"},
            },
            "opacity": {"condition": {"test": "only == '' || datum.key == only", "value": 0.9}, "value": 0.06},
            "tooltip": [
                {"field": "arm", "type": "nominal"},
                {"field": "replicate", "type": "ordinal"},
                {"field": "epoch", "type": "quantitative"},
                {"field": "value", "type": "quantitative", "title": metric.label, "format": value},
            ],
        },
    }
