from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paribus.report.pdf.words import BREAK, CODE_LINE, breakable, clean, listing


@given(st.text(), st.integers(2, 40))
def test_long_words_can_be_broken_and_nothing_else_changes(text: str, longest: int) -> None:
    broken = breakable(text, longest)
    assert broken.replace(BREAK, "") == text.replace(BREAK, "")
    assert all(len(part) <= longest for word in broken.split() for part in word.split(BREAK))


def test_short_words_stay_as_they_are() -> None:
    assert breakable("max-val-accuracy 0.8512") == "max-val-accuracy 0.8512"


def test_no_character_turns_the_direction_or_controls_a_printer() -> None:
    assert clean("a\u202eb\u0007c\nd\u2066e") == "abc de"
    assert clean("שלום العربية é 日") == "שלום العربية é 日"


@given(st.text())
def test_lines_of_code_fit_the_page(text: str) -> None:
    assert all(len(line) <= CODE_LINE for line in listing(text).splitlines())


def test_code_goes_on_indented() -> None:
    first, second = listing("x = " + "word " * 30).splitlines()
    assert second.startswith("    word")
    assert (first + second.strip()).replace(" ", "") == "x=" + "word" * 30
