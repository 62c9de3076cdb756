"""The live page: it follows a study that another process trains, and keeps what the reader has set up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page

from paribus.store.workspace import Workspace
from paribus.web.library import Library
from paribus.web.server import Viewer
from tests.browser.conftest import ACCURACY, PATIENCE_MS, SMALL, WIDTHS, drawn, watched
from tests.browser.test_layout import MEASURE, serious
from tests.web.conftest import id_of, outcome, registered, study

LONG = """
[[arms]]
name = "long"
[arms.training]
epochs = 1_000_000
"""
"""An arm that trains until it is interrupted."""
EPOCH = (
    "(document.querySelector('[data-live=arms] tr:not(.still) td:nth-child(3)')?.textContent.match(/\\d+/) ?? [0])[0]"
)
"""The epoch of the arm in training, as the page shows it: of several, the first."""


@contextmanager
def viewed(workspace: Path, port: int = 0) -> Iterator[Viewer]:
    """A viewer in a thread of this process."""
    with Viewer(Library(workspace), port) as viewer:
        thread = Thread(target=viewer.serve_forever)
        thread.start()
        try:
            yield viewer
        finally:
            viewer.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def going(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspace of a study in training: one arm trains until it is interrupted."""
    folder = tmp_path_factory.mktemp("live")
    text = SMALL.format(name="digits", data='source = "sklearn:digits"', **ACCURACY) + LONG
    (folder / "digits.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "paribus", "run", "digits.toml", "--workspace", "workspace"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not (folder / "workspace" / "live.json").exists():
                assert process.poll() is None
                time.sleep(0.1)
            yield folder / "workspace"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_MS / 1000)


def until(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=PATIENCE_MS)


def report_is_there(page: Page) -> None:
    page.wait_for_selector("#making", state="detached", timeout=PATIENCE_MS)
    drawn(page)


def test_an_epoch_comes_while_the_page_is_open_and_after_the_viewer_was_gone(browser: Browser, going: Path) -> None:
    seen = watched(browser)
    page, said = seen.page, "document.querySelector('[data-live={}]').textContent"
    with viewed(going) as viewer:
        page.goto(f"{viewer.url}study/digits")
        report_is_there(page)
        until(page, f"Number({EPOCH}) > 0")
        epoch = page.evaluate(f"Number({EPOCH})")
        rows = "JSON.parse(document.getElementById('chart-live-val-loss').textContent).datasets.lines"
        until(page, "document.getElementById('chart-live-val-loss') !== null")
        until(page, f"Number({EPOCH}) > {epoch} && {rows}.some((row) => row.epoch > {epoch})")
        until(page, "document.querySelector(\"[data-chart='chart-live-val-loss'] svg .mark-line path\") !== null")
        until(page, f"/^\\d of 9 runs complete, about .* left$/.test({said.format('line')})")
        until(page, "document.querySelector('[data-live=claims] .outcome') !== null")
        epoch = page.evaluate(f"Number({EPOCH})")
    until(page, f"{said.format('connection')} === 'disconnected, retrying'")
    with viewed(going, viewer.port):
        until(page, f"{said.format('connection')} === ''")
        until(page, f"Number({EPOCH}) > {epoch}")
        page.context.close()
    assert [url for url in seen.requests if not url.startswith(viewer.url)] == []
    gone = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    assert [words for words in seen.complaints if not any(name in words for name in gone)] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_page_is_laid_out_at_every_width(browser: Browser, going: Path, width: int) -> None:
    seen = watched(browser, width)
    page = seen.page
    with viewed(going) as viewer:
        page.goto(f"{viewer.url}study/digits")
        report_is_there(page)
        page.wait_for_selector("[data-chart^='chart-live-'] svg", timeout=PATIENCE_MS)
        assert {kind: found for kind, found in page.evaluate(MEASURE).items() if found} == {}
        assert serious(page) == []
        page.goto(viewer.url)
        assert page.locator("article progress").is_visible()
        assert {kind: found for kind, found in page.evaluate(MEASURE).items() if found} == {}
        assert serious(page) == []
        page.context.close()
    assert [url for url in seen.requests if not url.startswith(viewer.url)] == []
    assert seen.complaints == []


def test_parts_that_change_are_replaced_and_all_else_stays(browser: Browser, tmp_path: Path) -> None:
    seen = watched(browser, 768)
    page, folder = seen.page, tmp_path / "w"
    with Workspace.open(folder, create=True, write=True) as workspace:
        runs = registered(workspace, study("going"))
        workspace.finish([outcome(run, place) for place, run in enumerate(runs[:2])])
        with viewed(folder) as viewer:
            page.goto(f"{viewer.url}study/{id_of(study('going'))}")
            report_is_there(page)
            assert page.locator("[data-live='claims'] .outcome").inner_text() == "pending 0/2"
            page.locator("button[data-arm='a0']").first.click()
            folds = page.locator("main details:not(.files) > summary")
            folds.first.click()
            title = folds.first.inner_text()
            page.evaluate("document.querySelectorAll('main > section').forEach((one) => { one.dataset.old = 'yes'; })")
            parts = page.locator("main > section[data-old]").count()
            page.locator("main > section").last.scroll_into_view_if_needed()
            workspace.finish([outcome(run, place) for place, run in enumerate(runs[2:])])
            until(page, "document.getElementById('live').hidden")  # it is complete
            until(page, f"document.querySelectorAll('main > section[data-old]').length < {parts}")
            drawn(page)
            assert page.evaluate("scrollY") > 0
            assert page.locator("button[data-arm='a0']").first.get_attribute("aria-pressed") == "true"
            assert title in page.locator("main details[open] > summary").all_inner_texts()
            page.context.close()
    assert seen.complaints == []


def test_a_study_that_is_not_there_is_said_to_be_not_there(browser: Browser, going: Path) -> None:
    seen = watched(browser)
    with viewed(going) as viewer:
        answer = seen.page.goto(f"{viewer.url}study/none")
        assert answer is not None
        assert answer.status == 404
        seen.page.context.close()
