"""Words and lines of code as paper takes them: no control characters, and nothing longer than a line."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONG_WORD: Final = 22
"""In a table, words of more characters may be broken."""
CODE_LINE: Final = 100
"""Characters of the typewriter font in a line on paper."""
BREAK: Final = "\u200b"
"""A space without width: a line may end there."""
_WORD: Final = re.compile(r"\S+")
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the words around them."""
_INDENT: Final = "    "


def clean(text: str) -> str:
    """Text on one line without characters that control a printer or the direction of writing."""
    line = " ".join(text.splitlines())
    return "".join(c for c in line if c not in _TURNS and unicodedata.category(c) not in ("Cc", "Cs"))


def breakable(text: str, longest: int = LONG_WORD) -> str:
    """Text whose words of more than `longest` characters can be broken."""
    return _WORD.sub(lambda word: _split(word[0], longest), text)


def listing(text: str) -> str:
    """Lines of at most `CODE_LINE` characters: longer ones go on, indented, in the next."""
    lines = text.expandtabs(4).splitlines()
    return "\n".join(part for line in lines for part in _parts(clean(line)))


def _split(word: str, longest: int) -> str:
    if len(word) <= longest:
        return word
    step = max(1, longest // 2)
    return BREAK.join(word[start : start + step] for start in range(0, len(word), step))


def _parts(line: str) -> list[str]:
    found: list[str] = []
    while len(line) > CODE_LINE:
        space = line.rfind(" ", CODE_LINE // 2, CODE_LINE)
        end = CODE_LINE if space < 0 else space + 1
        found.append(line[:end])
        line = _INDENT + line[end:]
    return [*found, line]
