from __future__ import annotations

from xml.etree import ElementTree as ET

import altair as alt
import pytest

from paribus.analysis.results import Results
from paribus.report.blocks import Chart, within
from paribus.report.charts import arm_keys, curves, figure
from paribus.report.class_charts import confusion
from paribus.report.page import compose, themes
from paribus.report.static_charts import drawings, left_out, longest_name, static

ARMS = ("one", "two")
SVG = "{http://www.w3.org/2000/svg}"
CONFIG = themes()["light"]


@pytest.fixture(scope="module")
def lines() -> Chart:
    rows = [
        {"arm": arm, "key": f"a{i}", "epoch": epoch, "mean": 1 / epoch, "lo": 0.9 / epoch, "hi": 1.1 / epoch}
        for i, arm in enumerate(ARMS)
        for epoch in range(1, 31)
    ]
    return figure(
        "loss", "Loss", curves(ARMS, ARMS, [], y="loss"), {"curves": rows}, "Loss.", legend=arm_keys(ARMS, ARMS)
    )


@pytest.fixture(scope="module")
def matrices() -> Chart:
    rows = [
        {
            "arm": arm,
            "key": f"a{i}",
            "true": t,
            "predicted": p,
            "share": (t == p) - 0.25 * i,
            "count": 1,
            "label": f"{arm}",
        }
        for i, arm in enumerate(ARMS)
        for t in "xy"
        for p in "xy"
    ]
    drawn = confusion(["x", "y"], {"a0": "one", "a1": "two"})
    return figure(
        "confusion", "", drawn, {"confusion": rows}, "Matrix.", legend=arm_keys(ARMS, ARMS), one_at_a_time=True
    )


def test_a_picture_has_the_width_that_is_asked_for(lines: Chart) -> None:
    (drawing,) = drawings(lines, width=500, config=CONFIG)
    root = ET.fromstring(drawing.svg)
    assert float(root.attrib["width"]) == drawing.width == 500
    assert float(root.attrib["height"]) == drawing.height > 300


def test_a_picture_does_not_depend_on_those_drawn_before(lines: Chart) -> None:
    first, second = (drawings(lines, width=500, config=CONFIG)[0].svg for _ in range(2))
    assert "clip-path" in first
    assert first == second


def test_what_only_a_pointer_shows_is_not_drawn(lines: Chart) -> None:
    spec = static(lines.spec)
    alt.LayerChart.from_dict(spec)  # is still valid
    assert len(spec["layer"]) == len(lines.spec["layer"]) - 1
    assert [param["name"] for param in spec["params"]] == ["only"]
    assert "tooltip" not in str(spec)
    (drawing,) = drawings(lines, width=500, config=CONFIG)
    marks = [mark for mark in ET.fromstring(drawing.svg).iter(f"{SVG}path") if mark.get("opacity") == "0"]
    assert not marks


def test_a_chart_of_one_arm_at_a_time_has_a_picture_of_each(matrices: Chart) -> None:
    first, second = drawings(matrices, width=300, config=CONFIG)
    assert (first.arm, second.arm) == (0, 1)
    for drawing, name in ((first, "one"), (second, "two")):
        texts = {text.text for text in ET.fromstring(drawing.svg).iter(f"{SVG}text")}
        assert name in texts
        assert not (set(ARMS) - {name}) & texts
    assert len(drawings(matrices, width=300, config=CONFIG, most=1)) == 1
    assert left_out(matrices, 1) == "Printed: one; the page has two, too."
    assert left_out(matrices, 2) == ""


def test_the_longest_name_of_a_vertical_axis(lines: Chart, matrices: Chart) -> None:
    assert longest_name(lines) == 0
    assert longest_name(matrices) == 1


def test_every_chart_of_a_report_is_a_well_formed_picture(noisy_results: Results) -> None:
    charts = [block for section in compose(noisy_results).sections for block in within(section.blocks)]
    drawn = [drawings(chart, width=400, config=CONFIG, most=1)[0] for chart in charts if isinstance(chart, Chart)]
    assert len(drawn) > 5
    for drawing in drawn:
        assert ET.fromstring(drawing.svg).tag == f"{SVG}svg"
