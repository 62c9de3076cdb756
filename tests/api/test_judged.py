"""Verdicts, contrasts, findings and figures as objects, and what a notebook shows of them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import altair as alt
import pytest
from scipy import stats

import paribus
from paribus.execution.runner import prepare
from tests.api.test_building import FILE, built
from tests.execution.conftest import save_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judged")
    save_digits(path)
    (path / "widths.toml").write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def results(folder: Path) -> paribus.Results:
    return paribus.run(built(folder, replicates=3), workspace=folder / "w", progress=False)


class Cells(HTMLParser):
    """The texts of a page, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(value: Any) -> list[str]:
    page = Cells()
    page.feed(value._repr_html_())
    assert page.open == []
    return page.texts


def test_a_contrast_is_the_paired_difference(results: paribus.Results) -> None:
    (found,) = results.contrasts("val_loss")
    table = results.table().set_index(["arm", "rule", "metric"])
    columns = [f"replicate {i}" for i in range(3)]
    wide, narrow = (table.loc[(arm, "last", "val_loss"), columns].to_numpy(float) for arm in ("wide", "narrow"))
    theirs = stats.ttest_rel(wide, narrow).confidence_interval()
    assert (found.arm, found.control, found.n) == ("wide", "narrow", 3)
    assert found.mean == pytest.approx((wide - narrow).mean())
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
    assert found.sentence in shown(found)
    with pytest.raises(paribus.UserError, match="did you mean val_loss"):
        results.contrasts("val_los")


def test_a_notebook_shows_verdicts_contrasts_findings_and_results(results: paribus.Results) -> None:
    (verdict,) = results.verdicts()
    assert verdict.label in shown(results.verdicts())
    assert verdict.claim.statement in shown(results)
    assert verdict.sentence in repr(verdict)
    assert shown(results.contrasts())
    assert shown(results.findings())
    assert shown(paribus.workspace(results_folder(results)))


def results_folder(results: paribus.Results) -> Path:
    return results.recorded.runs[0].tensors.folder.parent  # type: ignore[attr-defined]


def test_texts_are_escaped(folder: Path, tmp_path: Path) -> None:
    claim = {"statement": "<b>Wider</b> & better.", "metric": "val_loss", "better": "wide", "than": "narrow", "by": 0.1}
    study = built(folder, claims=[claim])
    html = paribus.run(study, workspace=tmp_path / "w", progress=False).verdicts()._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;Wider&lt;/b&gt; &amp; better." in html


def test_figures_are_altair_charts_of_the_report_s_tables(results: paribus.Results) -> None:
    figures = results.figures()
    assert figures
    for name, chart in figures.items():
        assert isinstance(chart, alt.TopLevelMixin), name
        spec = chart.to_dict()
        assert spec["datasets"], name
        assert any(rows for rows in spec["datasets"].values()), name


def test_a_report_and_an_export_are_written(results: paribus.Results, tmp_path: Path) -> None:
    page = results.report(tmp_path / "report")
    assert "Does a wider layer do better?" in page.read_text(encoding="utf-8")
    workspace = paribus.workspace(results_folder(results))
    assert "widths" in workspace.names
    workspace.verify()
    path = workspace.export("widths", tmp_path / "tables", format="csv")
    assert (path / "curves.csv").is_file()
    assert workspace.report(tmp_path / "all", studies=["widths"]).is_file()
    with pytest.raises(paribus.UserError):
        paribus.workspace(tmp_path / "none")


def test_callbacks_watch_and_may_pause_and_change_nothing(
    folder: Path, tmp_path: Path, results: paribus.Results
) -> None:
    seen: list[tuple[int, int]] = []

    def curious(epoch: Any) -> bool:
        seen.append((epoch.epoch, len(epoch.metrics)))
        with pytest.raises(TypeError):
            epoch.metrics["x"] = 1
        for values in epoch.metrics.values():
            with pytest.raises(TypeError):
                values["train_loss"] = 0.0
        return epoch.epoch == 2

    study = built(folder, replicates=1, training={"epochs": 300, "batch_size": 16})
    paused = paribus.run(study, workspace=tmp_path / "w", progress=False, callbacks=[curious])
    assert seen
    assert paused.states != {"done": 2}
    resumed = paribus.run(study, workspace=tmp_path / "w", progress=False, callbacks=[lambda epoch: None])
    assert resumed.states == {"done": 2}
    whole = paribus.run(study, workspace=tmp_path / "whole", progress=False)
    assert resumed.table().equals(whole.table())


def test_a_budget_is_checked_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(paribus.UserError, match="must be a time or an energy"):
        paribus.run(built(folder), workspace=tmp_path / "w", progress=False, budget="soon")
    with pytest.raises(paribus.UserError, match="must be a meter"):
        paribus.run(built(folder), workspace=tmp_path / "w", progress=False, meters=["watt"])
    assert not (tmp_path / "w").exists()


def test_python_toml_and_the_command_line_give_the_same_hashes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from paribus.cli.main import run_command

    monkeypatch.chdir(folder)
    objects, file = prepare(built(folder)), prepare(paribus.load("widths.toml"))
    assert (objects.id, [run.id for run in objects.runs]) == (file.id, [run.id for run in file.runs])
    assert run_command(["plan", "widths.toml", "--json", "--workspace", str(tmp_path / "none")]) == 0
    import json

    planned = json.loads(capsys.readouterr().out)
    assert (planned["id"], [run["run"] for run in planned["runs"]]) == (file.id, [run.id for run in file.runs])


def test_scores_of_any_program_are_compared() -> None:
    old, new = [0.80, 0.81, 0.79, 0.80], [0.83, 0.845, 0.82, 0.84]
    (found,) = paribus.compare({"old": old, "new": new}, metric="accuracy", by=0.005)
    theirs = stats.ttest_rel(new, old).confidence_interval()
    assert found.verdict == "SUPPORTED"
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
    assert found.sentence in shown(paribus.compare({"old": old, "new": new}, metric="accuracy", by=0.005))
    import pandas as pd

    rows = [
        {"model": arm, "seed": i, "acc": v}
        for arm, values in (("old", old), ("new", new))
        for i, v in enumerate(values)
    ]
    (framed,) = paribus.compare(pd.DataFrame(rows), metric="acc")
    assert framed.effect == pytest.approx(found.effect)
    for wrong in ({"old": old}, {"old": old, "new": []}, {"old": old, "new": ["x"]}, 3):
        with pytest.raises(paribus.UserError) as caught:
            paribus.compare(wrong)
        assert "\n" not in str(caught.value)
