"""The results of a study: one table by arm at the rule that each deploys by, and the details folded below it."""

from __future__ import annotations

from collections.abc import Callable

from paribus.analysis.capacity import sizes
from paribus.analysis.contrasts import Contrast, against_control
from paribus.analysis.cost import arm_costs
from paribus.analysis.estimates import LEVEL_TEXT, Interval, estimate
from paribus.analysis.factors import design, interactions, main_effects
from paribus.analysis.headline import compared_metric
from paribus.analysis.labels import peaks
from paribus.analysis.references import of_reference, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.statements import amount, margin, signed_between
from paribus.analysis.thresholds import MEMORISING_RISE
from paribus.analysis.wording import at_each, capital, label, listed
from paribus.report import comparison, metric_tables, networks, selection_rules
from paribus.report.blocks import Block, Cell, Fold, Record, Section
from paribus.report.tabulate import (
    NONE,
    Column,
    arm,
    estimated,
    joules,
    mean_and_sd,
    mean_and_sd_points,
    rule,
    table,
    text,
    value,
)
from paribus.spec.metrics import METRICS


def section(results: Results) -> Section | None:
    """The table of arms, and what a reader may want to know beyond it."""
    metric = compared_metric(results)
    blocks: list[Block] = [] if metric is None else _summary(results, metric)
    blocks += _peaks(results)
    details: list[tuple[str, list[Block]]] = [
        ("Main effects and interactions", _effects(results, metric)),
        ("Selection rules", selection_rules.blocks(results)),
        ("Every replicate, and arms that differ in one setting", _between_arms(results, metric)),
        ("More metrics on held-out data", metric_tables.blocks(results)),
        ("Generalisation gap, overfitting, settling", selection_rules.fit_blocks(results)),
        ("Network sizes", networks.size_blocks(results)),
        ("Dead and little-changed units", networks.unit_blocks(results)),
    ]
    blocks += [Fold(title, tuple(found)) for title, found in details if found]
    if not blocks:
        return None
    return Section("results", "Results", tuple(blocks), lead=(_lead(results),) if metric is not None else ())


def _lead(results: Results) -> str:
    """Which weights the numbers are of, and what the differences are."""
    words = f"Mean ± standard deviation over replicates, {at_each(map(results.deploy, results.arms))}."
    if len(results.arms) > 1:
        words += (
            f" Differences from {results.study.control}, the control: paired by replicate, {LEVEL_TEXT} CI, not "
            "corrected for multiple comparisons."
        )
    return words


