"""How commands print: data on stdout, messages on stderr.

Names come from study files, workspaces and folders that others may have made. So no character of theirs controls the
terminal, and no cell of a CSV file is read as a formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from paribus.cli.terminal import MESSAGES, escaped
from paribus.errors import printable


def print_message(text: str) -> None:
    """Print one line for the person at the terminal, if there still is a terminal."""
    MESSAGES.write(f"paribus: {escape_controls(text)}\n")
    MESSAGES.flush()


def escape_controls(text: str) -> str:
    """`text` with escapes for all that controls a terminal: control characters, line ends, marks that change the
    direction of writing. Spaces of every kind stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else escaped(c) for c in text)


class _MessageHandler(logging.Handler):
    """Prints log records as messages."""

    def emit(self, record: logging.LogRecord) -> None:
        print_message(printable(record.getMessage()))


_HANDLER = _MessageHandler()


def print_log() -> None:
    """From now on print what paribus logs at level info and above, such as where data is downloaded from."""
    log = logging.getLogger("paribus")
    log.addHandler(_HANDLER)  # a second time changes nothing
    log.setLevel(logging.INFO)


def print_line(text: str = "") -> None:
    """Print data as a line of text."""
    print(escape_controls(text))


def print_json(data: object) -> None:
    """Print one JSON value in ASCII, which every encoding of stdout can carry.

    A number that is not finite becomes null, as JSON has none.
    """
    print(json.dumps(_finite(data), indent=1, ensure_ascii=True, allow_nan=False))


def print_csv(rows: Iterable[Sequence[object]]) -> None:
    """Print rows for a spreadsheet: RFC 4180 with the line ends of this system; None is an empty field.

    Text that a spreadsheet would read as a formula is preceded by an apostrophe, as in the report's tables.
    """
    from paribus.report.writing import field

    lines = ([field(escape_controls(value) if isinstance(value, str) else value) for value in row] for row in rows)
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def print_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print aligned columns; the first row holds the headings. Columns numbered in `right` are right-aligned."""
    shown = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def format_number(value: float | None, digits: int = 6) -> str:
    """A number as tables show it, or a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _finite(data: object) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in cast("Mapping[object, object]", data).items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast("Sequence[object]", data)]
    return data
