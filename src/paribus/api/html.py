"""What a notebook shows of an object: small tables of HTML, every text of which is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

COLOURS: Final = {
    "SUPPORTED": "#1a7f45",
    "REFUTED": "#b3261e",
    "EQUIVALENT": "#1f5fa8",
    "INCONCLUSIVE": "#7a6a00",
}
"""Of verdicts, dark enough to be read on white."""
_CELL: Final = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table; a cell that is a verdict has its colour."""
    head = "".join(f'<th style="{_CELL}" scope="col">{escape(title)}</th>' for title in headings)
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    above = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def paragraph(text: str, strong: str = "") -> str:
    """A paragraph, with the word before it in bold and, if it is a verdict, in its colour."""
    word = f"<strong{_style(strong)}>{escape(strong)}</strong> " if strong else ""
    return f"<p>{word}{escape(text)}</p>"


def _cell(text: str) -> str:
    strong = text in COLOURS
    inner = f"<strong{_style(text)}>{escape(text)}</strong>" if strong else escape(text)
    return f'<td style="{_CELL}">{inner}</td>'


def _style(word: str) -> str:
    return f' style="color:{COLOURS[word]}"' if word in COLOURS else ""
