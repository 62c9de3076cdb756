"""How pages look at three widths: nothing is cut, what scrolls says so and can be reached, and axe has no complaint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import STUDIES, WIDTHS, Watched, drawn, watched

MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")
CASES = [(name, width) for name in (*STUDIES, "index") for width in WIDTHS]


@dataclass(frozen=True)
class Laid:
    """A page laid out at some width: what is wrong by kind, and what it complained about."""

    watched: Watched
    wrong: dict[str, list[str]]
    axe: list[str]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def laid(request: pytest.FixtureRequest, browser: Browser, reports: Path) -> Iterator[Laid]:
    name, width = request.param
    seen = watched(browser, width)
    seen.page.goto((reports / f"{name}.html").as_uri())
    if name != "index":
        open_folds(seen.page)
        drawn(seen.page)
    yield Laid(seen, seen.page.evaluate(MEASURE), serious(seen.page))
    seen.page.context.close()


def open_folds(page: Page) -> None:
    """Open every fold: what it holds must fit too."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


@cache
def _axe() -> Axe:
    return Axe()


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical, as `rule: place`."""
    found: dict[str, Any] = _axe().run(page).response
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]


def test_the_page_is_no_wider_than_the_window(laid: Laid) -> None:
    assert laid.wrong["wide"] + laid.wrong["outside"] == []


def test_no_text_and_no_image_is_cut(laid: Laid) -> None:
    assert laid.wrong["cut"] == []


def test_what_scrolls_shows_it_and_can_be_reached_by_keyboard(laid: Laid) -> None:
    assert laid.wrong["silent"] == []
    assert laid.wrong["unreachable"] == []


def test_every_chart_is_drawn_and_wide_enough_to_read(laid: Laid) -> None:
    assert laid.wrong["empty"] == []
    assert laid.wrong["narrow"] == []


def test_no_label_of_a_chart_is_cut_or_covers_another(laid: Laid) -> None:
    assert laid.wrong["labels"] == []
    assert laid.wrong["collisions"] == []
    assert laid.wrong["covered"] == []


def test_axe_finds_nothing_serious(laid: Laid) -> None:
    assert laid.axe == []


def test_no_script_complains_and_nothing_is_asked_for(laid: Laid) -> None:
    assert laid.watched.complaints == []
    assert [url for url in laid.watched.requests if not url.startswith("file:")] == []
    assert len(laid.watched.requests) == 1
