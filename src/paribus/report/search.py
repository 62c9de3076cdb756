"""A search in its report: how candidates were halved, the values of the finalists on fresh replicates, and every
candidate."""

from __future__ import annotations

from typing import Any

import altair as alt

from paribus.analysis.faults import IN_WORDS
from paribus.analysis.halving import survivors
from paribus.analysis.results import Results
from paribus.analysis.search_outcome import (
    Finalist,
    SearchOutcome,
    name_of,
    search_outcome,
    search_sentences,
    values_in_words,
)
from paribus.analysis.wording import capital, label, plural, quantity
from paribus.report import charts
from paribus.report.blocks import Block, Cell, Chart, Record, Section, Table
from paribus.report.tabulate import Column, estimated, mean_and_sd, plain, shown, signed, table, text, value
from paribus.spec.metrics import metric_named
from paribus.spec.search import Sampler, Search

HEIGHT = 340
_CANDIDATE = Column("candidate", lambda record: Cell(str(record["candidate"]).replace(" ", "\N{NO-BREAK SPACE}")))
LOG_FROM = 3.0
"""Values whose largest is this many times the smallest stand on a logarithmic axis."""


def sections(results: Results) -> tuple[Section, ...]:
    """What a page says of a search; nothing of any other study."""
    outcome = search_outcome(results)
    if outcome is None:
        return ()
    found: list[Section] = []
    drawn = rungs_chart(results, outcome)
    if drawn is not None:
        found.append(Section("figure", "Main figure", (drawn,)))
    if outcome.finalists:
        found.append(_finalists_section(results, outcome))
    if outcome.last:
        found.append(_candidates_section(results, outcome))
    return tuple(found)


def rung_rows(results: Results, outcome: SearchOutcome) -> list[Record]:
    """Every assessment that has a value: candidate, epochs, value, and what became of it there.

    `state` is `stopped`, `went on`, `finalist`, `winner`, or the faults that it has.
    """
    finalists = {one.number for one in outcome.finalists}
    rungs: dict[tuple[int, int], list[Any]] = {}
    for one in results.assessments:
        rungs.setdefault((_bracket(outcome.search, one.number), one.rung), []).append(one)
    going = {key: set(survivors(outcome.search, results.proposed, assessed)) for key, assessed in rungs.items()}
    epochs = results.study.arms[0].recipe.training.epochs
    rows: list[Record] = []
    for (bracket, rung), assessed in sorted(rungs.items()):
        for one in assessed:
            if one.value is None:
                continue
            state = "went on" if one.epochs < epochs and one.number in going[bracket, rung] else "stopped"
            if one.faults:
                state = ", ".join(one.faults)
            elif name_of(one.number) == outcome.winner:
                state = "winner"
            elif one.number in finalists:
                state = "finalist"
            rows.append({"candidate": name_of(one.number), "epochs": one.epochs, "value": one.value, "state": state})
    return rows


def _bracket(search: Search, number: int) -> int:
    return next(b for b in range(search.brackets) if any(number in batch for batch in search.batches(b)))


def rungs_chart(results: Results, outcome: SearchOutcome) -> Chart | None:
    """The value of each candidate from rung to rung; None before the first.

    Data set `rungs` has candidate, epochs, value, state; `marks` those of its rows that have a fault, or are of
    finalists.
    """
    rows = rung_rows(results, outcome)
    if not rows:
        return None
    metric = metric_named(outcome.search.metric)
    values = [float(row["value"]) for row in rows]
    log = not metric.is_share and min(values) > 0 and max(values) > LOG_FROM * min(values)
    marks = [row for row in rows if row["state"] not in ("stopped", "went on")]
    data = {"rungs": rows, "marks": marks}
    rungs = sorted({int(row["epochs"]) for row in rows})
    title = f"Best {metric.label} so far of each candidate"
    note = (
        "A line is a candidate, a dot its mean over replicates at a rung. Lines end where a candidate was stopped. "
        "Filled: finalists, the winner larger; crosses: candidates with a fault."
    )
    alt_text = f"{plural(len(results.candidates), 'candidate')} at {plural(len(rungs), 'rung')}: "
    alt_text += " ".join(search_sentences(results)[:2])
    y = f"{label(metric.name)}{' (log scale)' if log else ''}"
    drawn = _drawn_rungs(y, rungs, log=log, percent=metric.is_share)
    return charts.figure("rungs", title, drawn, data, alt_text, note=note, height=HEIGHT)


