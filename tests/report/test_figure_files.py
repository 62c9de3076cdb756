from __future__ import annotations

import io
from collections.abc import Callable
from xml.etree import ElementTree as ET

from PIL import Image

from paribus.analysis.results import Results
from paribus.report.blocks import Chart, Verdict, within
from paribus.report.figure_files import SCALE, WIDTH, named_charts, picture, png
from paribus.report.page import Page, compose, html, themes

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [part.text or "" for part in ET.fromstring(svg).iter(f"{SVG}text")]


def charts(page: Page) -> dict[str, Chart]:
    return {
        block.name: block for section in page.sections for block in within(section.blocks) if isinstance(block, Chart)
    }


def test_every_chart_has_a_file_with_its_title_and_its_legend(selection_results: Results) -> None:
    page = compose(selection_results)
    known, figures = charts(page), dict(page.figures())
    assert list(figures) == [f"figures/selection-{name}" for name in known]
    for chart, title in named_charts(page.sections):
        found = texts(figures[f"figures/selection-{chart.name}"])
        assert "".join(title.split()) in "".join("".join(found).split())
        if not chart.one_at_a_time:
            assert all(key.label in found for key in chart.legend)


def test_the_title_of_a_verdicts_chart_is_the_claim(selection_results: Results) -> None:
    page = compose(selection_results)
    claims = {
        block.chart.name: block.statement
        for section in page.sections
        for block in within(section.blocks)
        if isinstance(block, Verdict) and block.chart is not None
    }
    titles = {chart.name: title for chart, title in named_charts(page.sections)}
    assert claims
    assert all(titles[name] == statement for name, statement in claims.items())


def test_curves_that_are_named_in_the_drawing_have_their_legend_on_phones_only(noisy_results: Results) -> None:
    page = compose(noisy_results)
    chart, title = next((c, t) for c, t in named_charts(page.sections) if c.name == "figure")
    assert chart.names_inside
    drawn = texts(picture(chart, title, arms=page.arms, config=themes()["light"]))
    assert [key.arm for key in chart.legend] == list(range(len(noisy_results.arms)))
    assert all(drawn.count(key.label) == 1 for key in chart.legend)
    assert html(page).count('<p class="legend phone">') == 1


def test_a_picture_as_png_is_sharp_and_on_white(selection_results: Results) -> None:
    _, svg = next(compose(selection_results).figures())
    with Image.open(io.BytesIO(png(svg))) as image:
        assert image.width == SCALE * WIDTH
        assert image.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)


def test_names_from_outside_cannot_end_an_element(plain_results: Callable[..., Results]) -> None:
    page = compose(plain_results(arm="</text><script>1</script>", title="</title><script>&"))
    for _, svg in page.figures():
        assert not list(ET.fromstring(svg).iter(f"{SVG}script"))
