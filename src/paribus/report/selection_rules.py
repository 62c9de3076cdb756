"""What each selection rule chose and what the choice changes; gap, overfitting and settling beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paribus.analysis.contrasts import between_rules
from paribus.analysis.headline import compared_metric
from paribus.analysis.labels import noisy_arms
from paribus.analysis.results import Results
from paribus.analysis.selection import RuleLine, columns, gaps, onsets, rule_table, settling
from paribus.analysis.thresholds import OVERFIT_RISE, OVERFIT_WINDOW
from paribus.analysis.wording import label
from paribus.report.blocks import Block, Cell, Record, Table
from paribus.report.comparison import contrast_table
from paribus.report.tabulate import (
    Column,
    arm,
    estimated,
    mean_and_sd,
    mean_and_sd_points,
    rule,
    shown,
    table,
    text,
    value,
    with_sd,
)
from paribus.spec.metrics import METRICS, Form

_SPLITS = {"val": "validation", "test": "test"}


def blocks(results: Results) -> list[Block]:
    """The table of selected epochs, and how much the choice of a rule changes."""
    lines = rule_table(results)
    if not lines:
        return []
    found: list[Block] = [rules(results, lines)]
    metric = compared_metric(results)
    contrasts = [] if metric is None else [c for c in between_rules(results, metric) if c.n]
    if metric is not None and contrasts:
        title = f"Differences between rules: {label(metric)}"
        found.append(contrast_table("rules-compared", title, contrasts, results))
    return found


def fit_blocks(results: Results) -> list[Block]:
    """Generalisation gap, onset of overfitting, and when the training loss settled."""
    return [*_gaps(results), *_onsets(results), *_settling(results)]


def rules(results: Results, lines: Sequence[RuleLine]) -> Table:
    """The reference's selection table: a line per arm and rule, a column per metric."""
    metrics = columns(tuple(lines))
    records: list[Record] = []
    for line in lines:
        record: dict[str, object] = {"arm": line.arm, "rule": line.rule}
        for metric in metrics:
            cell = line.cells.get(metric)
            if cell is not None:
                record |= {**estimated(metric, cell.estimate), f"{metric}_published": cell.published}
            else:
                record |= {f"{metric}_mean": None, f"{metric}_sd": None, f"{metric}_n": 0, f"{metric}_published": None}
        records.append(record)
    shown_columns = [
        arm(results.arms),
        rule("selection rule"),
        *(_with_published(metric) for metric in metrics if METRICS[metric].column),
    ]
    is_published = any(record[f"{metric}_published"] is not None for record in records for metric in metrics)
    note = "The published figure is shown under ours." if is_published else ""
    return table("selection", "Selected epochs", shown_columns, records, note=note)


def _with_published(metric: str) -> Column:
    form = METRICS[metric].form

    def show(record: Record) -> Cell:
        mean, sd = record[f"{metric}_mean"], record[f"{metric}_sd"]
        published = record[f"{metric}_published"]
        first, spread = with_sd(form, mean, sd)
        ours = f"{first} ± {spread}" if spread else first
        return Cell(ours, faint=f"published {shown(form, published)}" if published is not None else "", below=True)

    return Column(METRICS[metric].short, show, numeric=True)


def _gaps(results: Results) -> list[Block]:
    found = gaps(results)
    if not found:
        return []
    records = [
        {
            "arm": g.arm,
            "rule": g.rule,
            "metric": g.metric,
            "split": g.split,
            **estimated("train", g.train),
            **estimated("held_out", g.held_out),
            **estimated("gap", g.gap),
        }
        for g in found
    ]
    forms: dict[str, Form] = {"loss": "loss", "accuracy": "share", "rmse": "quantity"}
    names = {"rmse": "RMSE"}

    def of(key: str) -> Callable[[Record], Cell]:
        return lambda r: mean_and_sd("", key, forms[r["metric"]]).show(r)

    def gap(record: Record) -> Cell:
        if record["metric"] == "accuracy":
            shown_points = mean_and_sd_points("", "gap").show(record)
            return Cell(f"{shown_points.text} points", faint=shown_points.faint)
        return of("gap")(record)

    shown_columns = [
        arm(results.arms),
        rule(),
        Column("of", lambda r: Cell(f"{names.get(r['metric'], r['metric'])}, training and {_SPLITS[r['split']]}")),
        Column("training", of("train"), numeric=True),
        Column("held out", of("held_out"), numeric=True),
        Column("gap", gap, numeric=True),
    ]
    note = "How much worse held-out examples are than training examples at the selected epoch."
    if any(g.metric == "accuracy" for g in found):
        note += " Gaps of accuracies are in percentage points."
    if noisy_arms(results):
        note += " Training labels are wrong in part, test labels are not: this gap is no measure of generalisation."
    return [table("gaps", "Generalisation gap", shown_columns, records, note=note)]


def _onsets(results: Results) -> list[Block]:
    records = [
        {
            "arm": o.arm,
            "replicate": o.replicate,
            "epoch": o.epoch,
            "lowest": o.lowest,
            "last": o.last,
            "last_epoch": o.last_epoch,
        }
        for o in onsets(results)
    ]
    shown_columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        value("lowest at epoch", "epoch", "count"),
        value("lowest validation loss", "lowest", "loss"),
        value("at the end", "last", "loss"),
        value("which is epoch", "last_epoch", "count"),
    ]
    note = (
        f"Runs whose validation loss (mean of {OVERFIT_WINDOW} epochs) ends more than {100 * OVERFIT_RISE:g} % above "
        "its minimum."
    )
    return [table("overfitting", "Onset of overfitting", shown_columns, records, note=note)] if records else []


def _settling(results: Results) -> list[Block]:
    found = settling(results)
    records = [
        {
            "arm": s.arm,
            "replicate": s.replicate,
            "window": s.window,
            "threshold": s.threshold,
            "settled_epoch": s.epoch,
            "lr_dropped_at": s.lr_dropped_at,
        }
        for s in found
    ]
    if all(s.epoch is None for s in found):
        return []
    shown_columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        Column("loss settled at epoch", _settled, numeric=True),
        value("learning rate dropped at", "lr_dropped_at", "count"),
    ]
    note = (
        f"A loss has settled when the mean of its last {found[0].window} epochs lies less than "
        f"{100 * found[0].threshold:g} % below the mean of the {found[0].window} before."
    )
    return [
        table(
            "settling",
            "When the training loss settled",
            shown_columns,
            records,
            note=note,
        )
    ]


def _settled(record: Record) -> Cell:
    settled, dropped = record["settled_epoch"], record["lr_dropped_at"]
    after = settled is not None and dropped is not None and settled > dropped
    return Cell(shown("count", settled), faint="after the drop" if after else "")