def _summary(results: Results, metric: str) -> list[Block]:
    """A line for each arm and reference line: the main columns are visible, the rest is in a collapsed table.

    Metrics that arms lack have no column.
    """
    contrasts = {c.first.arm: c for c in against_control(results, metric)}
    beside = [name for name in _shown_beside(metric) if any(_known(results, name, arm) for arm in results.arms)]
    by_size = {size.arm: size.parameters for size in sizes(results)}
    by_cost = {cost.arm: cost for cost in arm_costs(results)}
    records: list[Record] = []
    for name in results.arms:
        cost = by_cost.get(name)
        energy_j = None if cost is None or cost.energy_j is None else cost.energy_j / cost.runs
        record: dict[str, object] = {
            "arm": name,
            "rule": results.deploy(name),
            **estimated(metric, estimate(results.values(name, results.deploy(name), metric))),
            **_difference(contrasts.get(name)),
            "parameters": by_size.get(name),
            "energy_per_run_j": energy_j,
        }
        for other in beside:
            record |= estimated(other, estimate(results.values(name, results.deploy(name), other)))
        records.append(record)
    for line in reference_lines(results):
        own = {other: of_reference(results, line, other) for other in [metric, *beside]}
        record = {"arm": comparison.reference_name(results, line), "rule": None, **_difference(None)}
        record |= {"parameters": None, "energy_per_run_j": None}
        for other, got in own.items():
            record |= estimated(other, got)
        records.append(record)
    columns = [
        arm(results.arms, title="arm or reference line" if reference_lines(results) else "arm"),
        mean_and_sd(METRICS[metric].short, metric, METRICS[metric].form),
    ]
    if len(results.arms) > 1:
        columns.append(Column(f"minus control ({LEVEL_TEXT} CI)", _shown_difference(metric), numeric=True))
    rest = [mean_and_sd(METRICS[other].short, other, METRICS[other].form) for other in beside]
    in_sight = sum(other in _ALWAYS_VISIBLE for other in beside)
    columns, rest = columns + rest[:in_sight], rest[in_sight:]
    costs = rest if in_sight else columns  # where much is in sight already, what networks cost is folded
    if len(set(by_size.values())) > 1:
        costs.append(value("parameters", "parameters", "count"))
    energies = [record["energy_per_run_j"] for record in records if record["energy_per_run_j"] is not None]
    if energies:
        tags = " and ".join(dict.fromkeys(cost.tag for cost in by_cost.values()))
        title = f"energy per run ({tags})"
        energy = Column(title, lambda r: Cell(joules(r["energy_per_run_j"])), numeric=True)
        (costs if max(energies) > _ALIKE * min(energies) else rest).append(energy)
    if len({record["rule"] for record in records if record["rule"]}) > 1:
        columns.insert(1, rule("deployed weights"))
    blocks: list[Block] = [table("results", f"{capital(label(metric))} by arm", columns, records)]
    if rest:
        title = f"{capital(listed(column.title for column in rest))} by arm"
        told = ("arm", *beside[in_sight:], "parameters", "energy_per_run_j")
        kept = [{key: value for key, value in record.items() if key.startswith(told)} for record in records]
        blocks.append(table("results-beside", title, [columns[0], *rest], kept, fold=True))
    return blocks


_ALWAYS_VISIBLE = ("pca_mse", "dead_units", "test_r2", "val_r2")
"""Metrics that stand beside the compared one in full sight; they come first in `_shown_beside`."""
_ALIKE = 1.05
"""Energies whose largest is at most this many times the smallest do not tell arms apart."""


def _shown_beside(metric: str) -> list[str]:
    """Metrics that stand beside the compared one: where it was selected, and how the other splits do."""
    wanted = {
        "test_accuracy": ["val_accuracy", "train_accuracy", "epoch"],
        "val_accuracy": ["train_accuracy", "epoch"],
        "test_rmse": ["test_r2", "val_rmse", "epoch"],
        "val_rmse": ["val_r2", "epoch"],
        "mse": ["pca_mse", "dead_units", "epoch"],
    }
    return wanted.get(metric, ["epoch"])


def _known(results: Results, metric: str, name: str) -> bool:
    values = {value for value in results.values(name, results.deploy(name), metric) if value is not None}
    is_planned = metric == "epoch" and values == {float(results.recipe(name).training.epochs)}
    return bool(values) and not is_planned


def _difference(found: Contrast | None) -> dict[str, object]:
    """The fields of an arm's difference from the control; empty for the control."""
    ends = None if found is None else found.interval
    return {
        "difference": None if found is None else found.mean,
        "low": None if ends is None else ends.low,
        "high": None if ends is None else ends.high,
        "n": 0 if found is None else found.n,
    }


def _shown_difference(metric: str) -> Callable[[Record], Cell]:
    """A difference with its sign, and the interval below it; strong where the interval excludes zero."""

    def show(record: Record) -> Cell:
        mean, low, high = record["difference"], record["low"], record["high"]
        if mean is None:
            return Cell(NONE)
        sign = "−" if mean < 0 else "+"
        if low is None:
            return Cell(f"{sign}{amount(metric, mean, None)}")
        ends = Interval(low, high)
        first = f"{sign}{amount(metric, mean, ends)}"
        return Cell(first, faint=signed_between(metric, ends).replace("-", "−"), below=True, strong=0.0 not in ends)

    return show


