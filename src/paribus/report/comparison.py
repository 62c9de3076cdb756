"""Figures against figures: selection rules within an arm, arms against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paribus.analysis.contrasts import Contrast, against_control, between_arms, between_rules
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.headline import compared_metric
from paribus.analysis.labels import peaks, ranking
from paribus.analysis.pairs import Pair
from paribus.analysis.references import ReferenceLine, did_not_converge, gains, of_reference, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.selection import RuleLine, columns, gaps, onsets, rule_table, settling
from paribus.analysis.thresholds import OVERFIT_RISE
from paribus.analysis.wording import label
from paribus.report.blocks import Block, Cell, Record, Section, Table
from paribus.report.dotplots import Line, plot
from paribus.report.tabulate import (
    NONE,
    Column,
    arm,
    estimated,
    mean_and_sd,
    shown,
    signed,
    table,
    text,
    value,
    with_sd,
)
from paribus.spec.metrics import METRICS, Form

_SPLITS = {"val": "validation", "test": "test"}


def selection_section(results: Results) -> Section | None:
    """The table of what each rule chose, and what the choice of a rule is worth."""
    lines = rule_table(results)
    if not lines:
        return None
    blocks: list[Block] = [rules(results, lines)]
    metric = compared_metric(results)
    if metric is not None:
        blocks += _contrasts(
            "rules-compared",
            f"What the choice of a rule changes: {label(metric)}",
            [c for c in between_rules(results, metric) if c.n],
            results,
        )
    blocks += _gaps(results) + _onsets(results) + _settling(results)
    lead = "Mean ± standard deviation over replicates; the published figure, where there is one, stands below ours."
    return Section("selection", "Which epoch each rule chose", tuple(blocks), lead=(lead,))


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
        text("selection rule", "rule"),
        *(_with_published(metric) for metric in metrics if METRICS[metric].column),
    ]
    return table("selection", "Selected epochs", shown_columns, records)


def comparison_section(results: Results) -> Section | None:
    """Arms against the control and against their nearest neighbours."""
    metric = compared_metric(results)
    if metric is None or (len(results.arms) < 2 and not reference_lines(results)):
        return None
    blocks: list[Block] = [*_ranking(results, metric), *_gains(results, metric)]
    blocks += _contrasts(
        "against-control",
        f"Against the control, {results.study.control}: {label(metric)}",
        [c for c in against_control(results, metric) if c.n],
        results,
    )
    near = [(pair, c) for pair, c in between_arms(results, metric) if c.n]
    if near:
        blocks.append(_neighbours(metric, near))
    lead = (
        "Differences are paired: both sides of a replicate share their data, their order and, where shapes agree, "
        "their start."
    )
    title = "The arms compared" if len(results.arms) > 1 else "The arm and the reference lines"
    return Section("arms", title, tuple(blocks), lead=(lead,)) if blocks else None


def labels_section(results: Results) -> Section | None:
    """Where test accuracy peaks and where it ends, and how many wrong labels were memorised."""
    found = [peak for peak in peaks(results) if peak.peak.n]
    if not found:
        return None
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
            "monitored_examples": p.monitored_examples,
        }
        for p in found
    ]
    shown_columns = [
        arm(results.arms),
        mean_and_sd("peak", "peak", "share"),
        mean_and_sd("at epoch", "peak_epoch", "count"),
        mean_and_sd("end", "last", "share"),
        mean_and_sd("at epoch", "last_epoch", "count"),
        mean_and_sd("lost", "drop", "share"),
        mean_and_sd("wrong labels", "mislabelled", "share"),
        mean_and_sd("of these memorised", "memorised", "share"),
    ]
    note = (
        "The peak is read off the monitored test curve: it shows what happened, and is no way to choose an epoch, "
        "since the choice would have used the test data. Memorised: the share of wrongly labelled training images "
        "for which the network gives back the wrong label."
    )
    return Section(
        "peaks",
        "Test accuracy: its peak and its end",
        (table("peaks", "Peak and end", shown_columns, records, note=note),),
    )


def _ranking(results: Results, metric: str) -> list[Block]:
    found = [line for line in ranking(results, metric) if line.estimate.n]
    lines = [Line(f"{line.arm} · {line.rule}", line.arm, line.estimate) for line in found]
    known = [(line, of_reference(results, line, metric)) for line in reference_lines(results)]
    lines += [Line(_reference_name(results, line), "", got) for line, got in known if got.n]
    if len(lines) < 2:
        return []
    direction = METRICS[metric].direction
    lines.sort(key=lambda line: -direction * (line.estimate.mean or 0.0))
    beside = " beside the reference lines" if len(lines) > len(found) else ""
    return [plot(results, "ranking", f"Arms by {label(metric)}{beside}, best first", lines, metric)]


def _reference_name(results: Results, line: ReferenceLine) -> str:
    """A reference's name, with the arms whose data it is of where not all arms share them."""
    return line.label if len(line.arms) == len(results.arms) else f"{line.label} ({', '.join(line.arms)})"


