"""A page for scores from elsewhere: each arm against the control, with its verdict and its interval."""

from __future__ import annotations

from collections.abc import Sequence

from paribus import __version__
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.score_sentences import contrast_sentence
from paribus.analysis.scores import ScoreContrast, Scores
from paribus.analysis.wording import number, plural
from paribus.report.blocks import Cell, Record, Section, Table, Verdict
from paribus.report.overview import difference_chart
from paribus.report.page import Page, chart_data, html
from paribus.report.tabulate import Column, table, text


def score_page(scores: Scores, found: Sequence[ScoreContrast], *, by: float, source: str) -> str:
    """The page as HTML that opens without a network; `source` names the file of the scores."""
    control = found[0].control
    lead = (
        f"Each arm is compared with {control}. The dot is the mean difference, the bar its {LEVEL_TEXT} interval, and "
        "the grey band holds the differences that do not matter. Values right of zero are better."
    )
    verdicts = tuple(_verdict(one, scores.metric, by, place) for place, one in enumerate(found, start=1))
    sections = (
        Section("verdicts", "Verdicts", verdicts, lead=(lead,)),
        Section("scores", "The scores", (_table(scores),)),
    )
    return html(
        Page(
            name=source,
            file_name="scores",
            title=f"{scores.metric}, compared",
            question=f"Which arms differ from {control} in {scores.metric} by more than {by:g}?",
            answer=tuple(contrast_sentence(one, scores.metric, by) for one in found),
            state=plural(len(scores.arms), "arm"),
            identity="",
            version=__version__,
            sections=sections,
            charts=chart_data(sections),
            outcomes=tuple(one.judgement.verdict for one in found),
            arms=len(scores.arms),
            table=(),
            kind="Scores of",
        )
    )


def _verdict(one: ScoreContrast, metric: str, by: float, place: int) -> Verdict:
    judgement = one.judgement
    name = f"contrast-{place}"
    axis = [f"difference in {metric}", "+ is better"]
    chart = difference_chart(name, axis, one.effect, judgement.interval, by, one.each, judgement.verdict)
    return Verdict(f"{one.arm} against {one.control}", judgement.verdict, contrast_sentence(one, metric, by), chart)


def _table(scores: Scores) -> Table:
    records: list[Record] = [
        {"arm": arm, "replicate": replicate, "score": value}
        for arm, values in scores.arms.items()
        for replicate, value in values.items()
    ]
    columns = [
        text("arm", "arm"),
        text("replicate", "replicate"),
        Column(scores.metric, lambda record: Cell(number(record["score"])), numeric=True),
    ]
    return table("scores", "Every score", columns, records, fold=len(records) > 12)
