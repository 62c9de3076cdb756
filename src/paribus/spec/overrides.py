"""Tables merged into tables: an arm into the study's base, `--set` into the file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from paribus.errors import UserError, nearest
from paribus.spec.label_noise import DEFAULT_KIND as DEFAULT_LABEL_NOISE
from paribus.spec.losses import CrossEntropy
from paribus.spec.network import DEFAULT_NETWORK

SHORT_FOR = {
    "replicates": "count",
    "inputs": "key",
    "split": "by",
    "label_noise": "share",
    "network": "kind",
    "activation": "kind",
    "init": "kind",
    "loss": "kind",
    "schedule": "kind",
}
"""Tables for which one value can be given, and the key that the value is for: `loss = "mse"` is short for
`loss = { kind = "mse" }`."""

_DEFAULT_KINDS: dict[str, object] = {
    "network": DEFAULT_NETWORK,
    "loss": CrossEntropy.model_fields["kind"].default,
    "label_noise": DEFAULT_LABEL_NOISE,
}
"""Tables that need not name their kind."""


@dataclass(frozen=True)
class Override:
    """A value that `--set` gave.

    `written` is the key as it was written. `where` is what it reaches into: "arms[1]", "factors", or "" for the file's
    own tables; `words` is the key within that, word by word.
    """

    written: str
    where: str
    words: tuple[str, ...]


def as_table(value: object) -> dict[str, Any] | None:
    """`value` as a TOML table (whose keys are text), or None where it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` merged into `base`, table by table. A table that names another `kind` replaces the one below it whole, and
    one that names another `module` or `function` has no arguments from below."""
    return {**base, **{key: _merged_value(key, base.get(key), value) for key, value in over.items()}}


def _merged_value(key: str, below: object, above: object) -> Any:
    if as_table(below) is None and as_table(above) is None:
        return above
    low, high = as_table(_written_out(key, below)), as_table(_written_out(key, above))
    if low is None or high is None:
        return above
    kind = low.get("kind", _DEFAULT_KINDS.get(key))
    for code in ("module", "function"):
        if code in high and high[code] != low.get(code):  # arguments are those of one class or function
            low = {name: below for name, below in low.items() if name != "arguments"}
    return merged(low, high) if high.get("kind", kind) == kind else above


def _written_out(key: str, value: object) -> object:
    """The table that a single value is short for: `replicates = 5` is `replicates = { count = 5 }`."""
    if key == "loss" and isinstance(value, str) and ".py:" in value:
        return {"kind": "function", "function": value}
    return {SHORT_FOR[key]: value} if key in SHORT_FOR and isinstance(value, int | float | str) else value


def apply_override(document: dict[str, Any], key: str, value: str) -> Override:
    """Set dotted `key` of a study document, in place, to `value` in TOML notation (bare words are text).

    `arms.NAME.optimizer.lr` reaches into the arm of that name, `factors.optimizer.lr` gives that factor's levels; any
    other key reaches into the file's own tables. A table replaces the one that the file has.
    """
    place = f"--set {key}"
    words = key.split(".")
    if not all(words):
        raise UserError("must be a dotted key", given=key, place="--set", remedy="write --set optimizer.lr=0.01")
    table, where = document, ""
    if words[0] == "arms" and len(words) > 2:
        table, where, words = _arm_table(document, words[1:], place)
    elif words[0] == "factors" and len(words) > 1:
        table, where, words = _inner(document, "factors", key, place), "factors", [".".join(words[1:])]
    *path, last = words
    for word in path:
        table = _inner(table, word, key, place)
    found = _toml_value(value)
    table[last] = found if as_table(found) is not None else _merged_value(last, table.get(last), found)
    return Override(key, where, tuple(word for part in words for word in part.split(".")))


def _inner(table: dict[str, Any], word: str, key: str, place: str) -> dict[str, Any]:
    """The table at `word` of a table, made or written out where it is not there as a table."""
    inner = as_table(_written_out(word, table.get(word, {})))
    if inner is None:
        rule, remedy = "must lead into a table", f"{word} is not one"
        raise UserError(rule, given=key, place=place, remedy=remedy)
    table[word] = inner
    return inner


def _arm_table(document: dict[str, Any], words: list[str], place: str) -> tuple[dict[str, Any], str, list[str]]:
    """The arm's own table, where it is, and the words behind the arm's name."""
    arms: object = document.get("arms")
    tables = [as_table(entry) for entry in cast("list[object]", arms)] if isinstance(arms, list) else []
    by_name = {str(table.get("name")): (i, table) for i, table in enumerate(tables) if table is not None}
    for split in range(len(words) - 1, 0, -1):  # an arm's name may itself contain dots
        name = ".".join(words[:split])
        if name in by_name:
            i, table = by_name[name]
            return table, f"arms[{i}]", words[split:]
    raise UserError("must name an arm of the study", given=words[0], place=place, remedy=nearest(words[0], by_name))


def _toml_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text  # a line break in `text` could begin a second key
