"""Studies whose arms cross the levels of factors: main effects and interactions, paired by replicate.

The design is found from the recipes themselves, so it does not matter whether a study file wrote its arms as factors
or one by one. Of a factor's main effect, every replicate has one value: the mean, over all combinations of the other
factors' levels, of the difference that the factor makes there. Of the interaction of two factors it has the difference
between the effects of one at two levels of the other (Montgomery, Design and Analysis of Experiments, chapter 5).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.pairs import BOOKKEEPING, flat
from paribus.analysis.results import Results

_Levels = tuple[str, ...]


@dataclass(frozen=True)
class Factor:
    """What varies: `keys` of the recipe that change together, and the levels in the study's order, in words."""

    keys: tuple[str, ...]
    levels: tuple[str, ...]

    @property
    def name(self) -> str:
        """The shortest key says what varies: `optimizer.kind` and not `optimizer.betas`."""
        table, _, last = min(self.keys, key=lambda key: (not key.endswith(".kind"), len(key))).rpartition(".")
        return table if last == "kind" else last.replace("_", " ")


@dataclass(frozen=True)
class Design:
    """Factors, and the arm of each combination of their levels, in the order of the factors."""

    factors: tuple[Factor, ...]
    arms: Mapping[_Levels, str]


@dataclass(frozen=True)
class Effect:
    """What a change of levels does, + where it is higher: of one factor, or of one at two levels of another."""

    factor: str
    low: str
    high: str
    estimate: Estimate
    other: str = ""
    other_low: str = ""
    other_high: str = ""


def design(results: Results) -> Design | None:
    """The crossed factors of a study; None where its arms are not a full crossing of two factors or more."""
    settings = {name: dict(flat(results.recipe(name).model_dump(mode="json"))) for name in results.arms}
    keys = list(dict.fromkeys(key for own in settings.values() for key in own))
    varying: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        values = [json.dumps(settings[name].get(key)) for name in results.arms]
        pattern = tuple(list(dict.fromkeys(values)).index(value) for value in values)
        if any(pattern) and key.split(".")[0] not in BOOKKEEPING:
            varying.setdefault(pattern, []).append(key)
    # As study files cross factors, the first one changes last along the arms.
    patterns = sorted(
        _without_consequences(list(varying)), key=lambda pattern: -next(p for p, v in enumerate(pattern) if v)
    )
    factors = tuple(_factor(results, settings, varying[pattern], pattern) for pattern in patterns)
    arms: dict[_Levels, str] = {}
    for place, name in enumerate(results.arms):
        arms[tuple(f.levels[pattern[place]] for f, pattern in zip(factors, patterns, strict=True))] = name
    whole = math.prod(len(factor.levels) for factor in factors)
    if len(factors) < 2 or whole != len(results.arms) or len(arms) != whole:
        return None
    return Design(factors, arms)


def main_effects(results: Results, found: Design, metric: str) -> tuple[Effect, ...]:
    """The effect of every level of every factor against the factor's first level."""
    effects: list[Effect] = []
    for place, factor in enumerate(found.factors):
        rest = [f.levels for i, f in enumerate(found.factors) if i != place]
        for level in factor.levels[1:]:
            pairs = [
                (_at(found, place, level, others), _at(found, place, factor.levels[0], others))
                for others in itertools.product(*rest)
            ]
            each = [_differences(results, metric, high, low) for high, low in pairs]
            effects.append(Effect(factor.name, factor.levels[0], level, estimate(_means(each))))
    return tuple(effects)


def interactions(results: Results, found: Design, metric: str) -> tuple[Effect, ...]:
    """For every two factors of two levels each: how much the effect of the first changes with the second."""
    effects: list[Effect] = []
    for (i, first), (j, second) in itertools.combinations(enumerate(found.factors), 2):
        if (len(first.levels), len(second.levels)) != (2, 2):
            continue
        rest = [(level,) if k in (i, j) else f.levels for k, f in enumerate(found.factors) for level in f.levels[:1]]
        each: list[list[float | None]] = []
        for levels in itertools.product(*rest):
            cells = {
                (a, b): found.arms[_replaced(levels, {i: first.levels[a], j: second.levels[b]})]
                for a, b in itertools.product((0, 1), repeat=2)
            }
            high = _differences(results, metric, cells[1, 1], cells[0, 1])
            low = _differences(results, metric, cells[1, 0], cells[0, 0])
            each.append([None if h is None or x is None else h - x for h, x in zip(high, low, strict=True)])
        (low_1, high_1), (low_2, high_2) = first.levels, second.levels
        effects.append(Effect(first.name, low_1, high_1, estimate(_means(each)), second.name, low_2, high_2))
    return tuple(effects)


def _replaced(levels: _Levels, new: Mapping[int, str]) -> _Levels:
    return tuple(new.get(place, level) for place, level in enumerate(levels))


def _without_consequences(patterns: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Patterns that are not a coarser form of another: a key that only some levels of a factor have follows it."""
    return [
        pattern for pattern in patterns if not any(other != pattern and _refines(other, pattern) for other in patterns)
    ]


def _refines(fine: Sequence[int], coarse: Sequence[int]) -> bool:
    """Whether arms that are equal in `fine` are equal in `coarse`."""
    seen: dict[int, int] = {}
    return all(seen.setdefault(a, b) == b for a, b in zip(fine, coarse, strict=True))


def _factor(
    results: Results, settings: Mapping[str, Mapping[str, Any]], keys: Sequence[str], pattern: Sequence[int]
) -> Factor:
    names = [results.arms[pattern.index(level)] for level in range(max(pattern) + 1)]
    found = Factor(tuple(keys), ())
    main = min(keys, key=lambda key: (not key.endswith(".kind"), len(key)))
    levels = tuple(_word(settings[name].get(main)) for name in names)
    if len(set(levels)) < len(levels):
        levels = tuple(", ".join(_word(settings[name].get(key)) for key in keys) for name in names)
    return Factor(found.keys, levels)


def _at(found: Design, place: int, level: str, others: _Levels) -> str:
    return found.arms[(*others[:place], level, *others[place:])]


def _differences(results: Results, metric: str, first: str, second: str) -> list[float | None]:
    ours, theirs = (results.values(name, results.deploy(name), metric) for name in (first, second))
    return [None if a is None or b is None else a - b for a, b in zip(ours, theirs, strict=True)]


def _means(rows: Sequence[Sequence[float | None]]) -> Iterator[float | None]:
    """The mean over rows, replicate by replicate; None where a row has no value."""
    for values in zip(*rows, strict=True):
        known = [value for value in values if value is not None]
        yield math.fsum(known) / len(known) if len(known) == len(values) else None


def _word(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "-".join(map(_word, cast("list[object]", value))) or "none"
    return str(value)
