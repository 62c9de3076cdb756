from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from paribus.analysis.results import load
from paribus.analysis.tables import rows
from paribus.errors import UserError
from paribus.report import page
from paribus.store.workspace import Workspace
from paribus.web import library
from paribus.web.library import Library
from tests.web.conftest import id_of, outcome, registered, study


def text(of: Library, target: str) -> str:
    found = of.find(target)
    assert found is not None
    return found.content.decode()


def version(of: Library, name: str) -> dict[str, object]:
    return json.loads(text(of, f"/study/{name}/version"))


def test_the_table_is_that_of_the_analysis(folder: Path) -> None:
    shown = Library(folder)
    with Workspace.open(folder) as workspace:
        wanted = rows(load(workspace, "done"))
    table = json.loads(text(shown, "/table/done.json"))
    assert table["study"] == "done"
    assert [(r["arm"], r["rule"], r["metric"], tuple(r["values"])) for r in table["rows"]] == [
        (row.arm, row.rule, row.metric, row.values) for row in wanted
    ]
    lines = list(csv.DictReader(io.StringIO(text(shown, "/table/done.csv"))))
    assert [line["metric"] for line in lines] == [row.metric for row in wanted]
    assert {line["arm"] for line in lines} == {"</script><script>alert(1)</script>", "'=1+1 <b>"}


def test_the_page_of_a_study_in_training_refreshes_until_it_has_ended(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, study("going"))
        shown = Library(tmp_path / "w")
        assert "live" in text(shown, "/study/going")
        assert shown.find("/study/going").refresh_s == shown.find("/").refresh_s == library.REFRESH_S
        before = version(shown, "going")
        assert before["live"] is True
        assert version(shown, "going") == before
        workspace.finish([outcome(runs[0], 0)])
        assert version(shown, "going")["version"] != before["version"]
        assert "1 of 4 runs ended so far" in text(shown, "/study/going")
        workspace.finish([outcome(run, 1) for run in runs[1:]])
        assert version(shown, "going")["live"] is False
        assert shown.find("/study/going").refresh_s is shown.find("/").refresh_s is None
        assert "· live" not in text(shown, "/study/going")


def test_a_page_is_made_once_for_each_state_of_its_study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    page_of = library.page_of

    def counted(results, **more):
        made.append(results.study.name)
        return page_of(results, **more)

    monkeypatch.setattr(library, "page_of", counted)
    shown = Library(folder)
    for target in ("/study/done", "/", "/study/done", "/table/done.csv", "/study/open", "/study/done"):
        shown.find(target)
    assert made == ["done", "open"]


def test_only_the_latest_pages_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_PAGES", 1)
    shown = Library(folder)
    assert text(shown, "/study/done") != text(shown, "/study/open")
    assert text(shown, "/study/done") == text(Library(folder), "/study/done")


def test_an_identity_comes_before_a_name_like_it(tmp_path: Path) -> None:
    first = study("first")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        registered(workspace, first)
        registered(workspace, study(id_of(first)))
    assert json.loads(text(Library(tmp_path / "w"), f"/table/{id_of(first)}.json"))["study"] == "first"


def test_studies_of_one_name_are_told_apart(tmp_path: Path) -> None:
    short, long = study("same"), study("same", epochs=9)
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        registered(workspace, short)
        registered(workspace, long)
    index = text(Library(tmp_path / "w"), "/")
    assert f"/study/{id_of(long)}" in index
    assert f"/study/{id_of(short)}" not in index
    assert f"the latest of 2 studies of this name ({id_of(long)[:8]})" in index
    assert "one of 2 studies of this name" in text(Library(tmp_path / "w"), f"/study/{id_of(short)}")
    both = text(Library(tmp_path / "w", [id_of(short), id_of(long)]), "/")
    assert all(f"/study/{id_of(one)}" in both for one in (short, long))


def test_a_study_whose_page_cannot_be_made_leaves_the_others_theirs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, composed = library.claim_outcomes, page.compose

    def failing(function):
        def called(results, *more):
            if results.study.name == "open":
                raise ZeroDivisionError("division by zero")
            return function(results, *more)

        return called

    monkeypatch.setattr(library, "claim_outcomes", failing(outcomes))
    monkeypatch.setattr(page, "compose", failing(composed))
    shown = Library(folder)
    assert "could not be made" in text(shown, "/study/open")
    assert "could not be made" not in text(shown, "/study/done")
    assert shown.find("/") is not None


def test_a_senseless_grid_is_refused_at_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "green")
    with pytest.raises(UserError, match="PARIBUS_GRID_G_PER_KWH"):
        Library(folder)


def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        workspace.log_test_reads([])
    assert "paribus run selection" in text(Library(tmp_path / "w"), "/")
