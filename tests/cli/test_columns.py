from __future__ import annotations

import pytest

from paribus.cli.columns import MIN_WIDTH, lay_out, shortened, wrapped

ROWS = [
    ("study", "id", "runs", "findings"),
    ("selection", "0123456789ab", "12/12", "2 overfitting, 12 dead-units, 3 unmoved-units, collapse"),
    ("faces", "ba9876543210", "3/12", "-"),
]


def test_columns_are_aligned() -> None:
    assert lay_out([("arm", "n"), ("a", "10"), ("long", "3")], None, right=(1,)) == ["arm    n", "a     10", "long   3"]


def test_a_table_that_fits_is_left_alone() -> None:
    natural = lay_out(ROWS, None)
    assert lay_out(ROWS, max(map(len, natural)), flexible=(3,)) == natural


@pytest.mark.parametrize("width", [52, 60, 80])
def test_a_flexible_column_is_wrapped(width: int) -> None:
    lines = lay_out(ROWS, width, flexible=(3,))
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["study", "id", "runs", "findings"]
    start = lines[0].index("findings")
    assert " ".join(line[start:].strip() for line in lines[1:-1]) == ROWS[1][3]
    assert all(line[:start].strip() == "" for line in lines[2:-1])
    assert lines[-1].split() == ["faces", "ba9876543210", "3/12", "-"]


def test_the_widest_column_gives_way_first() -> None:
    lines = lay_out([("a", "b"), ("x" * 40, "y" * 20)], 52, flexible=(0, 1))
    assert [line.split() for line in lines[1:]] == [["x" * 30, "y" * 20], ["x" * 10]]


@pytest.mark.parametrize("width", [30, 40, 50])
def test_a_last_column_without_space_moves_below(width: int) -> None:
    lines = lay_out(ROWS, width, flexible=(3,))
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["study", "id", "runs"]
    assert lines[1].split() == ["selection", "0123456789ab", "12/12"]
    assert " ".join(line.strip() for line in lines[2:-1]) == f"findings: {ROWS[1][3]}"
    assert lines[-1].split() == ["faces", "ba9876543210", "3/12"]


@pytest.mark.parametrize("width", [16, 20, 29])
def test_a_table_that_cannot_be_narrowed_becomes_a_list(width: int) -> None:
    lines = lay_out(ROWS, width, flexible=(3,))
    assert max(map(len, lines)) <= width
    assert lines[0] == "study selection"
    assert " ".join(line.strip() for line in lines[1 : lines.index("study faces")]) == (
        f"id: 0123456789ab, runs: 12/12, findings: {ROWS[1][3]}"
    )


def test_no_column_becomes_a_tower_of_words() -> None:
    rows = [("a", "b"), ("word " * 8, "word " * 8)]
    assert len(lay_out(rows, 2 * MIN_WIDTH + 2, flexible=(0, 1))) == 1 + 2


def test_long_words_are_broken_or_kept_in_one_piece() -> None:
    path = "/" + "folder/" * 10 + "study.toml"
    assert "".join(wrapped(f"at {path}", 20)).replace(" ", "") == f"at{path}"
    assert wrapped(f"at {path} it ends", 20, indent="  ", break_words=False) == ["at", f"  {path}", "  it ends"]


def test_a_text_is_shortened_to_a_width() -> None:
    assert [shortened("abcdef", width) for width in (6, 5, 3, 2)] == ["abcdef", "ab...", "...", ".."]
