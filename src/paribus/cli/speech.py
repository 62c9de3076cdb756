"""How verbs speak: data on stdout, talk on stderr.

Names come from study files, workspaces and folders that others may have made. Whatever is printed, no character of
theirs is obeyed by a terminal, and no cell of a CSV file is taken for a formula by a spreadsheet.
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

from paribus.errors import printable


def talk(line: str) -> None:
    """One line for the person at the terminal."""
    print(f"paribus: {inert(line)}", file=sys.stderr, flush=True)


def inert(text: str) -> str:
    """`text` with all that a terminal would obey instead of show written out: control characters, line ends, marks
    that change the direction of writing. Spaces of every kind stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class _Relay(logging.Handler):
    """Passes on what the program's floors log."""

    def emit(self, record: logging.LogRecord) -> None:
        talk(printable(record.getMessage()))


_RELAY = _Relay()


def relay_log() -> None:
    """From now on talk of what the floors below log, such as where data is fetched from: from level info up."""
    log = logging.getLogger("paribus")
    log.addHandler(_RELAY)  # a second time changes nothing
    log.setLevel(logging.INFO)


def tell(text: str = "") -> None:
    """Data, as a line of text."""
    print(inert(text))


def tell_json(data: object) -> None:
    """Data for a program: one JSON value; a number that is not finite becomes null, as JSON knows none."""
    text = json.dumps(_finite(data), indent=1, ensure_ascii=False)
    print("\n".join(_escaped_for_json(line) for line in text.split("\n")))


def tell_csv(rows: Iterable[Sequence[object]]) -> None:
    """Data for a spreadsheet: RFC 4180 but for line ends, which are this system's; None is an empty field.

    Text that a spreadsheet would take for a formula is preceded by an apostrophe, as in the report's tables.
    """
    from paribus.report.writing import field

    lines = ([field(inert(value) if isinstance(value, str) else value) for value in row] for row in rows)
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def tell_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Aligned columns, the first row being the heading. Columns numbered in `right` are set flush right."""
    shown = [[inert(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def number(value: float | None, digits: int = 6) -> str:
    """A number as tables show it, or a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escaped_for_json(line: str) -> str:
    """JSON leaves some of what terminals obey as it is (C1 controls, marks of direction); it stands in strings only."""
    return "".join(c if inert(c) == c else json.dumps(c)[1:-1] for c in line) if inert(line) != line else line


def _finite(data: object) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in cast("Mapping[object, object]", data).items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast("Sequence[object]", data)]
    return data
