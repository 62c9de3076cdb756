"""How wide the columns of a printed table are, and whether it fits upright, on its side, or in parts.

Widths are estimated from the characters, a little too wide rather than too narrow: then nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from paribus.report.blocks import Cell, Table
from paribus.report.pdf.words import BREAK, breakable
from paribus.report.writing import tied

UPRIGHT_PT: Final = 470.0
"""The width of the text on an A4 page with margins of 22 mm."""
SIDEWAYS_PT: Final = 716.0
"""The same on a page that lies on its side."""
FONT_PT: Final = 8.5
SMALL_FONT_PT: Final = 7.3
"""Of a table that fits upright with it and does not with `FONT_PT`."""
GUTTER_PT: Final = 9.0
"""The space that a column takes beside its text."""
MOST_LINES: Final = 7
"""A cell of more lines is too narrow to read."""
LEADING_COLUMNS: Final = 2
"""At most this many columns of words at the left are repeated where a table is cut into parts."""
_WIDE: Final = 0.7
_PLAIN: Final = 0.49
_NARROW: Final = 0.33
_NARROW_LETTERS: Final = frozenset("iljtfI.,:;'|!()[]/ \u00a0-")
_BOLD: Final = 1.1


@dataclass(frozen=True)
class Part:
    """A table, or a part of its columns, and the width of each column and the height of its font in points."""

    table: Table
    widths: tuple[float, ...]
    font: float = FONT_PT
    sideways: bool = False


def fitted(table: Table) -> tuple[Part, ...]:
    """The table upright if it fits, else on its side, else cut into parts of fewer columns that fit on their side."""
    for room, font, sideways in (
        (UPRIGHT_PT, FONT_PT, False),
        (UPRIGHT_PT, SMALL_FONT_PT, False),
        (SIDEWAYS_PT, FONT_PT, True),
    ):
        widths = column_widths(table, room, font)
        if widths is not None:
            return (Part(table, widths, font, sideways),)
    return tuple(_cut(table))


def column_widths(table: Table, room: float, font: float = FONT_PT) -> tuple[float, ...] | None:
    """A width for each column in points that add up to at most `room`; None where the words do not fit.

    Columns have what their longest cell takes. Where that is too much, all cells are wrapped to as few lines as fit:
    each column has that part of what it wants, and at least its longest word.
    """
    scale = font / FONT_PT
    wanted = [_wanted(table, place) * scale + GUTTER_PT for place in range(len(table.headings))]
    if sum(wanted) <= room:
        return tuple(wanted)
    least = [_least(table, place) * scale + GUTTER_PT for place in range(len(table.headings))]
    few, many = 1.0, float(MOST_LINES)
    if sum(_wrapped(wanted, least, many)) > room:
        return None
    for _ in range(50):
        lines = (few + many) / 2
        fits = sum(_wrapped(wanted, least, lines)) <= room
        few, many = (few, lines) if fits else (lines, many)
    return _wrapped(wanted, least, many)


def _wrapped(wanted: Sequence[float], least: Sequence[float], lines: float) -> tuple[float, ...]:
    """The width that each column needs if its words take this many lines, at least that of its longest word."""
    return tuple(max(word, most / lines) for most, word in zip(wanted, least, strict=True))


def text_width(text: str, font_pt: float = FONT_PT) -> float:
    """About how wide a line of text is, in points."""
    return font_pt * sum(map(_letter, text))


def broken(text: str, width: float, font: float = FONT_PT) -> str:
    """Text for a column of this width, whose words can be broken where they are too long for it."""
    room = (width - GUTTER_PT) * FONT_PT / font
    words = (_broken_word(word, room) for word in text.split(" "))
    return " ".join(words)


def _broken_word(word: str, room: float) -> str:
    return breakable(word, max(2, int(room / (FONT_PT * _WIDE)))) if text_width(word) > room + 0.01 else breakable(word)


def _letter(letter: str) -> float:
    if letter == BREAK:
        return 0.0
    if letter in _NARROW_LETTERS:
        return _NARROW
    return _WIDE if letter.isupper() or letter in "mwMW%–—" else _PLAIN if ord(letter) < 0x2E80 else 1.0


def cell_lines(cell: Cell) -> tuple[str, ...]:
    """What stands in a cell, line by line, if nothing is wrapped."""
    first = f"{cell.text} {cell.faint}" if cell.faint and not cell.below else cell.text
    return (first, cell.faint) if cell.faint and cell.below else (first,)


def _cells(table: Table, place: int) -> list[str]:
    lines = [line for row in table.cells for line in cell_lines(row[place])]
    return [tied(line) for line in lines]


def _mark(table: Table, place: int) -> float:
    """The room for an arm's dot."""
    return FONT_PT if any(row[place].arm is not None for row in table.cells) else 0.0


def _wanted(table: Table, place: int) -> float:
    title = text_width(table.headings[place].title) * _BOLD
    widest = max((text_width(line) for line in _cells(table, place)), default=0.0)
    return max(title, widest + _mark(table, place))


def _least(table: Table, place: int) -> float:
    title = max((text_width(word) for word in _words(table.headings[place].title)), default=0.0) * _BOLD
    words = (text_width(word) for line in _cells(table, place) for word in _words(line))
    return max(title, max(words, default=0.0) + _mark(table, place))


def _words(text: str) -> list[str]:
    return breakable(text).replace(BREAK, " ").split(" ")


def _cut(table: Table) -> list[Part]:
    """Parts that fit on their side, each with the words at the left, columns in their order."""
    first = next((i for i, heading in enumerate(table.headings) if heading.numeric), 1)
    kept = list(range(min(first, LEADING_COLUMNS, len(table.headings) - 1)))
    groups: list[list[int]] = []
    for place in range(len(kept), len(table.headings)):
        group = [*groups[-1], place] if groups else [*kept, place]
        if groups and column_widths(_columns(table, group), SIDEWAYS_PT) is not None:
            groups[-1] = group
        else:
            groups.append([*kept, place])
    return [_part(_columns(table, group), number, len(groups)) for number, group in enumerate(groups, start=1)]


def _part(table: Table, number: int, parts: int) -> Part:
    widths = column_widths(table, SIDEWAYS_PT)
    if widths is None:  # one column alone is too wide: its words are broken where they must be
        even = SIDEWAYS_PT / len(table.headings)
        least = [min(_least(table, place) + GUTTER_PT, even) for place in range(len(table.headings))]
        widths = tuple(width * SIDEWAYS_PT / max(sum(least), 1.0) for width in least)
    title = f"{table.title} (part {number} of {parts})" if parts > 1 else table.title
    note = table.note if number == parts else ""
    return Part(replace(table, title=title, note=note), widths, sideways=True)


def _columns(table: Table, places: Sequence[int]) -> Table:
    headings = tuple(table.headings[place] for place in places)
    return replace(table, headings=headings, cells=tuple(tuple(row[place] for place in places) for row in table.cells))
