"""What a reader must know first: the answer in words, the claims and their verdicts, and what was found on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping

from paribus.analysis.answers import Answer
from paribus.analysis.estimates import LEVEL_TEXT, Interval
from paribus.analysis.finding_summaries import FindingSummary, findings
from paribus.analysis.findings import FindingKind
from paribus.analysis.results import Results
from paribus.analysis.test_access import test_access
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes, claim_sentence
from paribus.analysis.wording import label
from paribus.report import charts
from paribus.report.blocks import Chart, Note, Notes, Section, Topics, Verdict
from paribus.report.tabulate import difference_unit
from paribus.spec.metrics import METRICS

GRAVE: tuple[FindingKind, ...] = ("diverged", "constant-data", "never-learned", "collapse", "missing-class")
"""Findings that change what an arm's figures mean come first."""
SHOWN_FINDINGS = 8
_SHOWN_ELSEWHERE = ("Claims", "Findings", "Published figures", "Test data", "Cost")
"""Topics of the answer that have a section of their own, where each sentence stands beside its table."""


def answer_section(found: Answer) -> Section | None:
    """What the answer rests on, topic by topic; its short form stands in the page's head."""
    topics = tuple((part.topic, part.sentences) for part in found.paragraphs if part.topic not in _SHOWN_ELSEWHERE)
    return Section("answer", "The answer, with its numbers", (Topics(topics),)) if topics else None


def verdict_section(results: Results) -> Section | None:
    """Every claim with its verdict and interval."""
    found = claim_outcomes(results)
    if not found:
        return None
    blocks = tuple(_verdict(results, case, place) for place, case in enumerate(found))
    lead = (
        "Each claim was declared with the smallest difference that would matter (the grey band around zero). The dot "
        f"is the mean paired difference, the bar its {LEVEL_TEXT} interval, and the small strokes below are the "
        "replicates; to the right favours the claim."
    )
    return Section("claims", "Claims and verdicts", blocks, lead=(lead,))


def finding_section(results: Results) -> Section | None:
    """What a person should know about the runs, and whether test data were evaluated during training."""
    items = findings(results)
    first = [item for item in items if _at_deploy(results, item)]
    notes = sorted((_note(results, item) for item in first), key=lambda note: not note.grave)
    rest = [_note(results, item) for item in items if not _at_deploy(results, item)]
    access = test_access(results)
    if access.monitors:
        notes.insert(0, Note("test data monitored", access.sentence, grave=True))
    shown, rest = (notes or rest)[:SHOWN_FINDINGS], notes[SHOWN_FINDINGS:] + (rest if notes else rest[SHOWN_FINDINGS:])
    if not shown:
        return None
    return Section("findings", "Findings", (Notes(tuple(shown), tuple(rest)),))


def _at_deploy(results: Results, item: FindingSummary) -> bool:
    """Whether a finding is about the run as a whole or about the weights that would be deployed."""
    return not item.rule or item.arm not in results.arms or item.rule == results.deploy(item.arm)


def _note(results: Results, item: FindingSummary) -> Note:
    arm = results.arms.index(item.arm) if item.arm in results.arms else None
    return Note(item.kind.replace("-", " "), item.sentence, grave=item.kind in GRAVE, arm=arm)


def _verdict(results: Results, case: ClaimOutcome, place: int) -> Verdict:
    return Verdict(case.claim.statement, case.label, claim_sentence(results, case), _chart(results, case, place))


def _chart(results: Results, case: ClaimOutcome, place: int) -> Chart | None:
    """The claim's difference, + favouring it; None where there is nothing to draw."""
    if case.effect is None:
        return None
    unit = difference_unit(case.claim.metric)
    factor = 100.0 if METRICS[case.claim.metric].is_share else 1.0
    sign = METRICS[case.claim.metric].direction
    each = {
        str(replicate): factor * sign * value
        for replicate, value in zip(results.study.replicates.indices, case.contrast.differences, strict=True)
        if value is not None and math.isfinite(value)
    }
    shown = case.interval and Interval(factor * case.interval.low, factor * case.interval.high)
    title = f"difference in {label(case.claim.metric)}{f' ({unit})' if unit else ''}"
    by = factor * case.claim.by
    axis = [title, "+ favours the claim"]
    return difference_chart(f"claim-{place + 1}", axis, factor * case.effect, shown, by, each, case.label)


def difference_chart(
    name: str,
    axis: list[str],
    mean: float,
    interval: Interval | None,
    by: float,
    each: Mapping[str, float],
    verdict: str,
) -> Chart:
    """A mean difference, its interval and each replicate's, beside the margin `by`. `axis` has the title's lines."""
    low, high = (interval.low, interval.high) if interval else (mean, mean)
    record = {"mean": mean, "lo": low, "hi": high, "by": by, "verdict": verdict}
    rows = [{"replicate": replicate, "difference": value} for replicate, value in each.items()]
    ends = [low, high, -1.35 * by, 1.35 * by, 0.0, *each.values()]
    pad = 0.06 * (max(ends) - min(ends) or 1.0)
    drawing = charts.contrast(x=axis, by=by, low=min(ends) - pad, high=max(ends) + pad)
    alt = f"Mean difference {mean:.3g}, interval {low:.3g} to {high:.3g}, margin {by:g}."
    return charts.figure(name, "", drawing, {"contrast": [record], "replicates": rows}, alt, height=58)
