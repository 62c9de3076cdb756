"""Tables laid over tables: an arm over the study's base, `--set` over the file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from paribus.errors import Shown, UserError


def as_table(value: object) -> dict[str, Any] | None:
    """`value` as a TOML table (whose keys are text), or None where it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, table by table. A table that names another `kind` replaces the one below it whole."""
    result = dict(base)
    for key, value in over.items():
        below, above = as_table(base.get(key)), as_table(value)
        if below is not None and above is not None and above.get("kind", below.get("kind")) == below.get("kind"):
            result[key] = merged(below, above)
        else:
            result[key] = value
    return result


def apply_override(document: dict[str, Any], key: str, value: str) -> None:
    """Set dotted `key` of a study document, in place, to `value` in TOML notation (bare words are text).

    `arms.NAME.optimizer.lr` reaches into the arm of that name, `factors.optimizer.lr` gives that factor's levels; any
    other key reaches into the file's own tables.
    """
    place = f"--set {key}"
    words = key.split(".")
    if not all(words):
        raise UserError("must be a dotted key", given=key, place="--set", remedy="write --set optimizer.lr=0.01")
    table = document
    if words[0] == "arms" and len(words) > 2:
        table, words = _arm_table(document, words[1:], place)
    elif words[0] == "factors" and len(words) > 1:
        words = ["factors", ".".join(words[1:])]
    *path, last = words
    for word in path:
        inner = as_table(_written_out(word, table.setdefault(word, {})))
        if inner is None:
            raise UserError("must lead into a table", given=key, place=place, remedy=f"{word} holds a value")
        table[word] = inner
        table = inner
    found, below = _toml_value(value), as_table(table.get(last))
    if below is not None and last in _SHORT_FOR and as_table(found) is None:
        below[_SHORT_FOR[last]] = found
    else:
        table[last] = found


_SHORT_FOR = {"replicates": "count", "split": "by", "label_noise": "share"}
"""Tables for which one value may stand, and the key that the value is then given to; for others that is `kind`."""


def _written_out(word: str, value: object) -> object:
    """The table that a short form stands for: `replicates = 5` is `replicates = { count = 5 }`."""
    if word in _SHORT_FOR and isinstance(value, int | float | str):
        return {_SHORT_FOR[word]: value}
    return {"kind": value} if isinstance(value, str) else value


def _arm_table(document: dict[str, Any], words: list[str], place: str) -> tuple[dict[str, Any], list[str]]:
    arms: object = document.get("arms")
    tables = [as_table(entry) for entry in cast("list[object]", arms)] if isinstance(arms, list) else []
    by_name = {str(table.get("name")): table for table in tables if table is not None}
    for split in range(len(words) - 1, 0, -1):  # an arm's name may itself hold dots
        name = ".".join(words[:split])
        if name in by_name:
            return by_name[name], words[split:]
    raise UserError("must name an arm of the study", given=words[0], place=place, remedy=nearest(words[0], by_name))


def _toml_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text  # a line break in `text` could begin a second key


def nearest(word: str, known: Iterable[str]) -> Shown:
    """A remedy for a word that is not known: the nearest one that is, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(word[:100], names, n=1, cutoff=0.5)
    if close:
        return Shown(f"did you mean {close[0]}?")
    return Shown(f"use one of {', '.join(names[:20])}" if names else "there is none to choose from")
