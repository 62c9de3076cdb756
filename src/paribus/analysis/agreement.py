"""Ours beside what was published: do they differ, and what in the data would account for it.

They differ where the published figure lies outside the prediction interval for one further run of ours
(`Estimate.prediction`), for a published figure is one run. Reasons are conditions computed from curves, splits and
measurements; where none of them holds, the difference is unexplained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from paribus.analysis import wording
from paribus.analysis.estimates import LEVEL, LEVEL_TEXT, Estimate, Interval, estimate
from paribus.analysis.pace import paces
from paribus.analysis.results import Results
from paribus.analysis.tables import Row, rows, source
from paribus.spec.metrics import METRICS
from paribus.spec.rules import parse_rule, selected_epoch

ReasonKind = Literal[
    "no-run", "one-replicate", "no-spread", "exact", "within", "shorter", "fewer-examples", "collapsed", "split-chance",
    "near-tie", "other-epoch", "monitored-part", "kept-every", "pace", "unexplained",
]  # fmt: skip
_NORMAL = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""The two-sided quantile of the normal distribution at the level of all intervals."""


@dataclass(frozen=True)
class Reason:
    """A condition that holds in the data, and the sentence that states it with its numbers."""

    kind: ReasonKind
    sentence: str


@dataclass(frozen=True)
class Agreement:
    """A row beside its published figure: `difference` is ours minus published.

    `band` is where one further run of ours would lie; `beyond` whether the published figure lies outside it, None where
    fewer than two replicates leave that unknown.
    """

    row: Row
    source: str
    difference: float | None
    band: Interval | None
    beyond: bool | None
    reasons: tuple[Reason, ...]


def agreements(results: Results) -> tuple[Agreement, ...]:
    """Every row that has a published figure, in the order of the study's table."""
    return tuple(_agreement(results, entry) for entry in rows(results) if entry.published is not None)


def _agreement(results: Results, row: Row) -> Agreement:
    where = source(results, row.arm, row.rule, row.metric)
    assert row.published is not None
    if row.mean is None:
        reason = Reason("no-run", "no finished run has this figure")
        return Agreement(row, where, None, None, None, (reason,))
    difference = row.mean - row.published
    if METRICS[row.metric].scope == "run":
        same = difference == 0
        text = "agrees exactly" if same else "a count: another network"
        return Agreement(row, where, difference, None, not same, (Reason("exact", text),))
    band = row.estimate.prediction
    beyond = None if band is None else _outside(row.published, band)
    return Agreement(row, where, difference, band, beyond, _reasons(results, row, difference, beyond))


def _outside(published: float, band: Interval) -> bool:
    """Whether a figure lies outside by more than rounding, which an interval of equal values does not cover."""
    rounding = 1e-12 * max(1.0, abs(published))
    return not band.low - rounding <= published <= band.high + rounding


def _reasons(results: Results, row: Row, difference: float, beyond: bool | None) -> tuple[Reason, ...]:
    found = [reason for test in _TESTS for reason in test(results, row, difference)]
    if beyond is None:
        alone = row.n == 1
        what = "one replicate has" if alone else "these replicates have"
        text = f"{what} no spread: not comparable"
        return (Reason("one-replicate" if alone else "no-spread", text), *found)
    if not beyond:
        text = f"inside the {LEVEL_TEXT} prediction interval for one further run"
        return (Reason("within", text), *(reason for reason in found if reason.kind == "split-chance"))
    if not found:
        text = (
            f"nothing recorded here accounts for {wording.difference(row.metric, difference)}; the published figure is "
            "one run, of unknown seed"
        )
        found.append(Reason("unexplained", text))
    return tuple(found)