def _drawn_rungs(y: str, rungs: list[int], *, log: bool, percent: bool) -> alt.LayerChart:
    across = alt.X(
        "epochs:Q",
        title="epoch (log scale)" if len(rungs) > 1 else "epoch",
        scale=alt.Scale(type="log", nice=False, padding=16),
        axis=alt.Axis(values=rungs, format=",d", grid=False),
    )
    form: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    up: dict[str, Any] = {
        "title": y,
        "scale": alt.Scale(nice=False, padding=12, **form),
        "axis": alt.Axis(format="~%" if percent else "~g", tickCount=6),
    }
    shown_as = ".2%" if percent else ".4g"
    tip: list[Any] = ["candidate:N", "epochs:Q", alt.Tooltip("value:Q", format=shown_as), "state:N"]
    base = alt.Chart(alt.NamedData("rungs"), height=HEIGHT)
    lines = base.mark_line(style="faint", strokeWidth=1, opacity=0.45).encode(
        x=across, y=alt.Y("value:Q", **up), detail="candidate:N"
    )
    dots = base.mark_point(style="faint", size=26, opacity=0.7).encode(x=across, y=alt.Y("value:Q", **up), tooltip=tip)
    marks = alt.Chart(alt.NamedData("marks"), height=HEIGHT)
    good = (
        marks.transform_filter("datum.state == 'finalist' || datum.state == 'winner'")
        .mark_point(style="ink", filled=True, opacity=1)
        .encode(
            x=across,
            y=alt.Y("value:Q", **up),
            size=alt.condition("datum.state == 'winner'", alt.value(130), alt.value(55)),
            tooltip=tip,
        )
    )
    bad = (
        marks.transform_filter("datum.state != 'finalist' && datum.state != 'winner'")
        .mark_point(style="ink", shape="cross", angle=45, size=60, opacity=0.85)
        .encode(x=across, y=alt.Y("value:Q", **up), tooltip=tip)
    )
    return charts.laid(lines, dots, bad, good)


def _finalists_section(results: Results, outcome: SearchOutcome) -> Section:
    """Found against confirmed values."""
    metric = metric_named(outcome.search.metric)
    confirm = outcome.search.confirm
    lead = (
        f"The finalists were trained again on {plural(confirm.replicates, 'fresh replicate')} ({confirm.first} to "
        f"{confirm.first + confirm.replicates - 1}), which the search has not seen. The shrinkage is the mean on them "
        "minus the found value: the best of many is found too good. " + " ".join(search_sentences(results)[:3])
    )
    blocks: list[Block] = []
    drawn = _found_and_confirmed(outcome)
    if drawn is not None:
        blocks.append(drawn)
    name = metric.label
    columns = [
        _CANDIDATE,
        text("values", "values"),
        value("found", "found", metric.form),
        mean_and_sd("confirmed", "confirmed", metric.form),
        Column(
            "shrinkage",
            lambda r: Cell(signed(metric.form, r["shrinkage"]), faint="points" if metric.is_share else ""),
            numeric=True,
        ),
        Column("95 % interval", lambda r: Cell(_interval(metric.form, r)), numeric=True),
        Column("", lambda r: Cell("chosen" if r["chosen"] else r["excluded"], strong=bool(r["chosen"]))),
    ]
    blocks.append(table("finalists", f"{capital(name)} in the search and on fresh replicates", columns,
                        [_finalist_row(one) for one in outcome.finalists]))  # fmt: skip
    return Section("finalists", "Finalists", tuple(blocks), lead=(lead,))


def _interval(form: Any, row: Record) -> str:
    if row["shrinkage_low"] is None:
        return plain(None)
    return f"{signed(form, row['shrinkage_low'])} to {signed(form, row['shrinkage_high'])}"


def _finalist_row(one: Finalist) -> Record:
    ends = one.interval
    return {
        "candidate": one.name,
        "values": values_in_words(one.values),
        "found": one.found,
        **estimated("confirmed", one.confirmed),
        "shrinkage": one.shrinkage,
        "shrinkage_low": None if ends is None else ends.low,
        "shrinkage_high": None if ends is None else ends.high,
        "excluded": one.excluded,
        "chosen": one.chosen,
    }


def found_rows(outcome: SearchOutcome) -> tuple[list[Record], list[Record]]:
    """(every fresh replicate, the means with their intervals beside the found values) of the finalists."""
    replicates: list[Record] = [
        {"candidate": one.name, "value": found}
        for one in outcome.finalists
        for found in one.confirmed.values
        if found is not None
    ]
    means: list[Record] = []
    for one in outcome.finalists:
        mean, ends = one.confirmed.mean, one.confirmed.interval
        low, high = (mean, mean) if ends is None else (ends.low, ends.high)
        means.append({"candidate": one.name, "found": one.found, "mean": mean, "lo": low, "hi": high})
    return replicates, means


