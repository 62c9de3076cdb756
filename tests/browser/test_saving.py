"""A chart that is saved from a page has its title and its legend, as SVG and as PNG."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from playwright.sync_api import Browser

from paribus.report.folder import write_pages
from paribus.spec import builtin
from tests.browser.conftest import PATIENCE_MS, drawn, watched
from tests.report.conftest import Maker

SVG = "{http://www.w3.org/2000/svg}"
CARD = ".card:has([data-chart='chart-curve-val-loss'])"


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_chart_is_saved_with_its_title_and_its_legend(browser: Browser, tmp_path: Path, kind: str) -> None:
    results = Maker(builtin.text("selection")).results()
    seen = watched(browser)
    page = seen.page
    page.goto(write_pages([results], tmp_path).page.as_uri())
    drawn(page)
    card = page.locator(CARD)
    card.locator("details.files > summary").click()
    with page.expect_download(timeout=PATIENCE_MS) as download:
        card.locator(f"button[data-save='{kind}']").click()
    assert download.value.suggested_filename == f"curve-val-loss.{kind}"
    content = Path(download.value.path()).read_bytes()
    if kind == "png":
        with Image.open(io.BytesIO(content)) as image:
            assert image.width > 600
            assert len(image.convert("RGB").getcolors(1 << 24) or []) > 10
    else:
        texts = {text.text for text in ET.fromstring(content).iter(f"{SVG}text")}
        assert card.locator("h3").inner_text().strip() in texts
        assert set(results.arms) <= texts
    assert seen.complaints == []
    assert seen.requests == [page.url]
    page.context.close()
