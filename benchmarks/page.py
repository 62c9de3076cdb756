"""How soon the page of a large study can be read: 500 runs of 1,500 epochs, opened in a browser.

    python -m benchmarks.page [--repeats N]

Trains ten arms with fifty replicates each on scikit-learn's iris (a minute), writes the report, opens its page in the
Chromium on PATH, each time in a new browser, and writes `docs/page.md`. Without a browser it writes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from paribus.execution.environment import environment
from paribus.execution.runner import prepare, run_study
from paribus.report.folder import write_report
from paribus.spec.study import parse
from paribus.store.workspace import Workspace

ROOT = Path(__file__).parent.parent
ARMS, REPLICATES, EPOCHS = 10, 50, 1500
TARGET_S = 1.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HEAD = f"""
name = "large"
title = "A large study"
question = "Which learning rate is best?"
replicates = {REPLICATES}
deploy = "min-val-loss"
[data]
source = "sklearn:iris"
scale = "standardise"
split = {{ by = "stratified", validation = 0.2, test = 0.2 }}
[network]
hidden = [8]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = {EPOCHS}
batch_size = 45
[selection]
rules = ["min-val-loss", "last"]
[test]
read_at = ["min-val-loss"]
"""
ARM = '[[arms]]\nname = "rate {place}"\noptimizer.lr = {lr}\n'
STUDY = HEAD + "".join(ARM.format(place=place, lr=0.02 * place) for place in range(1, ARMS + 1))


WATCH = """
new MutationObserver((_, observer) => {
  const answer = document.querySelector(".answer .headline");
  if (answer) { answer.setAttribute("elementtiming", "answer"); observer.disconnect(); }
}).observe(document, { childList: true, subtree: true });
new PerformanceObserver((entries) => {
  for (const entry of entries.getEntries()) window.answerPainted ??= entry.renderTime;
}).observe({ type: "element", buffered: true });
"""
"""Notes when the browser has painted the answer: milliseconds from the request for the page."""


@dataclass(frozen=True)
class Opened:
    """Seconds from asking for the page: until its answer is painted, until the first chart is drawn, until all are."""

    text_s: float
    chart_s: float
    all_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="how often the page is opened")
    options = parser.parse_args(arguments)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no browser: none of {', '.join(BROWSERS)} is on PATH")
    with tempfile.TemporaryDirectory() as folder:
        page, written_s = _report(Path(folder))
        opened = [_open(page, browser) for _ in range(options.repeats)]
        text = _page(opened, page.stat().st_size, written_s)
    (ROOT / "docs" / "page.md").write_text(text, encoding="utf-8")
    print(text)


def _report(folder: Path) -> tuple[Path, float]:
    """The study's page, and the seconds that writing the report took."""
    study = parse(STUDY, place="the large study")
    with Workspace.open(folder / "workspace", create=True, write=True) as workspace:
        run_study(prepare(study), workspace)
        began = time.perf_counter()
        written = write_report(workspace, [study.name], folder / "report", still=False)
    return written.page, time.perf_counter() - began


def _open(page: Path, browser: str) -> Opened:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = launched.new_page(viewport={"width": 1280, "height": 900})
        tab.goto("about:blank")
        tab.add_init_script(WATCH)
        began = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        tab.wait_for_selector("[data-chart] svg")
        chart_s = time.perf_counter() - began
        tab.wait_for_function("document.documentElement.dataset.drawn === 'yes'")
        all_s = time.perf_counter() - began
        text_s = tab.evaluate("window.answerPainted") / 1000
        launched.close()
    return Opened(text_s, chart_s, all_s)


def _page(opened: Sequence[Opened], size: int, written_s: float) -> str:
    text_s, chart_s, all_s = (
        statistics.median(getattr(one, name) for one in opened) for name in ("text_s", "chart_s", "all_s")
    )
    here = environment()
    missed = "" if chart_s <= TARGET_S else f" ✗ {TARGET_S:g} s"
    return f"""# The page of a large study

{ARMS} arms x {REPLICATES} replicates = {ARMS * REPLICATES} runs of {EPOCHS:,} epochs. The page has {size / 1e6:.1f} MB;
writing the report took {written_s:.1f} s. Medians of {len(opened)} openings, each in a new browser, counted from the
request for the page:

| until | seconds |
|---|---:|
| the answer is painted | {text_s:.2f} |
| the first chart is drawn | {chart_s:.2f}{missed} |
| every chart is drawn | {all_s:.2f} |

Measured by `python -m benchmarks.page`, a part of `make bench`, on {datetime.now(UTC):%Y-%m-%d}, commit
{machine.commit()}: {here["processor"]}, {machine.cores()} cores.
"""


if __name__ == "__main__":
    main()
