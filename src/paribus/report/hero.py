"""The one figure that a report opens with, chosen by what the study compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from paribus.analysis.capacity import sizes
from paribus.analysis.contrasts import against_control
from paribus.analysis.cost import arm_costs
from paribus.analysis.curves import Band, band
from paribus.analysis.estimates import LEVEL_TEXT, Estimate, estimate
from paribus.analysis.factors import Design, design
from paribus.analysis.headline import compared_metric
from paribus.analysis.labels import noisy_arms, peaks
from paribus.analysis.results import Results
from paribus.analysis.tables import shown_rules
from paribus.analysis.wording import capital, label, quantity, rule_name
from paribus.report import charts, comparison, hero_charts, range_test, rates, reconstructions, training_curves
from paribus.report.blocks import Block, Key, Record, Section, SideBySide
from paribus.report.dotplots import Line, plot
from paribus.spec.metrics import METRICS
from paribus.spec.rules import parse_rule

LOG_FROM: Final = 5.0
"""Costs are drawn on a logarithmic axis if the largest is this many times the smallest."""


@dataclass(frozen=True)
class Figure:
    """The figure, and the metrics whose curves over epochs it shows already."""

    block: Block
    curves: tuple[str, ...] = ()

    @property
    def section(self) -> Section:
        return Section("figure", "Main figure", (self.block,))


def figure(results: Results) -> Figure | None:
    """The figure, or None before there is anything to draw."""
    return next((found for make in _FIGURES if (found := make(results)) is not None), None)


def _of_range_test(results: Results) -> Figure | None:
    """The training loss of every arm against a learning rate that grows."""
    found = range_test.hero(results)
    return None if found is None else Figure(found)


def _of_noisy_labels(results: Results) -> Figure | None:
    """Monitored test accuracy over epochs, every curve's peak and end named."""
    monitored = [peak for peak in peaks(results) if peak.peak.n]
    if not noisy_arms(results) or not monitored:
        return None
    bands = [b for peak in monitored if (b := band(results, peak.arm, "test_accuracy")) is not None]
    last = max(int(b.epoch[-1]) for b in bands)
    domain = training_curves.first_sight(bands, 1, []) or _whole(bands)
    keep = training_curves.drawn_epochs(last, [])
    height = max(340, 22 * len(bands))
    ends = [(b, int(b.epoch[-1]), float(b.mean[-1])) for b in bands]
    texts = {b.arm: f"{b.arm} {quantity('test_accuracy', value)}" for b, _, value in ends}
    places = _apart([value for _, _, value in ends], 17 * (domain[1] - domain[0]) / height)
    labels: list[Record] = [
        {"arm": b.arm, "epoch": epoch, "at": at, "value": value, "text": texts[b.arm]}
        for (b, epoch, value), at in zip(ends, places, strict=True)
    ]
    tops: list[Record] = []
    for b in bands:
        best = int(np.nanargmax(b.mean))
        tops.append({"arm": b.arm, "epoch": int(b.epoch[best]), "value": float(b.mean[best])})
    rows = [row for b in bands for row in training_curves.rows_of(results, b, keep)]
    examples = {peak.monitored_examples for peak in monitored} - {None}
    part = f" on the first {max(e or 0 for e in examples):,} test examples" if examples else ""
    note = (
        f"Mean over replicates, the band from the lowest to the highest{part}. The dot is the highest mean, the number "
        "that of the last epoch."
    )
    first = max(monitored, key=lambda peak: (peak.arm == results.study.control, peak.drop.mean or 0.0))
    alt = (
        f"Test accuracy over {last:,} epochs. {first.arm}: {quantity('test_accuracy', first.peak.mean)} at its peak, "
        f"{quantity('test_accuracy', first.last.mean)} at its end."
    )
    chart = charts.figure(
        "figure",
        "Test accuracy during training with wrong labels",
        hero_charts.labelled_curves(results.arms, y="test accuracy", last=last, domain=domain, height=height),
        {"curves": rows, "labels": labels, "peaks": tops},
        alt,
        note=note,
        height=height,
        legend=[Key(texts[b.arm], arm=results.arms.index(b.arm)) for b in bands],
        names_inside=True,
    )
    return Figure(chart, ("test_accuracy",))


