"""A study's arms as its file gives them: one by one, or as the levels of factors crossed."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping
from typing import Any, cast

from paribus.errors import Shown
from paribus.spec.overrides import as_table
from paribus.spec.places import Place

MAX_ARMS = 10_000

Entry = tuple[str, dict[str, Any]]
"""Where an arm is in the file, "arms[1]" or "factors", and the keys that are its own."""


def arm_entries(document: Mapping[str, Any], place: Place) -> list[Entry]:
    """Every arm of a study document, from `[[arms]]` or from `[factors]`.

    Raises UserError where it gives none, or both.
    """
    arms, factors = document.get("arms"), document.get("factors")
    if (arms is None) == (factors is None):
        raise place.refused(
            "a study gives its arms either one by one in [[arms]] or as levels in [factors]",
            given=Shown("neither" if arms is None else "both"),
            remedy="keep exactly one of them",
        )
    return _crossed(factors, place) if arms is None else _listed(arms, place)


def _listed(arms: object, place: Place) -> list[Entry]:
    entries: list[object] = cast("list[object]", arms) if isinstance(arms, list) else []
    tables = [table for table in map(as_table, entries) if table is not None]
    if not tables or len(tables) < len(entries):
        rule = "must be a list of tables, at least one"
        raise place.refused(rule, given=cast("object", arms), key="arms", remedy="write [[arms]]")
    if len(tables) > MAX_ARMS:
        raise place.refused(f"must be at most {MAX_ARMS} arms", given=len(tables), key="arms", remedy="remove some")
    return [(f"arms[{i}]", table) for i, table in enumerate(tables)]


def _crossed(factors: object, place: Place) -> list[Entry]:
    """Every combination of the levels of every factor as one arm, named after its levels."""
    levels_of = _levels(factors, place)
    total = math.prod(map(len, levels_of.values()))
    if total > MAX_ARMS:
        rule = f"levels must cross to at most {MAX_ARMS} arms"
        raise place.refused(rule, given=total, key="factors", remedy="remove some levels")
    shared = [a for a, b in itertools.permutations(levels_of, 2) if a == b or b.startswith(f"{a}.")]
    if shared:
        rule = "no factor may be part of another"
        raise place.refused(rule, given=shared[0], key="factors", remedy="remove one of the two")
    entries: list[Entry] = []
    for levels in itertools.product(*levels_of.values()):
        chosen = dict(zip(levels_of, levels, strict=True))
        entry: dict[str, Any] = {"name": ", ".join(f"{key.rpartition('.')[2]}={_word(v)}" for key, v in chosen.items())}
        for key, level in chosen.items():
            *tables, last = key.split(".")
            table = entry
            for word in tables:
                table = table.setdefault(word, {})
            table[last] = copy.deepcopy(level)
        entries.append(("factors", entry))
    return entries


def _levels(factors: object, place: Place) -> dict[str, list[Any]]:
    table = as_table(factors)
    levels_of = {k: cast("list[Any]", v) for k, v in (table or {}).items() if isinstance(v, list) and all(k.split("."))}
    if not table or len(levels_of) < len(table) or not all(levels_of.values()):
        rule = "must map dotted keys in quotes to lists of levels"
        raise place.refused(rule, given=factors, key="factors", remedy='write "optimizer.lr" = [1e-3, 1e-2]')
    for key in levels_of:
        if key in ("name", "note"):
            rule, remedy = "must be a key of the configuration", "vary something that is trained"
            raise place.refused(rule, given=key, key="factors", remedy=remedy)
    return levels_of


def _word(level: object) -> str:
    """A level as part of an arm's name: `0.1`, `true`, `32-16`, or `cosine(min_lr=1e-05)` for a table."""
    table = as_table(level)
    if table is not None:
        others = ", ".join(f"{key}={_word(value)}" for key, value in table.items() if key != "kind")
        return f"{table.get('kind', '')}({others})" if others else str(table.get("kind", ""))
    if isinstance(level, bool):
        return str(level).lower()
    if isinstance(level, list):
        return "-".join(map(_word, cast("list[object]", level)))
    return str(level)
