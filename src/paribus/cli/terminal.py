"""The process's output streams: characters that they cannot encode, streams that are closed, terminals that vanish."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from threading import RLock
from typing import TextIO

ASCII_FORMS = {
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u2010": "-",
    "\u2011": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+/-",
    "×": "x",
    "·": "*",
    "•": "*",
    "…": "...",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "≠": "!=",
    "²": "^2",
    "³": "^3",
    "µ": "u",
    "μ": "u",
}
"""What is printed for a character that the stream's encoding does not have."""
REPLACE = "paribus.ascii"
"""The name of the codec error handler that prints these forms, and a backslash escape for any other character."""
_NAMES = ("stdin", "stdout", "stderr")
_CLEARED = "\r\x1b[K"
"""Goes to the beginning of the line and clears it."""


def prepare_streams() -> None:
    """Make every text printable on stdout and stderr, whatever their encoding, and open those that are closed.

    A process may start with descriptors 0 to 2 closed (`2>&-`). The next file that it opens would get such a
    descriptor, and whatever a library prints would end up in that file.
    """
    for descriptor, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one
            setattr(sys, name, os.fdopen(opened, "w" if descriptor else "r", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=REPLACE)  # type: ignore[union-attr]


def escaped(character: str) -> str:
    """The backslash escape of one character: `\\x1b`, `\\u202e`."""
    return character.encode("unicode_escape").decode("ascii")


def discard_if_broken(stream: TextIO) -> None:
    """Send `stream` to the null device if it can no longer be written, so that nothing fails again at exit."""
    try:
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def terminal_width(stream: TextIO) -> int | None:
    """Characters in a line of the terminal behind `stream`, or None where it is a file or a pipe."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def can_redraw(stream: TextIO) -> bool:
    """Whether what was written to `stream` can be replaced: a terminal that knows control sequences."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def chosen_width() -> int | None:
    """The environment's COLUMNS, or None where it is not a positive number."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) <= 5 and int(text) else None


class MessageStream:
    """stderr for messages: like the stream itself, but no failure to write is an error.

    A terminal can vanish while a study trains (a closed ssh session), and training must go on, or save and end.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._passing = ""

    def pass_by(self, line: str) -> None:
        """Show a line that the next one, or whatever is written next, takes the place of; "" takes it away.

        For terminals that can redraw (see `can_redraw`).
        """
        with self._lock:
            if line != self._passing:
                self.write(line)
                self._passing = line
                self.flush()

    @property
    def encoding(self) -> str:
        return sys.stderr.encoding

    def isatty(self) -> bool:
        return sys.stderr.isatty()

    def fileno(self) -> int:
        return sys.stderr.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            stream = sys.stderr
            before, self._passing = (_CLEARED if self._passing else ""), ""
            try:
                stream.write(f"{before}{text}")
            except (OSError, ValueError):
                _discard(stream)
            return len(text)

    def flush(self) -> None:
        discard_if_broken(sys.stderr)


MESSAGES = MessageStream()


def _discard(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # a stream in memory has no descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(ASCII_FORMS.get(character) or escaped(character) for character in text), error.end


codecs.register_error(REPLACE, _replace)