def _of_factors(results: Results) -> Figure | None:
    """The means of the combinations of two factors; of more factors, the first two that matter most."""
    found, metric = design(results), compared_metric(results)
    if found is None or metric is None:
        return None
    axis, lines = found.factors[0], found.factors[1]
    if len(lines.levels) > len(axis.levels):
        axis, lines = lines, axis
    means = _cell_means(results, found, metric, (found.factors.index(axis), found.factors.index(lines)))
    rows: list[Record] = []
    for (level, line), got in means.items():
        if got.mean is None:
            continue
        ends = got.interval
        low, high = (got.mean, got.mean) if ends is None else (ends.low, ends.high)
        rows.append({"level": level, "line": line, "mean": got.mean, "lo": low, "hi": high, "n": got.n})
    if not rows:
        return None
    percent = METRICS[metric].is_share
    rightmost = [row for row in rows if row["level"] == axis.levels[-1]]
    span = max(row["hi"] for row in rows) - min(row["lo"] for row in rows) or 1.0
    places = _apart([float(row["mean"]) for row in rightmost], 17 * span / 320)
    ends_of = [
        {"level": row["level"], "line": row["line"], "at": at, "text": f"{lines.name} {row['line']}"}
        for row, at in zip(rightmost, places, strict=True)
    ]
    others = [factor.name for factor in found.factors if factor not in (axis, lines)]
    averaged = f" Averaged over {', '.join(others)}." if others else ""
    best = max(rows, key=lambda row: METRICS[metric].direction * row["mean"])
    chart = charts.figure(
        "figure",
        f"{capital(label(metric))} by {axis.name} and {lines.name}",
        hero_charts.interaction(lines.levels, axis.levels, x=axis.name, y=label(metric), percent=percent),
        {"means": rows, "ends": ends_of},
        f"{capital(label(metric))} is best at {axis.name} {best['level']} with {lines.name} {best['line']}: "
        f"{quantity(metric, best['mean'])}.",
        note=f"Mean and {LEVEL_TEXT} CI over replicates. Parallel lines mean no interaction.{averaged}",
        height=320,
    )
    return Figure(chart)


def _cell_means(
    results: Results, found: Design, metric: str, places: tuple[int, int]
) -> dict[tuple[str, str], Estimate]:
    """The estimate of each combination of two factors' levels, averaged over the other factors by replicate."""
    groups: dict[tuple[str, str], list[tuple[float | None, ...]]] = {}
    for levels, arm in found.arms.items():
        key = (levels[places[0]], levels[places[1]])
        groups.setdefault(key, []).append(results.values(arm, results.deploy(arm), metric))
    means: dict[tuple[str, str], Estimate] = {}
    for key, rows in groups.items():
        each: list[float | None] = []
        for values in zip(*rows, strict=True):
            known = [value for value in values if value is not None]
            each.append(sum(known) / len(known) if len(known) == len(values) else None)
        means[key] = estimate(each)
    return means


def _of_rules(results: Results) -> Figure | None:
    """The selected epochs on the validation curve, and the test metric by rule."""
    metric = compared_metric(results)
    curve = {"test_accuracy": "val_accuracy", "test_rmse": "val_rmse"}.get(metric or "")
    rules_compared = any(claim.better.arm == claim.than.arm for claim in results.study.claims)
    if metric is None or curve is None or not (rules_compared or len(results.arms) == 1):
        return None
    bands = training_curves.bands_of(results, METRICS[curve])
    lines = [
        Line(f"{arm} · {rule_name(rule)}" if len(results.arms) > 1 else rule_name(rule), arm, got)
        for arm in results.arms
        for rule in shown_rules(results, arm)
        if parse_rule(rule).split != "test"
        if (got := estimate(results.values(arm, rule, metric))).n
    ]
    if not bands or len(lines) < 2:
        return None
    by_rule = plot(results, "figure-rules", f"{capital(label(metric))} by selection rule", lines, metric)
    by_epoch = training_curves.chart(results, METRICS[curve], bands, name="figure-epochs")
    return Figure(SideBySide((by_epoch, by_rule)), (curve,))


