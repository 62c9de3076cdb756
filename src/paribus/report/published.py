"""Ours beside what was published, with the reason wherever they differ by more than the spread."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.agreement import Agreement, agreements
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.results import Results
from paribus.analysis.wording import label
from paribus.report.blocks import Cell, Chart, Record, Section, Table
from paribus.report.dotplots import Line, arranged, plot
from paribus.report.tabulate import Column, arm, capital, estimated, plain, shown, signed, table
from paribus.spec.metrics import METRICS


def section(results: Results) -> Section | None:
    """Dot plots with the published figures in them; the figures beyond the spread; the rest folded away."""
    found = agreements(results)
    if not found:
        return None
    apart = [a for a in found if a.beyond]
    rest = [a for a in found if not a.beyond]
    blocks = arranged(_plots(results, found))
    note = (
        f"Beyond the spread: outside the interval in which one further run of ours would lie with {LEVEL_TEXT}, for a "
        "published figure is one run."
    )
    sources = list(dict.fromkeys(a.source for a in found if a.source))
    note += f" Published in: {'; '.join(sources)}." if sources else ""
    if apart:
        blocks.append(_table(results, "published-beyond", "Beyond the spread, and why", apart, note=note))
    if rest:
        title = "Within the spread, or not to be judged"
        blocks.append(_table(results, "published-within", title, rest, note="" if apart else note, fold=True))
    known = sum(1 for a in found if a.beyond is not None)
    lead = (
        f"{len(found)} published figures have a counterpart here. {known} of them can be judged against the spread of "
        f"our replicates, and {len(apart)} lie beyond it."
    )
    return Section("published", "Beside the published figures", tuple(blocks), lead=(lead,))


def _plots(results: Results, found: Sequence[Agreement]) -> list[Chart]:
    """One plot for each metric that has a better and a worse, the one that arms are compared in first."""
    drawn: list[Chart] = []
    for metric in [m.name for m in sorted(METRICS.values(), key=lambda m: -m.priority) if m.direction]:
        rows = [a.row for a in found if a.row.metric == metric and a.row.mean is not None]
        lines = [Line(f"{row.arm} · {row.rule or 'whole run'}", row.arm, row.estimate, row.published) for row in rows]
        if lines:
            name = f"published-{metric.replace('_', '-')}"
            drawn.append(plot(results, name, capital(label(metric)), lines, metric, reference="the published figure"))
    return drawn


def _table(
    results: Results, name: str, title: str, found: Sequence[Agreement], *, note: str, fold: bool = False
) -> Table:
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
        sd, form = r["ours_sd"], METRICS[r["metric"]].form
        return Cell(shown(form, r["ours_mean"]), faint=f"± {shown(form, sd, unit=False)}" if sd is not None else "")

    columns = [
        arm(results.arms),
        Column("rule", lambda r: Cell(plain(r["rule"] or "whole run"))),
        Column("metric", lambda r: Cell(METRICS[r["metric"]].short)),
        Column("ours", ours, numeric=True),
        Column("published", lambda r: Cell(shown(METRICS[r["metric"]].form, r["published"])), numeric=True),
        Column("difference", lambda r: Cell(signed(METRICS[r["metric"]].form, r["difference"])), numeric=True),
        Column("why" if not fold else "judgement", lambda r: Cell(_why(r))),
    ]
    return table(name, title, columns, records, note=note, fold=fold)


def _why(r: Record) -> str:
    if r["beyond_spread"] is False:
        return "within the spread"
    reasons = capital(str(r["reasons"]))
    return f"{reasons}." if reasons else "no spread to judge by"
