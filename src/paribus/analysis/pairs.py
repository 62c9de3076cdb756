"""Which arms of a study differ in one thing only, and in which: all else equal, found from the recipes themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from paribus.analysis.results import Results
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe

BOOKKEEPING = ("selection", "snapshots", "test", "denoising", "occlusion", "metrics", "references")
"""Parts of a recipe that say what is kept and measured: they change no training."""


@dataclass(frozen=True)
class Pair:
    """Two arms, in the study's order, that differ in one thing; `keys` are the keys of one table in which they do.

    Another schedule, or another kind of optimizer, is one thing however many keys it has.

    `kind` is that table (`schedule`, `optimizer`, `loss`, `data`, `training`), or for networks `depth` (more layers in
    `second`), `width` (as many layers, none narrower), `depth and width`, else `network`.
    """

    first: str
    second: str
    keys: tuple[str, ...]
    kind: str


def differing(one: Recipe, other: Recipe) -> tuple[str, ...]:
    """The dotted keys in which two recipes differ, what is merely kept or measured left out."""
    ours, theirs = dict(flat(one.model_dump(mode="json"))), dict(flat(other.model_dump(mode="json")))
    keys = dict.fromkeys([*ours, *theirs])
    return tuple(key for key in keys if ours.get(key) != theirs.get(key) and key.split(".")[0] not in BOOKKEEPING)


def pairs(results: Results) -> tuple[Pair, ...]:
    """Every two arms of one seed that differ in one thing only.

    For networks, `first` is the one with fewer or narrower layers.
    """
    found: list[Pair] = []
    for first, second in itertools.combinations(results.arms, 2):
        if results.study.arm(first).seed != results.study.arm(second).seed:
            continue
        keys = differing(results.recipe(first), results.recipe(second))
        tables = {key.split(".")[0] for key in keys}
        if len(tables) != 1 or not _one_thing(keys):
            continue
        if keys != ("network.hidden",):
            found.append(Pair(first, second, keys, tables.pop()))
            continue
        found.append(_by_size(results, first, second, keys))
    return tuple(found)


def _one_thing(keys: tuple[str, ...]) -> bool:
    """Whether the differing keys of one table amount to one difference."""
    return len(keys) == 1 or keys[0].startswith("schedule.") or any(key.endswith(".kind") for key in keys)


def _by_size(results: Results, first: str, second: str, keys: tuple[str, ...]) -> Pair:
    networks = [results.recipe(arm).network for arm in (first, second)]
    small, large = (() if isinstance(network, Module) else network.hidden for network in networks)
    if (len(large), sum(large)) < (len(small), sum(small)):
        return Pair(second, first, keys, _growth(large, small))
    return Pair(first, second, keys, _growth(small, large))


def _growth(small: tuple[int, ...], large: tuple[int, ...]) -> str:
    """How the hidden layers `large` outgrow `small`, which are no more."""
    if len(small) == len(large):
        return "width" if all(a <= b for a, b in zip(small, large, strict=True)) else "network"
    deeper = max(small, default=0) >= max(large, default=0) or small == large[: len(small)]
    return "depth" if deeper else "depth and width"


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of nested tables by dotted key."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
