"""Tables of text that fit a terminal: columns are narrowed by wrapping their cells; a table too wide becomes a list."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = 2
"""Spaces between two columns."""
MIN_WIDTH = 20
"""No column is narrowed further than this: text in a narrower one would be a tower of words."""
MAX_ARMS_LENGTH = 60
"""Of the names of a cohort's arms, where they are listed."""


def lay_out(
    rows: Sequence[Sequence[str]], width: int | None, *, right: Sequence[int] = (), flexible: Sequence[int] = ()
) -> list[str]:
    """The lines of a table whose first row holds the headings.

    Columns numbered in `right` are right-aligned. Where the table is wider than `width` characters, it is made narrower
    in three steps until it fits: the widest of the columns numbered in `flexible` are narrowed and their cells wrapped;
    the last column, if it is flexible, moves to lines of its own below each row; each row becomes a paragraph of
    `heading: cell`, after a line with the first. `width` None is no limit.
    """
    if width is None:
        return _aligned(rows, _natural(rows), right)
    widths = _narrowed(_natural(rows), width, flexible)
    if _total(widths) <= width:
        return _aligned(rows, widths, right)
    last = len(rows[0]) - 1
    if last in flexible:
        others = [row[:-1] for row in rows]
        widths = _narrowed(_natural(others), width, [place for place in flexible if place != last])
        if _total(widths) <= width:
            below = [[], *(_below(rows[0][last], row[last], width) for row in rows[1:])]
            return _aligned(others, widths, right, below)
    return _paragraphs(rows, width)


def wrapped(text: str, width: int, *, indent: str = "", break_words: bool = True) -> list[str]:
    """`text` in lines of at most `width` characters, broken at spaces; the second and later lines begin with `indent`.

    A word that is longer than a line is broken, or gets a line of its own that is too long (so that a path can be
    copied in one piece).
    """
    if len(text) <= width:
        return [text]
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=break_words, break_on_hyphens=False
    ) or [""]


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, its end replaced by dots where it is longer."""
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."[:width]


def _natural(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column's longest cell."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _aligned(
    rows: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[int], below: Sequence[Sequence[str]] = ()
) -> list[str]:
    """The table's lines; `below` holds lines to add after each row."""
    lines: list[str] = []
    for number, row in enumerate(rows):
        cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for height in range(max(map(len, cells))):
            parts = [cell[height] if height < len(cell) else "" for cell in cells]
            padded = [
                part.rjust(width) if place in right else part.ljust(width)
                for place, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append((" " * GAP).join(padded).rstrip())
        lines += below[number] if below else ()
    return lines


def _below(heading: str, cell: str, width: int) -> list[str]:
    """A cell of the last column below its row, if there is something in it."""
    return [] if cell in ("", "-") else [f"  {line}" for line in wrapped(f"{heading}: {cell}", width - 2, indent="  ")]


def _narrowed(widths: Sequence[int], width: int, flexible: Sequence[int]) -> list[int]:
    """Widths after the widest flexible columns have been narrowed, evenly, until the table fits or all are narrow."""
    narrowed = list(widths)
    while _total(narrowed) > width:
        widest = max(flexible, key=lambda place: narrowed[place], default=None)
        if widest is None or narrowed[widest] <= MIN_WIDTH:
            break
        narrowed[widest] -= 1
    return narrowed


def _paragraphs(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    headings, *content = rows
    lines: list[str] = []
    for row in content:
        rest = ", ".join(f"{heading}: {cell}" for heading, cell in zip(headings[1:], row[1:], strict=True))
        lines += wrapped(f"{headings[0]} {row[0]}", width)
        lines += [f"  {line}" for line in wrapped(rest, max(1, width - 2))]
    return lines
