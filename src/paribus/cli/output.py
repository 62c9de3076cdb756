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
from pathlib import Path
from typing import Any, cast

from paribus.cli.columns import lay_out, wrapped
from paribus.cli.terminal import MESSAGES, chosen_width, escaped, terminal_width
from paribus.errors import Shown, UserError, printable

_MIN_POINT_WIDTH = 30
"""Characters beside a label below which text is not set in a column."""


def print_message(text: str) -> None:
    """Print a line for the person at the terminal, if there still is a terminal; a long one is wrapped there."""
    _print_lines(wrapped(f"paribus: {escape_controls(text)}", _message_width(), indent="  ", break_words=False))


def print_error(error: UserError) -> None:
    """Print a mistake: one line, or its place, the problem and the remedy each on lines of their own.

    The latter on a terminal that is too narrow for the line.
    """
    width = _message_width()
    if len(f"paribus: {error}") <= width:
        print_message(str(error))
        return
    place, problem, remedy = map(escape_controls, error.parts)
    lines = wrapped(f"paribus: {place}:", width, indent="    ", break_words=False)
    for part in (f"{problem};", remedy):
        lines += wrapped(f"  {part}", width, indent="    ", break_words=False)
    _print_lines(lines)


def print_points(points: Sequence[tuple[str, str]]) -> None:
    """Print messages that each have a label before them: `SUPPORTED` and a claim.

    In columns on a terminal that is wide enough; elsewhere each is a message, `label: text`.
    """
    width, column = _message_width(), max((len(label) for label, _ in points), default=0) + 2
    if width == sys.maxsize or width - 2 - column < _MIN_POINT_WIDTH:
        for label, text in points:
            print_message(f"{label}: {text}")
        return
    for label, text in points:
        first, *more = wrapped(escape_controls(text), width - 2 - column, break_words=False)
        indented = [f"  {' ' * column}{line}" for line in more]
        _print_lines([f"  {escape_controls(label).ljust(column)}{first}", *indented])


def _message_width() -> int:
    """Characters that a line of a message may have; no limit where no terminal shows it."""
    width = (chosen_width() or terminal_width(sys.stderr)) if MESSAGES.isatty() else None
    return width or sys.maxsize


def _print_lines(lines: Iterable[str]) -> None:
    MESSAGES.write("".join(f"{line}\n" for line in lines))
    MESSAGES.flush()


def escape_controls(text: str) -> str:
    """`text` with escapes for all that controls a terminal: control characters, line ends, marks that change the
    direction of writing. Spaces of every kind stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else escaped(c) for c in text)


class _MessageHandler(logging.Handler):
    """Prints log records as messages; those for programmers, such as a worker's traceback, line by line as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno <= logging.DEBUG:
            _print_lines(escape_controls(line) for line in record.getMessage().splitlines())
        else:
            print_message(printable(record.getMessage()))


_HANDLER = _MessageHandler()


def print_log(*, debug: bool = False) -> None:
    """From now on print what paribus logs at level info and above, such as where data is downloaded from.

    `debug` adds the tracebacks of workers.
    """
    log = logging.getLogger("paribus")
    log.addHandler(_HANDLER)  # a second time changes nothing
    log.setLevel(logging.DEBUG if debug else logging.INFO)


def print_line(text: str = "") -> None:
    """Print data as a line of text."""
    print(escape_controls(text))


def print_json(data: object) -> None:
    """Print one JSON value in ASCII, which every encoding of stdout can carry.

    A number that is not finite becomes null, as JSON has none, and no zero is negative.
    """
    print(json.dumps(_finite(data), indent=1, ensure_ascii=True, allow_nan=False))


def print_csv(rows: Iterable[Sequence[object]]) -> None:
    """Print rows for a spreadsheet: RFC 4180 with the line ends of this system; None is an empty field.

    Text that a spreadsheet would read as a formula is preceded by an apostrophe, as in the report's tables.
    """
    from paribus.report.writing import field

    lines = ([field(_cell(value)) for value in row] for row in rows)
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def print_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), flexible: Sequence[int] = ()) -> None:
    """Print aligned columns; the first row holds the headings. Columns numbered in `right` are right-aligned.

    On a terminal, or where COLUMNS is set, columns numbered in `flexible` give way where the table is too wide.
    """
    shown = [[escape_controls(cell) for cell in row] for row in rows]
    for line in lay_out(shown, data_width(), right=right, flexible=flexible):
        print(line)


def print_paragraph(text: str) -> None:
    """Print data as text that is wrapped where the terminal, or COLUMNS, is narrower."""
    for line in wrapped(escape_controls(text), data_width() or sys.maxsize):
        print(line)


def data_width() -> int | None:
    """Characters that a line of data may have: COLUMNS, else the terminal's width; None in a file or a pipe."""
    return chosen_width() or terminal_width(sys.stdout)


def write_new(target: Path, text: str, option: str) -> None:
    """Write a text file that must not exist yet; `option` is what named it. What cannot be written whole is removed."""
    remedy = f"name another with {option}"
    try:
        file = target.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        given = Shown("a file of that name" if target.is_file() else "something of that name")
        rule = "must not exist yet, as paribus overwrites nothing"
        raise UserError(rule, given=given, place=str(target), remedy=remedy) from None
    except FileNotFoundError:
        raise UserError("folder not found", given=Shown(""), place=str(target.parent), remedy=remedy) from None
    except OSError as error:
        given = Shown(error.strerror or "an error")
        raise UserError("must be a file that can be written", given=given, place=str(target), remedy=remedy) from None
    try:
        with file:
            file.write(text)
    except OSError:
        target.unlink()
        raise


def _cell(value: object) -> object:
    """A CSV cell's value: no text controls a terminal, and no zero is negative."""
    if isinstance(value, str):
        return escape_controls(value)
    return value + 0.0 if isinstance(value, float) else value  # -0.0 + 0.0 is 0.0


def _finite(data: object) -> Any:
    if isinstance(data, float):
        return data + 0.0 if math.isfinite(data) else None  # -0.0 + 0.0 is 0.0
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in cast("Mapping[object, object]", data).items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast("Sequence[object]", data)]
    return data