def _found_and_confirmed(outcome: SearchOutcome) -> Chart | None:
    """Data set `fresh` has candidate, value; `means` has candidate, found, mean, lo, hi."""
    fresh, means = found_rows(outcome)
    if not fresh:
        return None
    metric = metric_named(outcome.search.metric)
    height = charts.LINE_HEIGHT * len(means) + 10
    across: dict[str, Any] = {
        "title": metric.label,
        "scale": alt.Scale(zero=False, nice=False, padding=14),
        "axis": alt.Axis(format="~%" if metric.is_share else "~g", tickCount=7),
    }
    down = alt.Y("candidate:N", sort=[str(row["candidate"]) for row in means], title=None,
                 axis=alt.Axis(grid=True, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    each = alt.Chart(alt.NamedData("fresh"), height=height).mark_point(style="faint", size=45, opacity=0.8)
    base = alt.Chart(alt.NamedData("means"), height=height)
    shown_as = ".2%" if metric.is_share else ".4g"
    tip: list[Any] = ["candidate:N", *(alt.Tooltip(f"{key}:Q", format=shown_as) for key in ("found", "mean"))]
    layers = (
        each.encode(x=alt.X("value:Q", **across), y=down),
        base.mark_rule(style="ink", strokeWidth=2).encode(x=alt.X("lo:Q", **across), x2="hi:Q", y=down),
        base.mark_tick(style="ink", thickness=3, size=22).encode(x=alt.X("mean:Q", **across), y=down, tooltip=tip),
        base.mark_point(style="ink", shape="diamond", size=90, strokeWidth=1.75).encode(
            x=alt.X("found:Q", **across), y=down, tooltip=tip
        ),
    )
    note = (
        "Diamonds: found in the search; circles: fresh replicates; strokes and bars: their mean and its 95 % interval."
    )
    words = ", ".join(f"{one.name} found {quantity(metric.name, one.found)}" for one in outcome.finalists)
    title = f"Found and confirmed {metric.label}"
    return charts.figure("confirmed", title, charts.laid(*layers), {"fresh": fresh, "means": means},
                         f"{title}: {words}.", note=note, height=height)  # fmt: skip


def _candidates_section(results: Results, outcome: SearchOutcome) -> Section:
    """How candidates were proposed and halved, and the table of all of them."""
    search = outcome.search
    lead = (f"{_proposed(results, search)} {_halved(results, search)}", _faults(outcome))
    return Section("candidates", "Candidates", (_table(results, outcome),), lead=tuple(part for part in lead if part))


def sampler_in_words(sampler: Sampler) -> str:
    """What a sampler is called in a sentence."""
    match sampler:
        case "tpe":
            return "the tree-structured Parzen estimator"
        case "random":
            return "random sampling"
        case "sobol":
            return "a Sobol sequence"


def _proposed(results: Results, search: Search) -> str:
    return (
        f"Candidates are proposed by {sampler_in_words(search.sampler)} in batches of {search.batch}, "
        f"{len(results.candidates)} of {search.candidates} so far."
    )


def _halved(results: Results, search: Search) -> str:
    epochs = results.study.arms[0].recipe.training.epochs
    objective = f"the best {metric_named(search.metric).label} so far"
    if search.halving is None:
        return f"Each trains for {epochs} epochs, and is compared by {objective}."
    rungs = ", ".join(map(str, search.rungs(epochs)))
    more = f" in {search.brackets} brackets" if search.brackets > 1 else ""
    return (
        f"They are compared by {objective} at epochs {rungs}{more}; one of {search.halving.factor} goes on, from where "
        "it paused."
    )


def _faults(outcome: SearchOutcome) -> str:
    named = outcome.disqualified
    if not named:
        return ""
    words = "; ".join(f"{fault}: {IN_WORDS[fault]}" for fault in IN_WORDS if fault in named)
    if "failed" in named:
        words += f"{'; ' if words else ''}failed: the candidate could not be built or trained"
    return f"Candidates with a fault are disqualified. {capital(words)}."


def candidate_rows(results: Results, outcome: SearchOutcome) -> list[Record]:
    """Every candidate with its proposed values by dotted key, the epochs that it has reached, its value, its faults."""
    reached = {one.number: one.epochs for one in results.assessments if not one.failure}
    proposed = results.proposed
    return [
        {
            "candidate": name_of(one.number),
            **{key: proposed[one.number].get(key) for key in outcome.search.space},
            "epochs": reached.get(one.number, 0),
            "value": one.value,
            "faults": f"failed: {one.failure}" if one.failure else ", ".join(one.faults),
        }
        for one in outcome.last
    ]


def _table(results: Results, outcome: SearchOutcome) -> Table:
    metric, keys = metric_named(outcome.search.metric), list(outcome.search.space)
    records = candidate_rows(results, outcome)
    columns = [
        _CANDIDATE,
        *(text(key.rpartition(".")[2].replace("_", " "), key) for key in keys),
        value("epochs", "epochs", "count"),
        Column(metric.label, lambda r: Cell(shown(metric.form, r["value"])), numeric=True),
        text("faults", "faults"),
    ]
    return table("candidates", "Every candidate", columns, records, fold=len(records) > 16)
