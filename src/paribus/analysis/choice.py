"""Which arms a study chooses by its own rule (`spec.choice`), from what was recorded.

A function of recorded results alone: a search may ask it as well as a report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.analysis.estimates import LEVEL_TEXT, Estimate, estimate
from paribus.analysis.faults import faults_of
from paribus.analysis.results import Results
from paribus.analysis.wording import mean_and_sd, plural
from paribus.spec.choice import Choice
from paribus.spec.metrics import METRICS, metric_named
from paribus.spec.overrides import as_table


@dataclass(frozen=True)
class Candidate:
    """An arm and its metric over the replicates. `excluded` says why it may not be chosen; empty where it may."""

    arm: str
    estimate: Estimate
    excluded: str


@dataclass(frozen=True)
class Chosen:
    """The choice within one group of arms.

    `group` says what these arms have in common (`network.hidden = [16]`), empty where all compete. `best` is the
    eligible arm with the best mean, `limit` the worst mean that counts as equal to it, and `arm` the chosen arm; all
    three are None where no arm is eligible.
    """

    group: str
    candidates: tuple[Candidate, ...]
    best: str | None = None
    limit: float | None = None
    arm: str | None = None


def choices(results: Results) -> tuple[Chosen, ...]:
    """The choice in each group of arms, in the study's order; none where the study says no rule."""
    rule = results.study.choose
    if rule is None:
        return ()
    groups: dict[str, list[str]] = {}
    for arm in results.arms:
        groups.setdefault(_group(results, arm, rule), []).append(arm)
    return tuple(_chosen(results, rule, group, arms) for group, arms in groups.items())


def chosen_arms(results: Results) -> tuple[str, ...]:
    """The chosen arms, in the study's order."""
    found = {choice.arm for choice in choices(results)}
    return tuple(arm for arm in results.arms if arm in found)


def choice_sentences(results: Results) -> tuple[str, ...]:
    """What is chosen in each group, with its result, or that no arm is eligible."""
    rule = results.study.choose
    return () if rule is None else tuple(_sentence(rule, choice) for choice in choices(results))


def _sentence(rule: Choice, choice: Chosen) -> str:
    where = f" where {choice.group}" if choice.group else ""
    candidate = next((one for one in choice.candidates if one.arm == choice.arm), None)
    if candidate is None:
        return f"No arm is eligible{where}."
    eligible = plural(sum(not one.excluded for one in choice.candidates), "eligible arm")
    result = f"{metric_named(rule.metric).label} {mean_and_sd(rule.metric, candidate.estimate)}"
    return f"{candidate.arm} is chosen{where}, of {eligible}: {result}."


def rule_in_words(choice: Choice) -> str:
    """The rule as a sentence: whoever applies it to the table of candidates chooses the same arm."""
    metric = metric_named(choice.metric)
    best = f"{'highest' if metric.direction > 0 else 'lowest'} mean {metric.label}"
    without = f" and none has {' or '.join(map(_some, choice.without))}" if choice.without else ""
    if choice.faults:
        without += f" and none is {' or '.join(choice.faults)}"
    eligible = f"An arm is eligible if all replicates ended well{without}."
    where = " In each group, the" if choice.within else " The"
    if choice.by == "best":
        return f"{eligible}{where} eligible arm with the {best} is chosen."
    if choice.by == "lowest-upper-bound":
        worse = "lower" if metric.direction > 0 else "upper"
        return (
            f"{eligible}{where} eligible arm is chosen whose {LEVEL_TEXT} interval of the mean {metric.label} has the "
            f"best {worse} end."
        )
    return (
        f"{eligible}{where} first eligible arm, in the study's order, whose mean is within one standard error of the "
        f"{best} is chosen."
    )


def _some(metric: str) -> str:
    """`dead units`; of what is 0 or 1 in a run, `collapsed networks`."""
    known = METRICS[metric]
    return f"{known.short} networks" if known.kind == "binary" else known.short


def _group(results: Results, arm: str, rule: Choice) -> str:
    recipe = results.recipe(arm).model_dump(mode="json")
    return ", ".join(f"{key} = {json.dumps(_at(recipe, key))}" for key in rule.within)


def _at(table: Mapping[str, Any], key: str) -> object:
    """The value at a dotted key; None where there is none."""
    value: object = table
    for word in key.split("."):
        value = (as_table(value) or {}).get(word)
    return value


def _chosen(results: Results, rule: Choice, group: str, arms: list[str]) -> Chosen:
    candidates = tuple(_candidate(results, rule, arm) for arm in arms)
    direction = METRICS[rule.metric].direction
    eligible = [
        (c.arm, c.estimate.mean, c.estimate) for c in candidates if not c.excluded and c.estimate.mean is not None
    ]
    if not eligible:
        return Chosen(group, candidates)
    best, mean, found = max(eligible, key=lambda entry: direction * entry[1])
    if rule.by == "best":
        return Chosen(group, candidates, best, mean, best)
    if rule.by == "lowest-upper-bound":
        ends = [(arm, end) for arm, _, one in eligible if (end := _worse_end(one, direction)) is not None]
        if not ends:
            return Chosen(group, candidates)
        arm, end = max(ends, key=lambda entry: direction * entry[1])
        return Chosen(group, candidates, best, end, arm)
    limit = mean - direction * (found.sd or 0.0) / math.sqrt(found.n)
    first = next(arm for arm, value, _ in eligible if direction * (value - limit) >= 0)
    return Chosen(group, candidates, best, limit, first)


def _worse_end(found: Estimate, direction: int) -> float | None:
    """The end of the mean's confidence interval that is worse; None without an interval."""
    if found.interval is None:
        return None
    return found.interval.low if direction > 0 else found.interval.high


def _candidate(results: Results, rule: Choice, arm: str) -> Candidate:
    deploy = results.deploy(arm)
    return Candidate(arm, estimate(results.values(arm, deploy, rule.metric)), "; ".join(_reasons(results, rule, arm)))


def _reasons(results: Results, rule: Choice, arm: str) -> Iterator[str]:
    """Why an arm may not be chosen."""
    runs, planned = results.of(arm), results.study.replicates.count
    diverged = sum(run.state == "diverged" for run in runs)
    if diverged:
        yield f"diverged in {diverged} of {planned}"
    if len(results.finished(arm)) + diverged < planned:
        yield f"{planned - len(results.finished(arm)) - diverged} of {planned} not finished"
    ended = [run for run in runs if run.state == "done"]
    for fault in rule.faults:
        having = sum(bool(faults_of(run, results.deploy(arm), (fault,))) for run in ended)
        if having:
            yield f"{fault} in {having} of {planned}"
    for name in rule.without:
        values = results.values(arm, results.deploy(arm), name)
        bad = sum(value is not None and value > 0 for value in values)
        if bad:
            yield f"{_some(name)} in {bad} of {planned}"
    if not any(value is not None for value in results.values(arm, results.deploy(arm), rule.metric)):
        yield f"no {metric_named(rule.metric).label}"
