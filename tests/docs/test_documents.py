"""Every code block of the documents does what the reader is told: nothing that is shown is only thought to work."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks, commands, documents
from tests.docs.session import ROOT, Session

DOCUMENTS = documents(ROOT)
HOW_TOS = [path for path in DOCUMENTS if path.parent.name == "how-to" and path.name != "README.md"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_a_document_can_be_followed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # where Python finds a reader's own files
    monkeypatch.delenv("PARIBUS_WORKSPACE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def printed() -> str:
        captured = capfd.readouterr()
        return captured.out or captured.err

    session = Session(printed)
    try:
        for block in blocks(path.read_text(encoding="utf-8")):
            try:
                session.run(block)
            except Exception as error:
                error.add_note(f"{name(path)}, line {block.line}")
                raise
    finally:
        log = logging.getLogger("paribus")
        log.handlers.clear()
        log.setLevel(logging.NOTSET)
        for own in tmp_path.glob("*.py"):
            sys.modules.pop(own.stem, None)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    found = [(name(path), block) for path in DOCUMENTS for block in blocks(path.read_text(encoding="utf-8"))]
    marked = [(path, block.not_run) for path, block in found if block.not_run is not None]
    assert all(len(reason or "") > 10 for _, reason in marked)
    assert {path for path, _ in marked if "how-to" in path} <= {"docs/how-to/live-page.md"}  # it serves until Ctrl-C
    assert len(marked) <= 9


@pytest.mark.parametrize("path", HOW_TOS, ids=name)
def test_a_how_to_is_short_and_in_the_list(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert any(block.language == "sh" for block in blocks(text))
    assert f"({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), target


TEXT = """
```toml
# mine.toml
name = "x"
```
<!-- not run: it would take an hour -->
```sh
paribus run a.toml  # comment
$ paribus table a; paribus status \\
    --json
```
"""


def test_blocks_are_read_as_people_read_them() -> None:
    assert blocks(TEXT) == [
        Block("toml", '# mine.toml\nname = "x"\n', 2, file="mine.toml"),
        Block(
            "sh",
            "paribus run a.toml  # comment\n$ paribus table a; paribus status \\\n    --json\n",
            7,
            not_run="it would take an hour",
        ),
    ]
    assert commands(blocks(TEXT)[1].text) == ["paribus run a.toml", "paribus table a", "paribus status      --json"]


@pytest.mark.parametrize("text", ["```toml\nname = 1\n", "    paribus run x\n"])
def test_blocks_that_nobody_could_run_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        blocks(text)


WRONG = {
    "an unknown key": Block("toml", 'nme = "x"\n', 1),
    "an unknown key of a table": Block("toml", "[data]\nsuorce = 3\n", 1),
    "an unknown option": Block("sh", "paribus run --fast x.toml\n", 1),
    "a mistake": Block("sh", "paribus plan none.toml\n", 1),
    "another program": Block("sh", "rm -r x\n", 1),
    "no target of make": Block("sh", "make studdy\n", 1),
    "Python that fails": Block("python", "1 / 0\n", 1),
    "text that is not printed": Block("text", "accuracy 0.99\n", 1),
    "an unknown language": Block("jsn", "{}\n", 1),
    "no language": Block("", "paribus run\n", 1),
}


@pytest.mark.parametrize("block", WRONG.values(), ids=WRONG)
def test_what_does_not_work_fails(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session = Session(lambda: capsys.readouterr().out)
    with pytest.raises((AssertionError, AttributeError, SystemExit, ZeroDivisionError)):
        session.run(block)