def _of_cost(results: Results) -> Figure | None:
    """What networks of several sizes reach, against their energy, or against their parameters where that is unknown."""
    metric, known = compared_metric(results), {size.arm: size for size in sizes(results)}
    if metric is None or len({size.parameters for size in known.values()}) < 2 or len(known) < len(results.arms):
        return None
    energies = {cost.arm: cost.energy_j / cost.runs for cost in arm_costs(results) if cost.energy_j is not None}
    by_energy = set(energies) == set(results.arms)
    costs = energies if by_energy else {arm: float(size.parameters) for arm, size in known.items()}
    rows: list[dict[str, Any]] = []
    for arm in results.arms:
        got = estimate(results.values(arm, results.deploy(arm), metric))
        if got.mean is None:
            continue
        ends = got.interval
        low, high = (got.mean, got.mean) if ends is None else (ends.low, ends.high)
        rows.append(
            {"arm": arm, "cost": costs[arm], "mean": got.mean, "lo": low, "hi": high,
             "parameters": known[arm].parameters, "text": f"{arm} ({known[arm].parameters:,} parameters)"}
        )  # fmt: skip
    if len(rows) < 2:
        return None
    low, high = min(row["cost"] for row in rows), max(row["cost"] for row in rows)
    log = low > 0 and high > LOG_FROM * low
    begin = low / 1.3 if log else low - 0.1 * (high - low)
    end = high * 1.3 if log else high + 0.1 * (high - low)
    middle = (begin * end) ** 0.5 if log else (begin + end) / 2
    for row in rows:
        row["left"] = row["cost"] > middle
    x = "energy of one run (J)" if by_energy else "parameters"
    chart = charts.figure(
        "figure",
        f"{capital(label(metric))} against {'energy' if by_energy else 'size'}",
        hero_charts.cost(
            results.arms, x=x, y=label(metric), log=log, percent=METRICS[metric].is_share, low=begin, high=end
        ),
        {"arms": rows},
        f"{capital(label(metric))} of {len(rows)} networks against {x}.",
        note=f"Dot: mean over replicates, larger for more parameters. Line: {LEVEL_TEXT} confidence interval."
        + (f" The energy is {_tags(results)}." if by_energy else ""),
        height=320,
    )
    return Figure(chart)


def _tags(results: Results) -> str:
    return " and ".join(dict.fromkeys(cost.tag for cost in arm_costs(results)))


def _of_differences(results: Results) -> Figure | None:
    """Every arm's difference from the control."""
    metric = compared_metric(results)
    if metric is None:
        return None
    factor = 100.0 if METRICS[metric].is_share else 1.0
    rows, each = list[Record](), list[Record]()
    for found in against_control(results, metric):
        if found.mean is None or found.interval is None:
            continue
        ends = (factor * found.interval.low, factor * found.interval.high)
        arm = found.first.arm
        rows.append({"arm": arm, "mean": factor * found.mean, "lo": ends[0], "hi": ends[1], "n": found.n})
        each += [
            {"arm": arm, "replicate": replicate, "difference": factor * value}
            for replicate, value in zip(results.study.replicates.indices, found.differences, strict=True)
            if value is not None
        ]
    if not rows:
        chart = comparison.ranking_chart(results, metric)
        return None if chart is None else Figure(chart)
    rows.sort(key=lambda row: -METRICS[metric].direction * row["mean"])
    order, control = [str(row["arm"]) for row in rows], results.study.control
    unit = " (points)" if METRICS[metric].is_share else ""
    better = "right" if METRICS[metric].direction > 0 else "left"
    chart = charts.figure(
        "figure",
        f"{capital(label(metric))}: difference from {control}",
        hero_charts.forest(results.arms, order, x=f"difference in {label(metric)}{unit}"),
        {"forest": rows, "replicates": each},
        f"Difference in {label(metric)} from {control}, best first: {', '.join(order)}.",
        note=f"Dot and bar: mean paired difference and {LEVEL_TEXT} confidence interval. Circles: replicates. Arms to "
        f"the {better} of the dashed line are better than {control}.",
        height=hero_charts.ROW * len(rows) + 10,
    )
    return Figure(chart)


def _of_rates(results: Results) -> Figure | None:
    """Results against the learning rate."""
    drawn = rates.hero(results)
    return None if drawn is None else Figure(drawn)


def _of_images(results: Results) -> Figure | None:
    """Images, what PCA makes of them, and what every arm makes of them."""
    drawn = reconstructions.hero(results)
    return None if drawn is None else Figure(drawn)


_FIGURES: Final[tuple[Callable[[Results], Figure | None], ...]] = (
    _of_range_test, _of_rates, _of_images, _of_noisy_labels, _of_factors, _of_rules, _of_cost, _of_differences,
)  # fmt: skip
"""In this order: the first that has something to draw is the figure."""


def _whole(bands: Sequence[Band]) -> tuple[float, float]:
    return min(float(np.nanmin(b.low)) for b in bands), max(float(np.nanmax(b.high)) for b in bands)


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Places for labels near their values, at least `gap` apart: from the lowest up, each as low as it can be."""
    places = [0.0] * len(values)
    below = -np.inf
    for place in sorted(range(len(values)), key=values.__getitem__):
        places[place] = below = max(values[place], below + gap)
    return places
