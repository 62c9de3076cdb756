"""Arms against each other and against the reference lines."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.contrasts import Contrast, between_arms
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.labels import ranking
from paribus.analysis.pairs import Pair
from paribus.analysis.references import ReferenceLine, did_not_converge, gains, of_reference, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.wording import capital, label, rule_name
from paribus.report.blocks import Block, Cell, Chart, Record, Table
from paribus.report.dotplots import Line, plot
from paribus.report.tabulate import (
    NONE,
    Column,
    arm,
    estimated,
    mean_and_sd,
    signed,
    table,
    text,
    with_sd,
)
from paribus.spec.metrics import METRICS


def ranking_chart(results: Results, metric: str) -> Chart | None:
    """Every replicate of every arm and reference line, best first; None for fewer than two lines."""
    found = [line for line in ranking(results, metric) if line.estimate.n]
    lines = [Line(line.arm, line.arm, line.estimate) for line in found]
    known = [(line, of_reference(results, line, metric)) for line in reference_lines(results)]
    lines += [Line(reference_name(results, line), "", got) for line, got in known if got.n]
    if len(lines) < 2:
        return None
    direction = METRICS[metric].direction
    lines.sort(key=lambda line: -direction * (line.estimate.mean or 0.0))
    beside = ", with reference lines" if len(lines) > len(found) else ""
    return plot(results, "ranking", f"{capital(label(metric))} by arm{beside}", lines, metric)


def reference_name(results: Results, line: ReferenceLine) -> str:
    """A reference's name, with the arms whose data it is of where not all arms share them."""
    return line.label if len(line.arms) == len(results.arms) else f"{line.label} ({', '.join(line.arms)})"


def gain_blocks(results: Results, metric: str) -> list[Block]:
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
        mean_and_sd("its value", "reference", form),
        *difference_columns("better by"),
    ]
    note = "Positive where the network is better. Fitted by scikit-learn on the training split that the networks have."
    if any(did_not_converge(results, line) for line in reference_lines(results)):
        note += " The linear model had not converged when its fit ended, so it may do better than shown."
    title = f"Against the reference lines: {label(metric)}"
    return [table("references", title, shown_columns, records, note=note)] if records else []


def contrast_table(name: str, title: str, found: Sequence[Contrast], results: Results) -> Table:
    """Paired differences, one a line, with their intervals."""
    records = [_contrast_record(c) for c in found]
    shown_columns = [
        Column(
            "difference",
            lambda r: Cell(
                f"{rule_name(r['first_rule'])} − {rule_name(r['second_rule'])}"
                if r["first_arm"] == r["second_arm"]
                else f"{r['first_arm']} − {r['second_arm']}"
            ),
        ),
        *difference_columns(),
    ]
    if any(r["first_arm"] == r["second_arm"] for r in records):
        shown_columns.insert(0, arm(results.arms, "first_arm"))
    return table(name, title, shown_columns, records)


def neighbour_blocks(results: Results, metric: str) -> list[Block]:
    """The pairs of arms that differ in one setting, of three arms and more."""
    near = [(pair, c) for pair, c in between_arms(results, metric) if c.n]
    return [_neighbours(metric, near)] if near and len(results.arms) > 2 else []


def _neighbours(metric: str, near: Sequence[tuple[Pair, Contrast]]) -> Table:
    records: list[Record] = [{**_contrast_record(c), "setting": pair.kind} for pair, c in near]
    shown_columns = [
        text("differ in", "setting"),
        Column("difference", lambda r: Cell(f"{r['first_arm']} − {r['second_arm']}")),
        *difference_columns(),
    ]
    return table("one-setting", f"Arms that differ in one setting: {label(metric)}", shown_columns, records)


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


def difference_columns(title: str = "mean") -> list[Column]:
    """Columns for a mean difference (`mean`, `low`, `high`, `n`, `excludes_zero` and `metric` of a record)."""

    def between(r: Record) -> Cell:
        return Cell(f"{_signed(r, 'low')} to {_signed(r, 'high')}" if r["low"] is not None else NONE)

    words = {True: "excludes zero", False: "includes zero", None: "no interval"}
    return [
        Column(
            title,
            lambda r: Cell(_signed(r, "mean"), faint="points" if METRICS[r["metric"]].is_share else ""),
            numeric=True,
        ),
        Column(f"{LEVEL_TEXT} CI", between, numeric=True),
        Column("n", lambda r: Cell(str(r["n"])), numeric=True),
        Column("interval", lambda r: Cell(words[r["excludes_zero"]], strong=bool(r["excludes_zero"]))),
    ]


def _signed(record: Record, key: str) -> str:
    """A difference, in a unit of the user's with the digits that its interval's half-width allows."""
    form, value = METRICS[record["metric"]].form, record[key]
    if form == "quantity" and value is not None and record["low"] is not None and record["high"] > record["low"]:
        sign = "−" if value < 0 else "+"
        return f"{sign}{with_sd(form, abs(value), (record['high'] - record['low']) / 2)[0]}"
    return signed(form, value)
