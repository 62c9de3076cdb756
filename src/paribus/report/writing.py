"""Files put in place whole: a reader sees the old one or the new one, never a half."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from paribus.errors import Shown, UserError
from paribus.report.blocks import Record

_NEGATIVE = re.compile(r"(?<![\w.,)\-])-(?=\.?\d)")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def put(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to a temporary file beside `path`, then rename it into place.

    Raises UserError where the folder cannot be written to.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(
            "must be a folder that can be written to",
            given=Shown(error.strerror or "an error"),
            place=str(path.parent),
            remedy="choose another folder",
        ) from None


def csv_text(records: Sequence[Record]) -> str:
    """Records as CSV (RFC 4180): a header from all their keys, numbers in full precision, nothing for None.

    Text that a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    keys = list(dict.fromkeys(key for record in records for key in record))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([field(key) for key in keys])
    for record in records:
        writer.writerow([field(record.get(key)) for key in keys])
    return buffer.getvalue()


def field(value: object) -> object:
    """A value as it stands in a CSV file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def tied(text: str) -> str:
    """Words as they are set: a true minus before negative numbers, and numbers on one line with their unit.

    A hyphen within a word, as in `lr-0.1`, `1e-05` or `2026-01-31`, stays one.
    """
    return (
        _NEGATIVE.sub("\u2212", text)
        .replace(" %", "\u00a0%")
        .replace(" ± ", "\u00a0±\u00a0")
        .replace(" = ", "\u00a0=\u00a0")
    )
