"""The documentation as a site: built without a network, its links checked, its references made from the code."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from docs_site import reference
from docs_site.links import problems
from paribus.cli.main import parser
from paribus.spec.json_schema import study_schema
from tests.docs.session import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, with notebooks that are not executed: they have tests of their own."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("docs_site.notebooks.executed", lambda path, _: nbformat.read(path, as_version=4))
        patch.setattr("socket.socket.connect", _refuse)
        patch.setattr("socket.getaddrinfo", _refuse)
        from docs_site.__main__ import built

        assert built(folder) == []
    return folder


def _refuse(*_: object) -> None:
    raise OSError("the documentation is built without a network")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    assert list(problems(site)) == []
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    wanted = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    wanted |= {f"notebooks/{path.stem}.md" for path in NOTEBOOKS} | set(reference.PAGES)
    for name in wanted:
        page = re.sub(r"(README|index)\.md$", "index.html", name).replace(".md", ".html")
        assert page in pages, name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_search_has_its_index(site: Path) -> None:
    assert "replicate" in (site / "search" / "search_index.js").read_text(encoding="utf-8")


def test_links_that_lead_nowhere_and_files_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="x">A</h1><a href="b.html#y">b</a><a href="c.html">c</a><a href="#z">z</a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="y">B</h1><script src="https://cdn.example/x.js"></script>')
    found = list(problems(tmp_path))
    assert len(found) == 3
    assert any("c.html" in line for line in found)
    assert any("#z" in line for line in found)
    assert any("loads https://cdn.example" in line for line in found)


def test_the_reference_has_every_key_command_and_name() -> None:
    import paribus

    keys = reference.study_file()
    for name in study_schema()["properties"]:
        assert f"`{name}" in keys, name
    for key in ("early_stop", "batch_size", "label_noise", "milestones", "momentum"):
        assert f"| `{key}` |" in keys
    commands = reference.command_line()
    top = parser()
    for action in top._actions:
        if action.choices:
            for name in action.choices:
                assert f"## paribus {name}\n" in commands
    assert "--until-decided" in commands
    names = reference.python_api()
    for name in paribus.__all__:
        if callable(getattr(paribus, name)) and name[0].islower():
            assert f"## paribus.{name}\n" in names
    assert "- `meters`: " in names
    assert "### Results.contrasts" in names
