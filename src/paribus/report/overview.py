"""What a reader must know first: the claims with their verdicts, and what was found on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from paribus.analysis.estimates import LEVEL_TEXT, Interval
from paribus.analysis.finding_summaries import EXPLANATIONS, TITLES, FindingSummary, findings
from paribus.analysis.findings import GRAVE
from paribus.analysis.results import Results
from paribus.analysis.statements import margin
from paribus.analysis.test_access import test_access
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes, claim_sentence, with_sampling
from paribus.analysis.wording import at, capital, label
from paribus.report import charts
from paribus.report.blocks import Block, Chart, Mention, Note, Notes, Record, Section, Table, Verdict
from paribus.report.tabulate import difference_unit, table, text
from paribus.spec.metrics import METRICS

_OWN_AXIS = 25.0
"""A claim whose numbers reach less than 1/25 of the shared axis is drawn on an axis of its own."""


def claims_section(results: Results) -> Section | None:
    """A forest plot of all claims: verdict, statement, difference with its interval and margin."""
    found = claim_outcomes(results)
    if not found:
        return None
    drawn = [_Drawn(results, case) for case in found]
    blocks: list[Block] = []
    for place, (case, one) in enumerate(zip(found, drawn, strict=True)):
        chart = None if case.effect is None else _chart(case, one, _shared_ends(place, drawn), f"claim-{place + 1}")
        blocks.append(Verdict(case.claim.statement, case.label, claim_sentence(results, case), chart))
    blocks += _reasons(results, found)
    lead = (
        "Grey band: the margin, the smallest difference that matters. Dot and bar: mean difference, paired by "
        f"replicate, and its {LEVEL_TEXT} CI. Strokes: replicates. Right of zero favours the claim."
    )
    if any(case.verdict == "EQUIVALENT" for case in found):
        lead += " EQUIVALENT: two one-sided tests at 5 % exclude a difference as large as the margin."
    return Section("claims", "Claims", tuple(blocks), lead=(lead,))


def _reasons(results: Results, found: Sequence[ClaimOutcome]) -> list[Table]:
    """Why each margin is the smallest difference that matters, as the study file says it, and the wider intervals."""
    wider = [with_sampling(results, case) for case in found]
    records: list[Record] = [
        {
            "claim": case.claim.statement,
            "margin": margin(case.claim.metric, case.claim.by),
            "reason": case.claim.because,
            **({"with_sampling": ends} if any(wider) else {}),
        }
        for case, ends in zip(found, wider, strict=True)
        if case.claim.because or ends
    ]
    if not records:
        return []
    columns = [text("claim", "claim"), text("margin", "margin"), text("reason", "reason")]
    title, note = "Why these margins", ""
    if any(wider):
        columns.append(text(f"{LEVEL_TEXT} CI with the test set's sampling error", "with_sampling"))
        title += ", and the sampling error of the test set"
        note = "The sampling error is that of other test examples. The verdicts rest on the replicates alone."
    return [table("margins", title, columns, records, note=note, fold=True)]


def finding_section(results: Results) -> Section | None:
    """What a person should know about the runs, one line for each kind, with the arms that have it."""
    items = findings(results)
    first = [item for item in items if _at_deploy(results, item)]
    notes = sorted(_notes(results, first), key=lambda note: not note.grave)
    rest = list(_notes(results, [item for item in items if not _at_deploy(results, item)], with_rule=True))
    access = test_access(results)
    if access.monitors:
        notes.insert(0, Note("test data monitored", access.sentence, grave=True))
    if not notes and not rest:
        return None
    return Section("findings", "Findings", (Notes(tuple(notes or rest), tuple(rest if notes else ())),))


def _at_deploy(results: Results, item: FindingSummary) -> bool:
    """Whether a finding is about the run as a whole or about the weights that would be deployed."""
    return not item.rule or item.arm not in results.arms or item.rule == results.deploy(item.arm)


def _notes(results: Results, items: Sequence[FindingSummary], *, with_rule: bool = False) -> Iterator[Note]:
    """One note for each kind that is explained once; one for each finding that says all itself."""
    kinds: dict[str, list[FindingSummary]] = {}
    for place, item in enumerate(items):
        kinds.setdefault(item.kind if item.kind in EXPLANATIONS else f"{item.kind} {place}", []).append(item)
    for own in kinds.values():
        kind, grave = own[0].kind, own[0].kind in GRAVE
        if kind not in EXPLANATIONS:
            yield Note(kind.replace("-", " "), capital(own[0].sentence), grave)
            continue
        arms = [
            Mention(results.arms.index(item.arm), item.arm, item.detail + (f", {at(item.rule)}" if with_rule else ""))
            for item in own
        ]
        yield Note(TITLES[kind], EXPLANATIONS[kind], grave, tuple(arms))


class _Drawn:
    """A claim's numbers in the unit of its axis, signed so that + favours the claim."""

    def __init__(self, results: Results, case: ClaimOutcome) -> None:
        metric = case.claim.metric
        self.metric = metric
        self.factor = 100.0 if METRICS[metric].is_share else 1.0
        self.by = self.factor * case.claim.by
        sign = METRICS[metric].direction
        self.each = {
            str(replicate): self.factor * sign * value
            for replicate, value in zip(results.study.replicates.indices, case.contrast.differences, strict=True)
            if value is not None and math.isfinite(value)
        }
        self.interval = case.interval and Interval(self.factor * case.interval.low, self.factor * case.interval.high)

    @property
    def ends(self) -> tuple[float, float]:
        return difference_ends(self.interval, self.by, self.each)


