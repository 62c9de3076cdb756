from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typst
from PIL import Image

from paribus.analysis.results import Results
from paribus.report.blocks import Fold, Notes, Table, Verdict, within
from paribus.report.page import Page, compose
from paribus.report.pdf.typesetting import MAIN, pdf, sources, typeset
from paribus.report.pdf.words import BREAK
from paribus.report.writing import tied

MARKUP = '#show *bold* _it_ $x^2$ <l> @r \\n [b] {c} "q" `r` // שלום'
LONG = "w" * 60
MARGIN_MM = 18


@dataclass(frozen=True)
class Printed:
    """A page, and all that Typst makes its PDF of."""

    page: Page
    sources: dict[str, bytes]

    @classmethod
    def of(cls, results: Results) -> Printed:
        page = compose(results)
        return cls(page, sources(page))

    def headings(self, folder: Path) -> list[str]:
        """The bookmarks of the document, as Typst itself lists them."""
        for name, content in self.sources.items():
            (folder / name).write_bytes(content)
        found = json.loads(typst.query(str(folder / MAIN), "heading", field="body", root=str(folder)))
        return ["".join(spoken(body)).replace(BREAK, "") for body in found]

    @cached_property
    def words(self) -> str:
        """The text of the PDF by Poppler, spaces and places where a word may break left out."""
        if shutil.which("pdftotext") is None:
            pytest.skip("pdftotext is not installed: the text of a PDF cannot be read")
        (content,) = typeset(self.sources)
        done = subprocess.run(
            ["pdftotext", "-raw", "-", "-"], input=content, capture_output=True, check=True, timeout=60
        )
        return tight(done.stdout.decode())

    def has_clear_margins(self) -> bool:
        """Whether nothing is drawn in the outer margins at the left and the right of any page."""
        ppi = 60
        edge = round(MARGIN_MM / 25.4 * ppi)
        for content in typeset(self.sources, form="png", ppi=ppi):
            with Image.open(io.BytesIO(content)) as image:
                grey = np.asarray(image.convert("L"))
            if (grey[:, :edge] < 250).any() or (grey[:, -edge:] < 250).any():
                return False
        return True


def spoken(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        if "text" in content and isinstance(content["text"], str):
            yield content["text"]
        for key, part in content.items():
            if key != "text" or not isinstance(part, str):
                yield from spoken(part)
    elif isinstance(content, list):
        for part in content:
            yield from spoken(part)


def tight(text: str) -> str:
    """Text as it is set, without the spaces and breaks between its letters."""
    return "".join(tied(text).split()).replace(BREAK, "")


@pytest.fixture(scope="module", params=["faces", "selection", "noisy"])
def printed(request: pytest.FixtureRequest) -> Printed:
    return Printed.of(request.getfixturevalue(f"{request.param}_results"))


def test_every_section_is_a_bookmark_and_what_is_folded_stands_in_the_appendix(
    printed: Printed, tmp_path: Path
) -> None:
    found = printed.headings(tmp_path)
    sections = printed.page.sections
    assert [section.title for section in sections] == found[: len(sections)]
    appendix = " ".join(found[len(sections) :])
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Fold) or (isinstance(block, Table) and block.fold):
                assert block.title in appendix


def test_every_table_is_printed_whole(printed: Printed) -> None:
    blocks = [block for section in printed.page.sections for block in within(section.blocks)]
    tables = [block for block in blocks if isinstance(block, Table)]
    assert len(tables) > 5
    cells = [f"{cell.text} {cell.faint}" for table in tables for row in table.cells for cell in row]
    wanted = {tight(word) for text in (*cells, *(table.title for table in tables)) for word in text.split()}
    assert {word for word in wanted if word not in printed.words} == set()


def test_verdicts_and_findings_are_printed_and_nothing_that_only_a_screen_can_do(printed: Printed) -> None:
    for section in printed.page.sections:
        for block in within(section.blocks):
            if isinstance(block, Verdict):
                assert tight(block.statement) in printed.words
                assert tight(block.sentence) in printed.words
            if isinstance(block, Notes):
                assert all(tight(note.sentence) in printed.words for note in (*block.notes, *block.rest))
    for hint in ("Drag", "Click", "click", "scroll"):
        assert hint not in printed.words


def test_nothing_reaches_into_the_margins(printed: Printed) -> None:
    assert printed.has_clear_margins()


def test_equal_pages_have_equal_bytes(plain_results: Callable[..., Results]) -> None:
    assert pdf(compose(plain_results())) == pdf(compose(plain_results()))


def test_names_from_outside_are_words_and_never_markup(plain_results: Callable[..., Results], tmp_path: Path) -> None:
    printed = Printed.of(plain_results(arm=MARKUP, title=MARKUP, question=f"{MARKUP} {LONG}"))
    assert printed.headings(tmp_path)[0] == printed.page.sections[0].title
    assert json.loads(printed.sources["report.json"])["title"].replace(BREAK, "") == MARKUP
    assert printed.has_clear_margins()
    assert printed.words.count(tight("#show *bold* _it_ $x^2$ <l>")) > 3


@pytest.mark.parametrize("state", ["missing", "diverged"])
def test_a_study_without_results_has_a_pdf(plain_results: Callable[..., Results], tmp_path: Path, state: str) -> None:
    printed = Printed.of(plain_results(states={(arm, r): state for arm in ("one", "other") for r in (0, 1)}))
    assert "Methods" in printed.headings(tmp_path)
    assert printed.has_clear_margins()


def test_one_replicate_gets_no_verdict(plain_results: Callable[..., Results]) -> None:
    printed = Printed.of(plain_results(replicates=1))
    assert "INCONCLUSIVE" in printed.words
    assert printed.has_clear_margins()


def test_long_words_do_not_leave_the_page(plain_results: Callable[..., Results]) -> None:
    assert Printed.of(plain_results(arm=LONG, title=LONG)).has_clear_margins()


def test_a_page_without_sections_says_why(plain_results: Callable[..., Results]) -> None:
    page = replace(compose(plain_results()), sections=(), answer=("This page could not be made.",))
    assert tight("This page could not be made.") in Printed(page, sources(page)).words


def test_the_date_is_that_of_the_last_record(plain_results: Callable[..., Results]) -> None:
    page = replace(compose(plain_results()), sections=())
    assert json.loads(sources(page)["report.json"])["day"] == [2025, 3, 1]
