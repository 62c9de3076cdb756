"""Plain values to JSON text in the database, and back, without loss."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

_NON_FINITE = "non-finite"
"""JSON has no NaN and no infinity: they are written as {"non-finite": "nan"}, which no other recorded value is."""


def dump(value: Mapping[str, Any]) -> str:
    """JSON text with sorted keys. Tuples become lists, NumPy scalars numbers. Raises TypeError for anything else."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def load(text: str) -> dict[str, Any]:
    """What `dump` was given. Raises ValueError where the text is no JSON object."""
    value = json.loads(text, object_hook=_restored)
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return cast("dict[str, Any]", value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _plain(cast("Any", value.item()))
    if isinstance(value, float) and not math.isfinite(value):
        return {_NON_FINITE: str(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    return cast("Any", value)


def _restored(found: dict[str, Any]) -> Any:
    return float(found[_NON_FINITE]) if found.keys() == {_NON_FINITE} else found