def _peaks(results: Results) -> list[Block]:
    """Where a monitored test curve peaks and where it ends, and how many wrong labels were memorised."""
    found = [peak for peak in peaks(results) if peak.peak.n]
    if not found:
        return []
    records: list[Record] = [
        {
            "arm": p.arm,
            **estimated("peak", p.peak),
            **estimated("peak_epoch", p.peak_epoch),
            **estimated("last", p.last),
            **estimated("last_epoch", p.last_epoch),
            **estimated("drop", p.drop),
            **estimated("memorised", p.memorised),
            **estimated("mislabelled", p.mislabelled),
            **estimated("onset", p.onset),
            "monitored_examples": p.monitored_examples,
        }
        for p in found
    ]
    columns = [
        arm(results.arms),
        mean_and_sd("peak", "peak", "share"),
        mean_and_sd("at epoch", "peak_epoch", "count"),
        mean_and_sd("final", "last", "share"),
        mean_and_sd("at epoch", "last_epoch", "count"),
        mean_and_sd_points("fall (points)", "drop"),
        mean_and_sd("wrong labels", "mislabelled", "share"),
        mean_and_sd("memorised", "memorised", "share"),
    ]
    if any(p.onset.n for p in found):
        columns.append(mean_and_sd("memorising from epoch", "onset", "count"))
    monitored = {p.monitored_examples for p in found} - {None}
    part = f" on the first {max(m or 0 for m in monitored):,} test examples" if monitored else ""
    intervals = sorted({results.recipe(p.arm).test.monitor_every for p in found})
    often = "after every epoch" if intervals == [1] else f"every {listed(map(str, intervals))} epochs"
    note = (
        f"Measured {often}{part}. The peak uses the test data to choose its epoch, so it is optimistically "
        "biased. Memorised: the share of the wrong training labels that the network predicts."
    )
    if any(p.onset.n for p in found):
        rise = margin("memorised", MEMORISING_RISE)
        note += (
            f" Memorising begins at the first epoch at which that share is {rise} above its least value so far; runs "
            "that never reach it are left out."
        )
    return [table("peaks", "Peak and final test accuracy", columns, records, note=note)]


def _between_arms(results: Results, metric: str | None) -> list[Block]:
    if metric is None:
        return []
    chart = comparison.ranking_chart(results, metric)
    drawn: list[Block] = [] if chart is None else [chart]
    return [*drawn, *comparison.gain_blocks(results, metric), *comparison.neighbour_blocks(results, metric)]


def _effects(results: Results, metric: str | None) -> list[Block]:
    """What each factor of a crossed design does, averaged over the others, and how factors change each other."""
    found = design(results)
    if found is None or metric is None:
        return []
    effects = [*main_effects(results, found, metric), *interactions(results, found, metric)]
    records: list[Record] = [
        {
            "factor": effect.factor,
            "change": f"{effect.low} → {effect.high}",
            "beside": f"{effect.other}: {effect.other_low} → {effect.other_high}" if effect.other else "",
            "metric": metric,
            "mean": effect.estimate.mean,
            "n": effect.estimate.n,
            "low": effect.estimate.interval.low if effect.estimate.interval else None,
            "high": effect.estimate.interval.high if effect.estimate.interval else None,
            "excludes_zero": None if effect.estimate.interval is None else 0.0 not in effect.estimate.interval,
        }
        for effect in effects
        if effect.estimate.n
    ]
    columns = [
        text("factor", "factor"),
        text("change", "change"),
        *([text("as this changes", "beside")] if any(record["beside"] for record in records) else []),
        *comparison.difference_columns("effect"),
    ]
    note = (
        "Main effect: mean difference over all combinations of the other factors. A line with a second factor is an "
        "interaction: how much the effect of the first changes with the second."
    )
    return [table("effects", f"Effects on {label(metric)}", columns, records, note=note)] if records else []
