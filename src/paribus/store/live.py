"""How training goes at this moment, for people: a small file that `paribus status` and the live page read.

It is not evidence: it is not durable, nothing is computed from it, and it may be lost at any time. A reader sees one
version of it or another, never a part of one. The writer deletes it when it closes; the file that a killed writer
leaves is deleted by the next writer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from paribus.store import jsontext
from paribus.store.disk import TEMPORARY

LIVE = "live.json"


def write_live(folder: Path, data: Mapping[str, Any]) -> None:
    """Replace the file in a workspace's folder. Where the disk does not allow it, nothing happens."""
    text = json.dumps(jsontext.plain(data, non_finite=lambda _: None), allow_nan=False)
    path = folder / LIVE
    with suppress(OSError):
        _temporary(path).write_text(text, encoding="ascii")
        _temporary(path).replace(path)


def read_live(folder: Path) -> Mapping[str, Any] | None:
    """What was last written, NaN and infinities as None; None where there is no such file or it is broken."""
    try:
        found = json.loads((folder / LIVE).read_bytes(), parse_constant=lambda _: None)
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def remove_live(folder: Path) -> None:
    """Delete the file."""
    with suppress(OSError):
        (folder / LIVE).unlink(missing_ok=True)
        _temporary(folder / LIVE).unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + TEMPORARY)
