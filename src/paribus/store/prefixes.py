"""Ids given by their first digits, as `paribus status` prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from paribus.store.refusals import ambiguous

MIN_DIGITS = 6
"""Fewer digits name no study and no run: they could be a word."""

_PREFIX = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},}}")


def is_prefix(text: str) -> bool:
    """Whether `text` can be the beginning of an id."""
    return _PREFIX.fullmatch(text) is not None


def only_match(prefix: str, ids: Iterable[str], *, place: Path) -> str | None:
    """The only one of `ids` that begins with `prefix`, or None. Raises UserError where there are several."""
    found = [known for known in ids if known.startswith(prefix)] if is_prefix(prefix) else []
    if len(found) > 1:
        raise ambiguous(place, prefix, found)
    return found[0] if found else None
