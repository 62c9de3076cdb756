"""Ours beside what was published, with the reason wherever a figure lies outside the interval for a further run."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.agreement import Agreement, agreements
from paribus.analysis.estimates import LEVEL, LEVEL_TEXT
from paribus.analysis.results import Results
from paribus.analysis.wording import capital, label, plural, rule_name
from paribus.report.blocks import Block, Cell, Chart, Fold, Record, Section, Table
from paribus.report.dotplots import Line, arranged, plot
from paribus.report.tabulate import NONE, Column, arm, estimated, rule, shown, signed, table, with_sd
from paribus.spec.metrics import METRICS


def section(results: Results) -> Section | None:
    """A sentence, the plot of the metric that arms are compared in; the other plots and all figures folded away."""
    found = agreements(results)
    if not found:
        return None
    estimated_ones = [a for a in found if a.band is not None]
    inside = [a for a in estimated_ones if not a.beyond]
    exact = [a for a in found if a.band is None and a.beyond is not None]
    unknown = len(found) - len(estimated_ones) - len(exact)
    plots = _plots(results, found)
    sources = list(dict.fromkeys(a.source for a in found if a.source))
    note = (
        f"A published figure is one run, so it is compared with the {LEVEL_TEXT} prediction interval for one further "
        f"run of ours{_reach(estimated_ones)}. Ends that no run can have, such as an epoch below 0, are cut off."
    )
    note += f" Published in: {'; '.join(sources)}." if sources else ""
    blocks: list[Block] = list(plots[:1])
    order = sorted(found, key=lambda a: (not a.beyond, a.beyond is None))
    blocks.append(Fold("Every published figure beside ours", (*arranged(plots[1:]), _table(results, order, note=note))))
    return Section(
        "published",
        "Comparison with published results",
        tuple(blocks),
        lead=(_lead(len(estimated_ones), len(inside), exact, unknown),),
    )


def _reach(found: Sequence[Agreement]) -> str:
    """How far the intervals reach: few replicates make them wide."""
    sizes = {a.row.n: (a.band.high - a.band.low) / (2 * a.row.sd) for a in found if a.band is not None and a.row.sd}
    told = " or ".join(f"{size:.1f} standard deviations (n = {n})" for n, size in sorted(sizes.items()))
    return f", the mean ± {told}" if sizes else ""


def _lead(judged: int, inside: int, exact: Sequence[Agreement], unknown: int) -> str:
    """How many published figures agree, in one sentence or two."""
    words: list[str] = []
    if exact:
        same = sum(not a.beyond for a in exact)
        agree = "agree exactly" if same == len(exact) else f"agree exactly in {same} of {len(exact)} cases"
        words.append(f"Published counts {agree}.")
    if judged:
        noun = "figure" if judged == 1 else "figures"
        verb = "lies" if inside == 1 else "lie"
        words.append(
            f"Of {judged} {'other ' if exact else ''}published {noun}, {inside} {verb} inside the {LEVEL_TEXT} "
            "prediction interval for one further run of ours."
        )
        expected = (1 - LEVEL) * judged
        words.append(f"About {expected:.1f} would lie outside by chance.")
    if unknown:
        words.append(f"{plural(unknown, 'figure')} cannot be compared: too few replicates, or no spread.")
    return " ".join(words)


def _plots(results: Results, found: Sequence[Agreement]) -> list[Chart]:
    """One plot for each metric that has a better and a worse, the one that arms are compared in first."""
    drawn: list[Chart] = []
    for metric in [m.name for m in sorted(METRICS.values(), key=lambda m: -m.priority) if m.direction]:
        rows = [a.row for a in found if a.row.metric == metric and a.row.mean is not None]
        lines = [Line(f"{row.arm} · {_at(row.rule)}", row.arm, row.estimate, row.published) for row in rows]
        if lines:
            name = f"published-{metric.replace('_', '-')}"
            drawn.append(plot(results, name, capital(label(metric)), lines, metric, reference="the published figure"))
    return drawn


_WHOLE = "whole run"


def _at(rule: str) -> str:
    return rule_name(rule) if rule else _WHOLE


def _table(results: Results, found: Sequence[Agreement], *, note: str) -> Table:
    records: list[Record] = [
        {
            "arm": a.row.arm,
            "rule": a.row.rule,
            "metric": a.row.metric,
            **estimated("ours", a.row.estimate),
            "published": a.row.published,
            "difference": a.difference,
            "band_low": a.band.low if a.band else None,
            "band_high": a.band.high if a.band else None,
            "beyond_spread": a.beyond,
            "reasons": "; ".join(reason.sentence.rstrip(".") for reason in a.reasons),
            "source": a.source,
        }
        for a in found
    ]

    def ours(r: Record) -> Cell:
        mean, spread = with_sd(METRICS[r["metric"]].form, r["ours_mean"], r["ours_sd"])
        return Cell(mean, faint=f"± {spread}" if spread else "")

    def difference(r: Record) -> Cell:
        metric = METRICS[r["metric"]]
        known = metric.is_share and r["difference"] is not None
        return Cell(signed(metric.form, r["difference"]), faint="points" if known else "")

    columns = [
        arm(results.arms),
        rule(none=_WHOLE),
        Column("metric", lambda r: Cell(METRICS[r["metric"]].short)),
        Column("ours", ours, numeric=True),
        Column("published", lambda r: Cell(shown(METRICS[r["metric"]].form, r["published"])), numeric=True),
        Column("difference", difference, numeric=True),
        Column("one further run of ours", _band),
        Column("judgement", lambda r: Cell(_judgement(r), strong=bool(r["beyond_spread"]))),
    ]
    return table("published", "Published figures and ours", columns, records, note=note)


def _band(r: Record) -> Cell:
    form = METRICS[r["metric"]].form
    low, high = r["band_low"], r["band_high"]
    if low is None:
        return Cell(NONE)
    if form in ("share", "count"):
        low = max(0.0, low)
    if form == "share":
        high = min(1.0, high)
    return Cell(f"{shown(form, low, unit=False)} to {shown(form, high)}")


def _judgement(r: Record) -> str:
    reasons = capital(str(r["reasons"]))
    if r["beyond_spread"]:
        return f"Outside. {reasons}."
    return f"{reasons}." if reasons else "not comparable"
