"""Plain values to JSON text in the database, and back, without loss."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

_NON_FINITE = "non-finite"
"""JSON has no NaN and no infinity: they are written as {"non-finite": "nan"}, which no other recorded value is."""


def dump(value: Mapping[str, Any]) -> str:
    """JSON text with sorted keys. Tuples become lists, NumPy scalars numbers. Raises TypeError for anything else."""
    plain_value = plain(value, non_finite=lambda number: {_NON_FINITE: str(number)})
    return json.dumps(plain_value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def load(text: str) -> dict[str, Any]:
    """What `dump` was given. Raises ValueError where the text is no JSON object."""
    value = json.loads(text, object_hook=_restored)
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return cast("dict[str, Any]", value)


def plain(value: Any, *, non_finite: Callable[[float], Any]) -> Any:
    """`value` with text as keys, lists for tuples, plain numbers for NumPy scalars, and `non_finite` of NaN and inf."""
    if isinstance(value, np.generic):
        return plain(cast("Any", value.item()), non_finite=non_finite)
    if isinstance(value, float) and not math.isfinite(value):
        return non_finite(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value).items()
        return {str(key): plain(inner, non_finite=non_finite) for key, inner in entries}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(inner, non_finite=non_finite) for inner in cast("Sequence[Any]", value)]
    return cast("Any", value)


def _restored(found: dict[str, Any]) -> Any:
    return float(found[_NON_FINITE]) if found.keys() == {_NON_FINITE} else found
