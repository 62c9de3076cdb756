from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from paribus.spec.study import load
from paribus.store.workspace import Workspace
from tests.cli.conftest import registered

Paribus = Callable[..., Any]


def test_the_path_of_the_page_is_printed(paribus: Paribus, recorded: Path) -> None:
    result = paribus("report", "--workspace", recorded)
    assert result.code == 0
    (line,) = result.out.splitlines()
    page = Path(line)
    assert page.is_relative_to(recorded)
    assert "mini" in page.read_text(encoding="utf-8")


def test_it_is_written_where_it_is_wanted(paribus: Paribus, recorded: Path, tmp_path: Path) -> None:
    result = paribus("report", "mini", "--to", tmp_path / "out", "--workspace", recorded)
    assert result.code == 0
    assert Path(result.out.strip()).is_relative_to(tmp_path / "out")
    assert not (recorded / "report").exists()


def test_a_pdf_and_pictures_are_written_on_request(paribus: Paribus, recorded: Path, tmp_path: Path) -> None:
    result = paribus("report", "mini", "--pdf", "--figures", "--to", tmp_path, "--workspace", recorded)
    assert result.out.splitlines() == [str(tmp_path / "mini.html"), str(tmp_path / "mini.pdf")]
    assert (tmp_path / "mini.pdf").read_bytes().startswith(b"%PDF-")
    assert 'href="mini.pdf"' in (tmp_path / "mini.html").read_text(encoding="utf-8")
    pictures = {ending: {path.stem for path in (tmp_path / "figures").glob(f"*.{ending}")} for ending in ("svg", "png")}
    assert pictures["svg"] == pictures["png"] != set()
    assert list((tmp_path / "tables").glob("mini-*.tex"))


def test_without_the_request_there_is_no_pdf_and_no_link_to_one(paribus: Paribus, recorded: Path) -> None:
    page = Path(paribus("report", "--workspace", recorded).out.strip())
    assert not list(page.parent.rglob("*.pdf"))
    assert ".pdf" not in page.read_text(encoding="utf-8").split("<script>")[0]


def test_older_studies_of_the_same_name_are_mentioned(paribus: Paribus, recorded: Path, mini: Path) -> None:
    assert paribus("report", "--workspace", recorded).err == ""
    with Workspace.open(recorded, write=True) as workspace:
        registered(workspace, load(mini, {"seed": "5"}))
    result = paribus("report", "--workspace", recorded)
    assert result.code == 0
    assert result.err.startswith("paribus: note: the latest of 2 studies named mini is reported; name the others")
    assert paribus("report", "mini", "--workspace", recorded).err == ""


def test_a_study_that_was_not_run_is_refused(paribus: Paribus, recorded: Path, tmp_path: Path) -> None:
    result = paribus("report", "mini", "maxi", "--to", tmp_path / "out", "--workspace", recorded)
    assert result.code == 2
    assert "'maxi'" in result.err
    assert not (tmp_path / "out").exists()
