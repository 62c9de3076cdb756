"""What a reader has to read: few words in full sight, rules by their names, tables that fit a phone."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from paribus.analysis.results import Results
from paribus.report.blocks import Chart, Mention, Montage, Note, Notes, Table, within
from paribus.report.page import Page, compose, html
from paribus.report.writing import tied

MOST_WORDS = 1_500
"""Words in full sight: about 1,200, and some room for what is made up in these tests."""
RULES = ("max-val-accuracy", "min-val-loss", "min-train-loss", "max-test-accuracy")


class Sight(HTMLParser):
    """The words of a page that stand outside closed folds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("br", "img", "meta", "link", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        folds = self._open.count("details")
        if not {"script", "style", "title"} & set(self._open) and (
            not folds or (folds == 1 and "summary" in self._open)
        ):
            self.words += data.split()


@pytest.fixture(params=["faces_results", "selection_results", "noisy_results"])
def page(request: pytest.FixtureRequest) -> Page:
    return compose(request.getfixturevalue(request.param))


def test_a_page_has_few_words_in_full_sight(page: Page) -> None:
    assert len(Sight(html(page)).words) <= MOST_WORDS


def test_charts_name_rules_as_prose_does(page: Page) -> None:
    charts = [block for section in page.sections for block in within(section.blocks) if isinstance(block, Chart)]
    for chart in charts:
        lines = [str(row.get("line", "")) for row in chart.data.get("means", ())]
        words = " ".join([chart.title, chart.note, *(key.label for key in chart.legend), *lines])
        assert not [rule for rule in RULES if rule in words], chart.name


def test_the_table_of_results_has_few_columns_and_the_rest_folded(page: Page) -> None:
    section = next(section for section in page.sections if section.slug == "results")
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    assert len(tables["results"].headings) <= 6
    beside = tables["results-beside"]
    assert beside.fold
    assert beside.headings[0].title == "arm"
    assert set(beside.records[0]) < set(tables["results"].records[0])


def test_a_kind_of_finding_is_one_line_unless_it_is_grave(noisy_results: Results) -> None:
    page = compose(noisy_results)
    (notes,) = next(section for section in page.sections if section.slug == "findings").blocks
    assert isinstance(notes, Notes)
    text = html(page)
    in_sight = " ".join(Sight(text).words)
    folded = [note for note in notes.notes if note.arms and not note.grave]
    assert folded
    assert any(note.grave for note in notes.notes)
    for note in notes.notes:
        sentence = tied(note.sentence).replace("\u00a0", " ")
        assert (sentence in in_sight) == (note not in folded), note.label
        assert note.label in in_sight
    assert all(note.whose in in_sight for note in folded)


def test_of_many_arms_only_the_number_is_named() -> None:
    arms = tuple(Mention(place, name, "") for place, name in enumerate("abcd"))
    assert Note("k", "s", arms=arms[:2]).whose == "in a and b"
    assert Note("k", "s", arms=arms).whose == "in 4 arms"


def test_units_are_told_by_the_pointer_and_not_by_labels(faces_results: Results) -> None:
    page = compose(faces_results)
    strips = [
        strip
        for section in page.sections
        if section.slug == "weights"
        for block in within(section.blocks)
        if isinstance(block, Montage)
        for strip in block.strips
    ]
    assert strips
    assert not any(strip.label or strip.faint for strip in strips)
    assert all(strip.hover.startswith("unit ") for strip in strips)
    assert f'title="{strips[0].hover}"' in html(page)
