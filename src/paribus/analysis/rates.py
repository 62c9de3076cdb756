"""A sweep of the learning rate: the result at each rate, and the rates at which training is unstable or collapses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from paribus.analysis.choice import choices
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.faults import is_unstable
from paribus.analysis.headline import compared_metric
from paribus.analysis.pairs import differing
from paribus.analysis.results import Results
from paribus.spec.overrides import as_table
from paribus.spec.recipe import Recipe

MIN_RATES = 4
"""From this number of rates on, arms that differ in the learning rate alone are a sweep of it."""

RegionKind = Literal["unstable", "collapsed"]


@dataclass(frozen=True)
class RatePoint:
    """An arm of a sweep: its learning rate, the metric at its deploy rule, and in how many runs training went wrong.

    `diverged`, `unstable` (diverged runs among them) and `collapsed` count runs, of `n` that have ended.
    """

    arm: str
    rate: float
    estimate: Estimate
    n: int
    diverged: int
    unstable: int
    collapsed: int


@dataclass(frozen=True)
class Region:
    """Neighbouring rates, `low` to `high`, at each of which some run is unstable or collapsed."""

    kind: RegionKind
    low: float
    high: float


@dataclass(frozen=True)
class Sweep:
    """Arms that differ in the learning rate alone, the lowest rate first.

    `name` is what these arms have in common and other sweeps of the study have not (`hidden 16`), empty for a single
    sweep. `chosen` is the arm that the study's rule chooses among them, `best` the one with the best mean.
    """

    name: str
    metric: str
    points: tuple[RatePoint, ...]
    best: str | None
    chosen: str | None

    def regions(self) -> tuple[Region, ...]:
        """The unstable and the collapsed regions, each from its lowest rate to its highest."""
        return (*_regions(self.points, "unstable"), *_regions(self.points, "collapsed"))

    def point(self, arm: str | None) -> RatePoint | None:
        return next((point for point in self.points if point.arm == arm), None)


def rate_sweeps(results: Results) -> tuple[Sweep, ...]:
    """Every sweep of the learning rate in a study; none where no run has ended."""
    groups: dict[str, list[str]] = {}
    for arm in results.arms:
        groups.setdefault(_apart_from_rate(results.recipe(arm)), []).append(arm)
    sweeps = [arms for arms in groups.values() if len({_rate(results, arm) for arm in arms}) >= MIN_RATES]
    found = [_sweep(results, arms, _name(results, arms, [other[0] for other in sweeps])) for arms in sweeps]
    return tuple(sweep for sweep in found if sweep is not None)


def _apart_from_rate(recipe: Recipe) -> str:
    """What a recipe trains with, its learning rate left out."""
    table: dict[str, Any] = recipe.model_dump(mode="json")
    table["optimizer"].pop("lr")
    return json.dumps(table, sort_keys=True)


def _rate(results: Results, arm: str) -> float:
    return results.recipe(arm).optimizer.lr


def _name(results: Results, arms: Sequence[str], firsts: Sequence[str]) -> str:
    """The values in which this sweep differs from the study's others."""
    ours = results.recipe(arms[0])
    keys = dict.fromkeys(
        key for other in firsts for key in differing(ours, results.recipe(other)) if key != "optimizer.lr"
    )
    return ", ".join(f"{key.rpartition('.')[2]} {_value(ours, key)}" for key in keys)


def _value(recipe: Recipe, key: str) -> str:
    value: Any = recipe.model_dump(mode="json")
    for word in key.split("."):
        value = (as_table(value) or {}).get(word)
    if isinstance(value, list):
        return "-".join(map(str, cast("list[object]", value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sweep(results: Results, arms: Sequence[str], name: str) -> Sweep | None:
    metric = compared_metric(results, results.recipe(arms[0]).task)
    if metric is None:
        return None
    points = sorted((_point(results, arm, metric) for arm in arms), key=lambda point: point.rate)
    if not any(point.n for point in points):
        return None
    of_rule = [choice for choice in choices(results) if any(one.arm in arms for one in choice.candidates)]
    best, chosen = (of_rule[0].best, of_rule[0].arm) if len(of_rule) == 1 else (None, None)
    return Sweep(name, metric, tuple(points), best, chosen if chosen in arms else None)


def _point(results: Results, arm: str, metric: str) -> RatePoint:
    ended = [run for run in results.of(arm) if run.state in ("done", "diverged")]
    deploy = results.deploy(arm)
    return RatePoint(
        arm=arm,
        rate=_rate(results, arm),
        estimate=estimate(results.values(arm, deploy, metric)),
        n=len(ended),
        diverged=sum(run.state == "diverged" for run in ended),
        unstable=sum(map(is_unstable, ended)),
        collapsed=sum(bool(run.value(deploy, "collapsed")) for run in ended if run.state == "done"),
    )


def _regions(points: Sequence[RatePoint], kind: RegionKind) -> list[Region]:
    """Runs of neighbouring rates with `kind`, as regions."""
    found: list[Region] = []
    before = False
    for point in points:
        has = getattr(point, kind) > 0
        if has and before:
            found[-1] = Region(kind, found[-1].low, point.rate)
        elif has:
            found.append(Region(kind, point.rate, point.rate))
        before = has
    return found
