"""Tables of text that fit a terminal: columns are narrowed by wrapping their cells; a table too wide becomes a list."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = 2
"""Spaces between two columns."""
MIN_WIDTH = 12
"""No column is narrowed further than this."""
MAX_ARMS_LENGTH = 60
"""Of the names of a cohort's arms, where they are listed."""


def lay_out(
    rows: Sequence[Sequence[str]], width: int | None, *, right: Sequence[int] = (), flexible: Sequence[int] = ()
) -> list[str]:
    """The lines of a table whose first row holds the headings.

    Columns numbered in `right` are right-aligned. Where the table is wider than `width` characters, the widest of the
    columns numbered in `flexible` are narrowed and their cells wrapped. Where that is not enough, each row becomes a
    paragraph: its first cell, then `heading cell` for the others. `width` None is no limit.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        widths = _narrowed(widths, width, flexible)
        if _total(widths) > width:
            return _paragraphs(rows, width)
    lines: list[str] = []
    for row in rows:
        cells = [wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
        for height in range(max(map(len, cells))):
            parts = [cell[height] if height < len(cell) else "" for cell in cells]
            padded = [
                part.rjust(size) if place in right else part.ljust(size)
                for place, (part, size) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append((" " * GAP).join(padded).rstrip())
    return lines


def wrapped(text: str, width: int, *, indent: str = "", break_words: bool = True) -> list[str]:
    """`text` in lines of at most `width` characters, broken at spaces; the second and later lines begin with `indent`.

    A word that is longer than a line is broken, or stands alone on a line that is too long (so that a path can be
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


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


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
        rest = ", ".join(f"{heading} {cell}" for heading, cell in zip(headings[1:], row[1:], strict=True))
        lines += wrapped(row[0], width)
        lines += [f"  {line}" for line in wrapped(rest, max(MIN_WIDTH, width - 2))]
    return lines
