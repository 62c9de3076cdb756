"""What a reader does with a page: points, filters, downloads, uses the keyboard, prints, and turns scripts off."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Watched, drawn, watched
from tests.browser.test_layout import open_folds, serious


@pytest.fixture
def selection(browser: Browser, reports: Path) -> Iterator[Watched]:
    seen = watched(browser)
    seen.page.goto((reports / "selection.html").as_uri())
    drawn(seen.page)
    yield seen
    assert seen.complaints == []
    seen.page.context.close()


CURVE = "[data-chart='chart-curve-val-loss']"


def tip_at(page: Page, chart: str, share: float) -> str:
    """What the tooltip says at a share of a chart's width."""
    place = page.locator(chart)
    place.scroll_into_view_if_needed()
    box = place.locator("svg").bounding_box()
    assert box is not None
    for further in (0, 3):
        page.mouse.move(box["x"] + share * box["width"] + further, box["y"] + box["height"] / 2)
    page.locator("#vg-tooltip-element.visible").wait_for()
    return page.locator("#vg-tooltip-element").inner_text()


def test_pointing_at_a_curve_shows_the_values_there(selection: Watched) -> None:
    text = tip_at(selection.page, CURVE, 0.5)
    assert "epoch" in text
    assert len(re.findall(r"\d\.\d\d", text)) > 1
    assert "NaN" not in text
    assert "undefined" not in text


def test_an_arm_that_has_stopped_has_no_value_there(browser: Browser, reports: Path, tmp_path: Path) -> None:
    """The page as it would be if the first arm had ended before the middle."""
    text = (reports / "selection.html").read_text(encoding="utf-8")
    head, data, rest = re.split('(?<=id="chart-curve-val-loss">)(.*?)(?=</script>)', text, maxsplit=1)
    chart = json.loads(data)
    chart["datasets"]["curves"] = [r for r in chart["datasets"]["curves"] if r["key"] != "a0" or r["epoch"] < 100]
    (tmp_path / "stopped.html").write_text(head + json.dumps(chart).replace("<", "\\u003c") + rest, encoding="utf-8")
    seen = watched(browser)
    seen.page.goto((tmp_path / "stopped.html").as_uri())
    drawn(seen.page)
    said = tip_at(seen.page, CURVE, 0.5)
    assert "–" in said
    assert re.search(r"\d\.\d\d", said)
    assert "NaN" not in said
    assert seen.complaints == []
    seen.page.context.close()


def opacities(page: Page) -> list[float]:
    """The opacity of each arm's line in a chart."""
    return page.locator(CURVE).evaluate(
        "(place) => [...place.querySelectorAll('.mark-line path')].map((p) => Number(p.getAttribute('opacity') ?? 1))"
    )


def test_an_arm_is_shown_alone_in_every_chart_until_it_is_clicked_again(selection: Watched) -> None:
    page = selection.page
    button = page.locator("button[data-arm='a1']").first
    before = opacities(page)
    assert set(before) == {1}
    button.click()
    page.wait_for_function(f"document.querySelector(\"{CURVE} .mark-line path\").getAttribute('opacity') < 0.5")
    assert sorted(set(opacities(page)))[-1] == 1
    assert min(opacities(page)) < 0.5
    pressed = page.locator("button[data-arm][aria-pressed='true']")
    assert pressed.count() > 1
    assert set(pressed.evaluate_all("(all) => all.map((one) => one.dataset.arm)")) == {"a1"}
    button.click()
    page.wait_for_function(f"!(document.querySelector(\"{CURVE} .mark-line path\").getAttribute('opacity') < 0.5)")
    assert page.locator("button[data-arm][aria-pressed='true']").count() == 0


def test_every_download_is_a_table_beside_the_page(selection: Watched, reports: Path) -> None:
    links = selection.page.locator("a[download]")
    names = links.evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")
    assert len(names) > 5
    for name in names:
        assert (reports / name).stat().st_size > 0, name
    tables = [name for name in names if name.endswith(".csv")]
    with (reports / tables[0]).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) > 0


def test_the_keyboard_reaches_all_that_can_be_used(selection: Watched) -> None:
    page = selection.page
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
        ".filter((one) => one.checkVisibility()).length"
    )
    page.evaluate("window.reached = new Set()")
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        page.evaluate("window.reached.add(document.activeElement)")
    missed = page.evaluate(
        "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
        ".filter((one) => one.checkVisibility() && !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 120))"
    )
    assert missed == []


def test_folds_and_filters_work_by_keyboard_and_focus_can_be_seen(selection: Watched) -> None:
    page = selection.page
    page.locator("button[data-arm='a0']").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("button[data-arm='a0']").first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline not in ("none", "")
    fold = page.locator("details").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("(one) => one.open") is True


@pytest.mark.parametrize("name", ["selection", "faces", "digits"])
def test_on_dark_ground_everything_can_be_read(browser: Browser, reports: Path, name: str) -> None:
    seen = watched(browser, color_scheme="dark")
    seen.page.goto((reports / f"{name}.html").as_uri())
    drawn(seen.page)
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 60
    assert serious(seen.page) == []
    assert seen.complaints == []
    seen.page.context.close()


def test_charts_are_drawn_again_when_the_ground_turns_dark(selection: Watched) -> None:
    page, ink = selection.page, "(place) => place.querySelector('.role-axis-title text').getAttribute('fill')"
    light = page.locator(CURVE).evaluate(ink)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"document.querySelector(\"{CURVE} .role-axis-title text\")?.getAttribute('fill') !== '{light}'"
    )


def test_on_paper_it_is_light_and_whole(browser: Browser, reports: Path) -> None:
    seen = watched(browser, color_scheme="dark")
    page = seen.page
    page.goto((reports / "selection.html").as_uri())
    drawn(page)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    drawn(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    hidden = page.evaluate(
        "[...document.querySelectorAll('nav, .files')].filter((one) => one.checkVisibility()).length"
    )
    assert hidden == 0
    assert seen.complaints == []
    page.context.close()


def test_a_page_without_scripts_has_its_pictures(browser: Browser, reports: Path) -> None:
    seen = watched(browser, java_script_enabled=False)
    page = seen.page
    page.goto((reports / "still" / "digits.html").as_uri())
    charts = page.locator("[data-chart]")
    assert charts.count() > 3
    pictures = page.locator("noscript svg, noscript img")
    assert pictures.count() >= charts.count()
    assert page.locator("h1").is_visible()
    page.context.close()


def test_folds_hold_their_charts(browser: Browser, reports: Path) -> None:
    """A chart that is folded away is drawn when it is opened."""
    seen = watched(browser)
    seen.page.goto((reports / "noisy-labels.html").as_uri())
    drawn(seen.page)
    open_folds(seen.page)
    drawn(seen.page)
    assert seen.complaints == []
    seen.page.context.close()
