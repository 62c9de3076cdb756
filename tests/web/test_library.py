from __future__ import annotations

import csv
import html
import io
import json
import time
from pathlib import Path
from threading import Event

import pytest

from paribus.analysis.answers import answer
from paribus.analysis.results import load
from paribus.analysis.tables import rows
from paribus.errors import UserError
from paribus.report import page
from paribus.store.workspace import Workspace
from paribus.web import library, pages, watch
from paribus.web.library import Document, Library
from tests.web.conftest import id_of, outcome, registered, study


def content(found: Document | None) -> str:
    assert found is not None
    return found.content.decode()


def report(of: Library, name: str) -> str:
    """The page of a study as it is now, once it is made."""
    watch = of.watch(name)
    while True:
        of.page(name)
        state, _ = of.look(watch)
        made = of._pages.wait(state.id, 60)
        if made.version == state.version:
            return content(of.page(name))
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_look_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    monkeypatch.setattr(watch, "REST", 0.0)
    monkeypatch.setattr(pages, "REST", 0.0)


def test_the_table_is_that_of_the_analysis(folder: Path) -> None:
    shown = Library(folder)
    with Workspace.open(folder) as workspace:
        wanted = rows(load(workspace, "done"))
    table = json.loads(content(shown.rows("done")))
    assert table["study"] == "done"
    assert [(r["arm"], r["rule"], r["metric"], tuple(r["values"])) for r in table["rows"]] == [
        (row.arm, row.rule, row.metric, row.values) for row in wanted
    ]
    lines = list(csv.DictReader(io.StringIO(content(shown.table("done", None)))))
    assert [line["metric"] for line in lines] == [row.metric for row in wanted]
    assert {line["arm"] for line in lines} == {"</script><script>alert(1)</script>", "'=1+1 <b>"}


def test_the_page_of_a_study_follows_its_runs(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, study("going"))
        shown = Library(tmp_path / "w")
        first = shown.page("going")
        assert first.status == 202
        assert "The report is being made" in content(first)
        before, news = shown.look(shown.watch("going"))
        assert news["progress"]["line"].startswith("0 of 4 runs complete; no process trains this study now")
        assert shown.look(shown.watch("going"))[0].version == before.version
        assert "0 of 4 runs complete" in report(shown, "going")
        workspace.finish([outcome(runs[0], 0)])
        after, news = shown.look(shown.watch("going"))
        assert after.version != before.version
        assert (news["progress"]["line"][:9], news["progress"]["complete"]) == ("1 of 4 ru", False)
        assert [claim["label"] for claim in news["findings"]["claims"]] == ["pending 0/2"]
        assert "1 of 4 runs complete" in report(shown, "going")
        workspace.finish([outcome(run, 1) for run in runs[1:]])
        _, news = shown.look(shown.watch("going"))
        assert (news["progress"]["line"], news["progress"]["complete"]) == ("4 of 4 runs complete", True)
        assert [claim["label"] for claim in news["findings"]["claims"]] != ["pending 0/2"]
        assert "4 of 4 runs complete" in report(shown, "going")


def test_a_page_is_made_once_for_each_state_of_its_study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    page_of = library.page_of

    def counted(results, **more):
        made.append(results.study.name)
        return page_of(results, **more)

    monkeypatch.setattr(library, "page_of", counted)
    shown = Library(folder)
    for name in ("done", "done", "open", "done"):
        report(shown, name)
        shown.index()
        shown.table(name, None)
    assert made == ["done", "open"]


def test_the_index_has_the_answer_of_each_study_in_one_sentence(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        first, *_ = answer(load(workspace, "done")).sentences
    index = html.unescape(content(Library(folder).index())).replace("\u00a0", " ").replace("\u2212", "-")
    assert index.count('<p class="headline">') == 2
    assert f'<p class="headline">{first}</p>' in index


def test_only_the_latest_pages_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 1)
    shown = Library(folder)
    assert report(shown, "done") != report(shown, "open")
    assert report(shown, "done") == report(Library(folder), "done")


def test_an_identity_comes_before_a_name_like_it(tmp_path: Path) -> None:
    first = study("first")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        registered(workspace, first)
        registered(workspace, study(id_of(first)))
    assert json.loads(content(Library(tmp_path / "w").rows(id_of(first))))["study"] == "first"


def test_studies_of_one_name_are_told_apart(tmp_path: Path) -> None:
    short, long = study("same"), study("same", epochs=9)
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        registered(workspace, short)
        registered(workspace, long)
    index = content(Library(tmp_path / "w").index())
    assert f"/study/{id_of(long)}" in index
    assert f"/study/{id_of(short)}" not in index
    assert f"the latest of 2 studies of this name ({id_of(long)[:8]})" in report(Library(tmp_path / "w"), "same")
    assert "one of 2 studies of this name" in report(Library(tmp_path / "w"), id_of(short))
    both = content(Library(tmp_path / "w", [id_of(short), id_of(long)]).index())
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
    assert "could not be made" in report(shown, "open")
    assert "could not be made" not in report(shown, "done")
    assert "open" in content(shown.index())


def test_a_senseless_grid_is_refused_at_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "green")
    with pytest.raises(UserError, match="PARIBUS_GRID_G_PER_KWH"):
        Library(folder)


def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        workspace.log_test_reads([])
    assert "paribus run selection" in content(Library(tmp_path / "w").index())


@pytest.mark.parametrize("name", ["none", "", "Done", "done\x00", "../done", "a" * 61, "0" * 32, "done/tables"])
def test_an_unknown_study_has_nothing(folder: Path, name: str) -> None:
    shown = Library(folder)
    assert shown.page(name) is shown.rows(name) is shown.table(name, None) is shown.watch(name) is None


@pytest.mark.parametrize("name", ["none.csv", "", "../done-table.csv", "done-table", "/etc/passwd"])
def test_an_unknown_table_is_not_there(folder: Path, name: str) -> None:
    assert Library(folder).table("done", name) is None


def test_the_page_waits_in_no_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes for ever to be made holds nothing up."""
    may_go_on = Event()
    page_of = library.page_of

    def slow(results, **more):
        may_go_on.wait(60)
        return page_of(results, **more)

    monkeypatch.setattr(library, "page_of", slow)
    shown = Library(folder)
    assert shown.page("done").status == shown.page("done").status == shown.page("open").status == 202
    assert "done" in content(shown.index())
    assert "page" not in shown.look(shown.watch("done"))[1]
    may_go_on.set()
    assert "being made" not in report(shown, "done")