def _shorter(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    """The published epoch lies beyond this study's training."""
    epochs, theirs = results.recipe(row.arm).training.epochs, _published_epoch(results, row)
    if theirs is not None and theirs > epochs:
        yield Reason("shorter", f"training ends at epoch {epochs:,} here; the published epoch is {theirs:,}")


def _fewer_examples(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    limit = results.recipe(row.arm).data.limit.train
    if limit is not None:
        yield Reason("fewer-examples", f"this study trains on {limit:,} examples only (data.limit.train)")


def _collapsed(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    states = (
        [value for value in results.values(row.arm, row.rule, "collapsed") if value is not None] if row.rule else []
    )
    if any(states):
        yield Reason(
            "collapsed",
            f"{sum(states):.0f} of {wording.plural(len(states), 'run')} collapsed: "
            "they give nearly the same output for every input",
        )


def _split_chance(results: Results, row: Row, difference: float) -> Iterator[Reason]:
    """Validation accuracy is measured on other examples than the published one: sampling alone moves it.

    A share p of N examples drawn at random without replacement from M has the sampling sd sqrt(p(1-p)/N (1-N/M)); the
    difference of one such figure and the mean of n others has that times sqrt(1 + 1/n) (Cochran, Sampling Techniques,
    section 3.2).
    """
    dataset, split = results.dataset(row.arm), results.recipe(row.arm).data.split
    drawn = split.by != "given" or split.validation > 0
    if row.metric != "val_accuracy" or dataset is None or not dataset.validation or not drawn or row.mean is None:
        return
    left_out = 1 - dataset.validation / max(dataset.held_out_of, dataset.validation + 1)
    sd = math.sqrt(row.mean * (1 - row.mean) / dataset.validation * left_out)
    reach = _NORMAL * sd * math.sqrt(1 + 1 / row.n)
    if abs(difference) <= reach:
        yield Reason(
            "split-chance",
            f"with {dataset.validation:,} validation examples, differences between splits of up to "
            f"{100 * reach:.1f} points are expected ({LEVEL_TEXT})",
        )


def _near_tie(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    """The rule's metric at the published epoch is nearly as good as at the epoch that the rule chose here."""
    rule = parse_rule(row.rule)
    theirs = _published_epoch(results, row)
    if row.metric != "epoch" or rule.kind != "best" or theirs is None:
        return
    chosen = estimate(results.values(row.arm, row.rule, rule.metric))
    there = _at_epoch(results, row.arm, rule.metric, theirs)
    if not there.n or chosen.mean is None or there.mean is None or not chosen.sd:
        return
    cost = abs(there.mean - chosen.mean)
    if cost < chosen.sd:
        yield Reason(
            "near-tie",
            f"the curve is nearly flat: at the published epoch {theirs:,} our {wording.label(rule.metric)} is "
            f"{wording.quantity(rule.metric, there.mean)}, {wording.difference(rule.metric, cost).lstrip('+')} from "
            "that at the epochs chosen here, less than the standard deviation over replicates",
        )


def _other_epoch(results: Results, row: Row, difference: float) -> Iterator[Reason]:
    """The selected epochs differ, and at the published epoch our curve is nearer to the published figure."""
    theirs = _published_epoch(results, row)
    known = METRICS[row.metric]
    if row.metric == "epoch" or theirs is None or not known.per_epoch or row.published is None:
        return
    ours = estimate(results.values(row.arm, row.rule, "epoch"))
    there = _at_epoch(results, row.arm, row.metric, theirs)
    if ours.mean is None or ours.mean == theirs or there.mean is None:
        return
    left = there.mean - row.published
    if abs(left) < abs(difference) / 2:
        band = there.prediction
        agrees = band is not None and not _outside(row.published, band)
        apart = f"{wording.difference(row.metric, left)} from the published value"
        end = "consistent with the published value" if agrees else apart
        yield Reason(
            "other-epoch",
            f"our rule chose epoch {wording.mean_and_sd('epoch', ours)}; at epoch {theirs:,} ours is "
            f"{wording.quantity(row.metric, there.mean)}, {end}",
        )


def _monitored_part(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    """The test curve was measured on some of the test examples, and the figure or its epoch comes from that curve."""
    part = results.recipe(row.arm).test.monitor_examples
    if part is None or not row.rule:
        return
    measured = any((row.rule, row.metric) in run.measurements for run in results.finished(row.arm))
    if parse_rule(row.rule).metric.startswith("test_"):
        yield Reason("monitored-part", f"our epoch is the best on the first {part:,} test examples")
    elif row.metric.startswith("test_") and not measured:
        yield Reason("monitored-part", f"ours is measured on the first {part:,} test examples only")


def _kept_every(results: Results, row: Row, difference: float) -> Iterator[Reason]:
    """The published epochs are all multiples of ten or more; the rule among those alone comes nearer to the figure."""
    rule = parse_rule(row.rule) if row.rule else None
    epochs = [int(entry.values["epoch"]) for entry in results.study.published if "epoch" in entry.values]
    step = math.gcd(*epochs) if len(epochs) > 1 else 0
    if rule is None or rule.kind != "best" or step < 10 or row.published is None:
        return
    values: list[float | None] = []
    for run in results.finished(row.arm):
        kept = {name: curve[step - 1 :: step].tolist() for name, curve in run.curves.items()}
        place = selected_epoch(rule, kept, len(kept.get(rule.metric, ()))) if rule.metric in kept else None
        known = place is not None and (row.metric == "epoch" or row.metric in kept)
        values.append(None if place is None or not known else _kept_value(row.metric, kept, place, step))
    ours = estimate(values)
    if ours.mean is not None and abs(ours.mean - row.published) < abs(difference) / 2:
        yield Reason(
            "kept-every",
            f"all published epochs are multiples of {step}; chosen among those alone, ours is "
            f"{wording.mean_and_sd(row.metric, ours)}",
        )


def _pace(results: Results, row: Row, _difference: float) -> Iterator[Reason]:
    """The published run is further on in its training than ours are after as many epochs."""
    every = paces(results)
    own = next((pace for pace in every if (pace.arm, pace.rule) == (row.arm, row.rule)), None)
    if own is None:
        return
    loss = wording.quantity("train_loss", own.train_loss)
    if own.ratio is not None and own.differs:
        yield Reason(
            "pace",
            f"our runs reach the published training loss {loss} at epoch {wording.mean_and_sd('epoch', own.ours)}, "
            f"{own.ratio:.2f} times the published epoch {own.theirs:,}; the cause is unknown",
        )
    elif not own.ours.n and own.lowest > own.train_loss:
        text = f"our runs do not reach the published training loss {loss} (lowest {own.lowest:.4f} on average)"
        ratios: dict[str, list[float]] = {}
        for pace in every:
            if pace.ratio is not None:
                ratios.setdefault(pace.arm, []).append(pace.ratio)
        if ratios:
            told = wording.listed(
                f"{wording.each_or_range(found, lambda ratio: f'{ratio:.2f}')} ({arm})" for arm, found in ratios.items()
            )
            text += f"; where ours reach a published loss, their epoch is so many times the published one: {told}"
        yield Reason("pace", text)


def _kept_value(metric: str, kept: Mapping[str, Sequence[float]], place: int, step: int) -> float:
    return float(place * step) if metric == "epoch" else kept[metric][place - 1]


_TESTS: tuple[Callable[[Results, Row, float], Iterator[Reason]], ...] = (
    _shorter, _fewer_examples, _collapsed, _split_chance, _near_tie, _other_epoch, _monitored_part, _kept_every, _pace,
)  # fmt: skip


def _published_epoch(results: Results, row: Row) -> int | None:
    for entry in results.study.published:
        if (entry.arm, entry.rule) == (row.arm, row.rule) and "epoch" in entry.values:
            return int(entry.values["epoch"])
    rule = parse_rule(row.rule) if row.rule else None
    return rule.epoch if rule is not None and rule.kind == "epoch" else None


def _at_epoch(results: Results, arm: str, metric: str, epoch: int) -> Estimate:
    """A curve's value at one epoch, by finished run."""
    curves = [run.curves[metric] for run in results.finished(arm) if metric in run.curves]
    return estimate(float(c[epoch - 1]) if 1 <= epoch <= len(c) and np.isfinite(c[epoch - 1]) else None for c in curves)