def _shared_ends(place: int, drawn: Sequence[_Drawn]) -> tuple[float, float]:
    """The axis of one claim: that of all claims on its metric, unless its own numbers would be too small to see."""
    own = drawn[place].ends
    alike = [one.ends for one in drawn if one.metric == drawn[place].metric]
    low, high = min(ends[0] for ends in alike), max(ends[1] for ends in alike)
    return own if own[1] - own[0] < (high - low) / _OWN_AXIS else (low, high)


def _chart(case: ClaimOutcome, one: _Drawn, ends: tuple[float, float], name: str) -> Chart:
    unit = difference_unit(one.metric)
    axis = [f"difference in {label(one.metric)}{f' ({unit})' if unit else ''}"]
    mean = one.factor * (case.effect or 0.0)
    return difference_chart(name, axis, mean, one.interval, one.by, one.each, case.label, ends=ends)


def difference_ends(interval: Interval | None, by: float, each: Mapping[str, float]) -> tuple[float, float]:
    """Where an axis with these numbers on it begins and ends."""
    known = [] if interval is None else [interval.low, interval.high]
    ends = [*known, -1.35 * by, 1.35 * by, 0.0, *each.values()]
    pad = 0.06 * (max(ends) - min(ends) or 1.0)
    return min(ends) - pad, max(ends) + pad


def difference_chart(
    name: str,
    axis: list[str],
    mean: float,
    interval: Interval | None,
    by: float,
    each: Mapping[str, float],
    verdict: str,
    *,
    ends: tuple[float, float] | None = None,
) -> Chart:
    """A mean difference, its interval and each replicate's, beside the margin `by`. `axis` has the title's lines.

    The axis runs between `ends`, or just as far as these numbers need.
    """
    low, high = (interval.low, interval.high) if interval else (mean, mean)
    record = {"mean": mean, "lo": low, "hi": high, "by": by, "verdict": verdict}
    rows = [{"replicate": replicate, "difference": value} for replicate, value in each.items()]
    begin, end = ends or difference_ends(interval, by, each)
    drawing = charts.contrast(x=axis, by=by, low=begin, high=end)
    alt = f"Mean difference {mean:.3g}, interval {low:.3g} to {high:.3g}, margin {by:g}: {verdict}."
    return charts.figure(name, "", drawing, {"contrast": [record], "replicates": rows}, alt, height=58)
