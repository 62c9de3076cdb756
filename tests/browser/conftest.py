"""Pages in a real browser: the Chromium that is installed. Without one these tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from paribus.analysis.results import load
from paribus.execution.runner import prepare, run_study
from paribus.report.folder import write_pages
from paribus.spec import builtin
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from tests.report.conftest import Maker, few

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (1280, 768, 390)
PATIENCE_MS = 300_000
"""A machine may be slow: whatever is waited for comes sooner."""
STUDIES = ("faces", "selection", "noisy-labels", "digits", "moons")
"""Three made up in memory, as large as real ones, and two trained on data that need no download."""

SMALL = """
format = 1
name = "{name}"
title = "What does a small study of {name} look like?"
question = "Does the wider network do better?"
replicates = 3
control = "narrow"
deploy = "{rule}"
[data]
{data}
split = {{ by = "random", validation = 0.2, test = 0.2 }}
[network]
hidden = [16]
[optimizer]
kind = "adam"
lr = 0.01
[training]
epochs = 30
batch_size = 32
[selection]
rules = ["{rule}", "last"]
[test]
read_at = ["{rule}"]
[[arms]]
name = "narrow"
[[arms]]
name = "wide"
network.hidden = [32]
[[claims]]
statement = "The wider network does better."
metric = "{metric}"
better = {{ arm = "wide" }}
than = {{ arm = "narrow" }}
by = {by}
"""
ACCURACY = {"rule": "max-val-accuracy", "metric": "test_accuracy", "by": "0.01"}


def _moons(folder: Path) -> None:
    """Two half circles in a table of two columns."""
    random = np.random.default_rng(1)
    angle, side = random.uniform(0, np.pi, 300), random.integers(0, 2, 300)
    x = np.where(side, 1 - np.cos(angle), np.cos(angle)) + random.normal(0, 0.15, 300)
    y = np.where(side, 0.5 - np.sin(angle), np.sin(angle)) + random.normal(0, 0.15, 300)
    lines = [f"{a:.4f},{b:.4f},{'up' if not s else 'down'}" for a, b, s in zip(x, y, side, strict=True)]
    (folder / "moons.csv").write_text("\n".join(["x,y,moon", *lines, ""]), encoding="utf-8")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser, closed after the last test of this folder: until then Playwright keeps an event loop running."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root, as whom continuous integration runs
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def reports(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report over `STUDIES`.

    Pictures for browsers without scripts take longer than the rest of a page: `still/digits.html` alone has them.
    """
    folder = tmp_path_factory.mktemp("browser")
    _moons(folder)
    texts = {
        "digits": SMALL.format(name="digits", data='source = "sklearn:digits"', **ACCURACY),
        "moons": SMALL.format(
            name="moons", data='source = "moons.csv"\ntarget = "moon"\nscale = "standardise"', **ACCURACY
        ),
    }
    results = [
        Maker(few(builtin.text("faces"))).results(),
        Maker(builtin.text("selection")).results(),
        Maker(builtin.text("noisy-labels"), {("dropout", 2): "diverged"}).results(),
    ]
    with Workspace.open(folder / "workspace", create=True, write=True) as workspace:
        for name, text in texts.items():
            run_study(prepare(parse(text, place=f"the study {name}", folder=folder)), workspace)
            results.append(load(workspace, name))
    write_pages(results, folder / "report")
    write_pages([one for one in results if one.study.name == "digits"], folder / "report" / "still", still=True)
    return folder / "report"


@dataclass
class Watched:
    """A page, what its scripts complained about, and what it asked for from outside its own address."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def watched(browser: Browser, width: int = 1280, **context: object) -> Watched:
    """A page of that width that is watched."""
    page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()  # type: ignore[arg-type]
    seen = Watched(page)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            seen.requests.append(request.url)

    page.on("console", heard)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", asked)
    return seen


def drawn(page: Page) -> None:
    """Wait until every chart in sight is drawn."""
    page.wait_for_function("document.documentElement.dataset.drawn === 'yes'", timeout=PATIENCE_MS)
    page.wait_for_function(
        "[...document.querySelectorAll('[data-chart]')].every((one) => !one.clientWidth || one.querySelector('svg'))",
        timeout=PATIENCE_MS,
    )