def _gains(results: Results, metric: str) -> list[Block]:
    """How much better each arm is than each reference, paired by replicate."""
    records: list[Record] = [
        {
            "arm": gain.arm,
            "reference": line.label,
            "metric": metric,
            **estimated("arm", gain.network),
            **estimated("reference", gain.line),
            "mean": gain.gain.mean,
            "n": gain.gain.n,
            "low": gain.gain.interval.low if gain.gain.interval else None,
            "high": gain.gain.interval.high if gain.gain.interval else None,
            "excludes_zero": None if gain.gain.interval is None else 0.0 not in gain.gain.interval,
        }
        for line in reference_lines(results)
        for gain in gains(results, line, metric)
    ]
    form = METRICS[metric].form
    shown_columns = [
        arm(results.arms),
        mean_and_sd(METRICS[metric].short, "arm", form),
        text("reference", "reference"),
        mean_and_sd("its own", "reference", form),
        *_difference_columns("better by"),
    ]
    note = "Positive where the network is better. Fitted by scikit-learn on the training split that the networks have."
    if any(did_not_converge(results, line) for line in reference_lines(results)):
        note += " The linear model had not converged when its fit ended, so it may do better than shown."
    title = f"Against the reference lines: {label(metric)}"
    return [table("references", title, shown_columns, records, note=note)] if records else []


def _contrasts(name: str, title: str, found: Sequence[Contrast], results: Results) -> list[Block]:
    if not found:
        return []
    records = [_contrast_record(c) for c in found]
    shown_columns = [
        Column(
            "difference",
            lambda r: Cell(
                f"{r['first_rule']} − {r['second_rule']}"
                if r["first_arm"] == r["second_arm"]
                else f"{r['first_arm']} − {r['second_arm']}"
            ),
        ),
        *_difference_columns(),
    ]
    if any(r["first_arm"] == r["second_arm"] for r in records):
        shown_columns.insert(0, arm(results.arms, "first_arm"))
    return [table(name, title, shown_columns, records, fold=len(records) > 12)]


def _neighbours(metric: str, near: Sequence[tuple[Pair, Contrast]]) -> Table:
    records: list[Record] = [{**_contrast_record(c), "one_thing": pair.kind} for pair, c in near]
    shown_columns = [
        text("differs in", "one_thing"),
        Column("difference", lambda r: Cell(f"{r['first_arm']} − {r['second_arm']}")),
        *_difference_columns(),
    ]
    return table(
        "one-thing", f"Arms that differ in one thing only: {label(metric)}", shown_columns, records, fold=len(near) > 12
    )


def _contrast_record(c: Contrast) -> Record:
    return {
        "metric": c.metric,
        "first_arm": c.first.arm,
        "first_rule": c.first.rule,
        "second_arm": c.second.arm,
        "second_rule": c.second.rule,
        "mean": c.mean,
        "sd": c.sd,
        "n": c.n,
        "low": c.interval.low if c.interval else None,
        "high": c.interval.high if c.interval else None,
        "excludes_zero": c.separated,
    }


def _difference_columns(title: str = "mean") -> list[Column]:
    def between(r: Record) -> Cell:
        return Cell(f"{_signed(r, 'low')} to {_signed(r, 'high')}" if r["low"] is not None else NONE)

    words = {True: "interval leaves zero out", False: "interval holds zero", None: "no interval"}
    return [
        Column(
            title,
            lambda r: Cell(_signed(r, "mean"), faint="points" if METRICS[r["metric"]].is_share else ""),
            numeric=True,
        ),
        Column(f"{LEVEL_TEXT} interval", between, numeric=True),
        Column("n", lambda r: Cell(str(r["n"])), numeric=True),
        Column("", lambda r: Cell(words[r["excludes_zero"]], strong=bool(r["excludes_zero"]))),
    ]


def _signed(record: Record, key: str) -> str:
    """A difference, in a unit of the user's with the digits that its interval's half-width allows."""
    form, value = METRICS[record["metric"]].form, record[key]
    if form == "quantity" and value is not None and record["low"] is not None and record["high"] > record["low"]:
        sign = "−" if value < 0 else "+"
        return f"{sign}{with_sd(form, abs(value), (record['high'] - record['low']) / 2)[0]}"
    return signed(form, value)


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

    shown_columns = [
        arm(results.arms),
        text("rule", "rule"),
        Column("of", lambda r: Cell(f"{names.get(r['metric'], r['metric'])}, training and {_SPLITS[r['split']]}")),
        Column("training", of("train"), numeric=True),
        Column("held out", of("held_out"), numeric=True),
        Column("gap", of("gap"), numeric=True),
    ]
    note = "How much worse held-out examples do than training examples at the selected epoch."
    if any(g.metric == "accuracy" for g in found):
        note = f"{note[:-1]}; accuracies apart in points."
    return [table("gaps", "Generalisation gap", shown_columns, records, note=note, fold=True)]


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
    note = f"Runs whose validation loss ends more than {100 * OVERFIT_RISE:g} % above its smoothed minimum."
    return (
        [table("overfitting", "Where overfitting set in", shown_columns, records, note=note, fold=True)]
        if records
        else []
    )


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
    if not records:
        return []
    shown_columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        value("loss settled at epoch", "settled_epoch", "count"),
        value("learning rate dropped at", "lr_dropped_at", "count"),
    ]
    note = (
        f"The rule: a loss has settled when the mean of its last {found[0].window} epochs lies less than "
        f"{100 * found[0].threshold:g} % below the mean of the {found[0].window} before."
    )
    return [
        table(
            "settling",
            "When the training loss stopped changing noticeably",
            shown_columns,
            records,
            note=note,
            fold=True,
        )
    ]
