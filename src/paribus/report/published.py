"""Ours beside what was published, with the reason wherever they differ by more than the spread."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.agreement import Agreement, agreements
from paribus.analysis.results import Results
from paribus.analysis.wording import label
from paribus.report.blocks import Cell, Chart, Record, Section, Table
from paribus.report.dotplots import Line, arranged, plot
from paribus.report.tabulate import SHORT, Column, arm, capital, estimated, plain, shown, signed, table

_DRAWN = ("test_accuracy", "val_accuracy", "val_loss", "train_loss", "mse")


def section(results: Results) -> Section | None:
    """Dot plots with the published figures in them; the figures beyond the spread; the rest folded away."""
    found = agreements(results)
    if not found:
        return None
    apart = [a for a in found if a.beyond]
    rest = [a for a in found if not a.beyond]
    blocks = arranged(_plots(results, found))
    note = (
        "Beyond the spread: outside the interval in which one further run of ours would lie with 95 %, for a "
        "published figure is one run."
    )
    sources = list(dict.fromkeys(a.source for a in found if a.source))
    note += f" Published in: {'; '.join(sources)}." if sources else ""
    if apart:
        blocks.append(_table(results, "published-beyond", "Beyond the spread, and why", apart, note=note))
    if rest:
        title = "Within the spread, or not to be judged"
        blocks.append(_table(results, "published-within", title, rest, note="" if apart else note, fold=True))
    judged = sum(1 for a in found if a.beyond is not None)
    lead = (
        f"{len(found)} published figures have a counterpart here. {judged} of them can be judged against the spread of "
        f"our replicates, and {len(apart)} lie beyond it."
    )
    return Section("published", "Beside the published figures", tuple(blocks), lead=(lead,))


def _plots(results: Results, found: Sequence[Agreement]) -> list[Chart]:
    drawn: list[Chart] = []
    for metric in _DRAWN:
        rows = [a.row for a in found if a.row.metric == metric and a.row.mean is not None]
        lines = [Line(f"{row.arm} · {row.rule or 'whole run'}", row.arm, row.estimate, row.published) for row in rows]
        if lines:
            name = f"published-{metric.replace('_', '-')}"
            drawn.append(plot(results, name, capital(label(metric)), lines, metric, beside="the published figure"))
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
        sd = r["ours_sd"]
        return Cell(
            shown(r["metric"], r["ours_mean"]),
            faint=f"± {shown(r['metric'], sd, unit=False)}" if sd is not None else "",
        )

    columns = [
        arm(results.arms),
        Column("rule", lambda r: Cell(plain(r["rule"] or "whole run"))),
        Column("metric", lambda r: Cell(SHORT.get(str(r["metric"]), str(r["metric"])))),
        Column("ours", ours, numeric=True),
        Column("published", lambda r: Cell(shown(r["metric"], r["published"])), numeric=True),
        Column("difference", lambda r: Cell(signed(r["metric"], r["difference"])), numeric=True),
        Column("why" if not fold else "judgement", lambda r: Cell(_why(r))),
    ]
    return table(name, title, columns, records, note=note, fold=fold)


def _why(r: Record) -> str:
    if r["beyond_spread"] is False:
        return "within the spread"
    reasons = capital(str(r["reasons"]))
    return f"{reasons}." if reasons else "no spread to judge by"
