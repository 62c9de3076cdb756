from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.report.blocks import Cell, Heading, Table
from paribus.report.pdf.tables import GUTTER_PT, SIDEWAYS_PT, UPRIGHT_PT, Part, column_widths, fitted, text_width


def made(cells: list[list[str]], *, numeric: bool = True) -> Table:
    headings = tuple(Heading(f"column {i}", numeric and i > 0) for i in range(len(cells[0])))
    rows = tuple(tuple(Cell(text) for text in row) for row in cells)
    return Table("made", "Made up", headings, rows, (), note="A note.")


def words(part: Part) -> list[list[str]]:
    return [[cell.text for cell in row] for row in part.table.cells]


def test_a_small_table_takes_no_more_than_it_needs() -> None:
    (part,) = fitted(made([["one", "0.5"], ["two", "0.25"]]))
    assert not part.sideways
    assert sum(part.widths) < UPRIGHT_PT / 2


def test_long_sentences_are_wrapped_beside_numbers() -> None:
    (part,) = fitted(made([["a sentence of some length, as notes are, that goes on for a while yet " * 3, "1"]]))
    assert not part.sideways
    assert sum(part.widths) <= UPRIGHT_PT + 1e-6
    assert part.widths[0] > 8 * part.widths[1]


def test_a_table_of_many_columns_lies_on_its_side() -> None:
    (part,) = fitted(made([["arm"] + ["85.13 % ± 0.25"] * 9]))
    assert part.sideways
    assert UPRIGHT_PT < sum(part.widths) <= SIDEWAYS_PT


def test_a_table_of_very_many_columns_is_cut_and_each_part_begins_with_the_names() -> None:
    numbers = [f"{i}.13 % ± 0.25" for i in range(40)]
    parts = fitted(made([["arm one", *numbers], ["arm two", *numbers]]))
    assert len(parts) > 2
    assert all(row[0].startswith("arm") for part in parts for row in words(part))
    assert [text for part in parts for text in words(part)[0][1:]] == numbers
    assert parts[0].table.title == f"Made up (part 1 of {len(parts)})"
    assert [part.table.note for part in parts] == [""] * (len(parts) - 1) + ["A note."]


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda columns: st.lists(
            st.lists(st.text(max_size=90), min_size=columns, max_size=columns), min_size=1, max_size=4
        )
    )
)
def test_every_column_is_printed_once_and_no_part_is_wider_than_its_page(cells: list[list[str]]) -> None:
    parts = fitted(made(cells))
    for part in parts:
        assert sum(part.widths) <= (SIDEWAYS_PT if part.sideways else UPRIGHT_PT) + 1e-6
        assert len(part.widths) == len(part.table.headings)
    titles = [heading.title for part in parts for heading in part.table.headings]
    assert set(titles) == {f"column {i}" for i in range(len(cells[0]))}


@pytest.mark.parametrize("room", [100.0, 300.0, 716.0])
def test_widths_add_up_to_the_room_where_words_are_wrapped(room: float) -> None:
    widths = column_widths(made([["a word or two and then some more words"] * 3]), room)
    if widths is not None:
        assert sum(widths) <= room + 1e-6


def test_a_long_note_gets_the_room_that_headings_of_several_words_leave() -> None:
    """Wrapped to as few lines as fit: no column of short words is wider at the note's cost."""
    note = "a note of some length that says what the arm has and the others do not " * 2
    made_up = made([["plain", "0.01", note]], numeric=False)
    headings = (*(Heading(f"weight decay of the optimizer {i}", numeric=True) for i in range(4)), Heading("note"))
    table = replace(made_up, headings=headings, cells=((*(Cell("0.001") for _ in range(4)), Cell(note)),))
    (part,) = fitted(table)
    *shorts, long = part.widths
    lines = text_width(note) / (long - GUTTER_PT)
    assert lines < 6
    assert all(width < long / 2 for width in shorts)
