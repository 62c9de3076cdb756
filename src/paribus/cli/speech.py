"""How verbs speak: data on stdout, talk on stderr."""

from __future__ import annotations

import csv
import json
import logging
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from paribus.errors import printable


def talk(line: str) -> None:
    """One line for the person at the terminal."""
    print(f"paribus: {line}", file=sys.stderr, flush=True)


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
    """Data, as text."""
    print(text)


def tell_json(data: object) -> None:
    """Data for a program: one JSON value; a number that is not finite becomes null, as JSON knows none."""
    print(json.dumps(_finite(data), indent=1, ensure_ascii=False))


def tell_csv(rows: Iterable[Sequence[object]]) -> None:
    """Data for a spreadsheet: RFC 4180 but for line ends, which are this system's; None is an empty field."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


def tell_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Aligned columns, the first row being the heading. Columns numbered in `right` are set flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
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


def _finite(data: object) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in cast("Mapping[object, object]", data).items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast("Sequence[object]", data)]
    return data
