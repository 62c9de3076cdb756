"""Which candidates of a search go on, which are finalists, and what a naive choice would have been.

Pure functions of what was recorded at the rungs: a search decides by them, and a report repeats its decisions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from paribus.spec.search import Search
from paribus.store.records import Assessment

Proposed = Mapping[int, Mapping[str, Any]]
"""The values that were proposed for each candidate, by dotted key."""


def survivors(search: Search, proposed: Proposed, assessed: Iterable[Assessment]) -> tuple[int, ...]:
    """The numbers of those candidates of a rung that go on to the next one, in their order.

    `assessed` are all candidates of one bracket at one rung; of those with the same values, `proposed` by number, only
    the first one counts. One of `factor` goes on, rounded up, and never fewer than the bracket's share of the
    finalists: those without a fault before those with one, then by value; ties go to the lower number. What diverged,
    or has no value, never goes on.
    """
    different = _different(proposed, assessed)
    able = [one for one in different if one.value is not None and "diverged" not in one.faults]
    ranked = sorted(able, key=lambda one: (bool(one.faults), *_rank(search, one)))
    return tuple(sorted(one.number for one in ranked[: _kept(search, len(different))]))


def _different(proposed: Proposed, assessed: Iterable[Assessment]) -> list[Assessment]:
    """Those of `assessed` with different values: of equal candidates, which are the same runs, the one with the lowest
    number."""
    found: dict[str, Assessment] = {}
    for one in sorted(assessed, key=lambda one: one.number):
        found.setdefault(json.dumps(proposed[one.number], sort_keys=True), one)
    return list(found.values())


def _kept(search: Search, count: int) -> int:
    """How many of this many candidates of a bracket go on, where as many are able to."""
    factor = 1 if search.halving is None else search.halving.factor
    least = math.ceil(search.confirm.finalists / search.brackets)
    return min(count, max(math.ceil(count / factor), least))


def group_sizes(search: Search, bracket: int, epochs: int) -> tuple[int, ...]:
    """How many candidates of a bracket reach each of its rungs, where none diverges."""
    sizes = [sum(map(len, search.batches(bracket)))]
    for _ in search.rungs(epochs, bracket)[1:]:
        sizes.append(_kept(search, sizes[-1]))
    return tuple(sizes)


def finalists(search: Search, proposed: Proposed, assessed: Iterable[Assessment], epochs: int) -> tuple[int, ...]:
    """The numbers of the candidates that are confirmed, the best first: of those that trained for all `epochs` and have
    no fault, the best by value. Of those with the same values, `proposed` by number, only the first one counts."""
    able = [one for one in assessed if one.epochs == epochs and one.value is not None and one.is_sound]
    ranked = sorted(_different(proposed, able), key=lambda one: _rank(search, one))
    return tuple(one.number for one in ranked[: search.confirm.finalists])


def lowest_so_far(search: Search, assessed: Iterable[Assessment]) -> Assessment | None:
    """What is best by value alone, at whatever rung and with whatever faults: what many tools return."""
    known = [one for one in assessed if one.value is not None]
    return min(known, key=lambda one: (*_rank(search, one), one.rung), default=None)


def told(search: Search, one: Assessment) -> float:
    """What a sampler that minimises is told of a candidate at its first rung; infinity for one that is not sound."""
    return math.inf if one.value is None or not one.is_sound else -search.direction * one.value


def _rank(search: Search, one: Assessment) -> tuple[float, int]:
    return -search.direction * (one.value or 0.0), one.number
