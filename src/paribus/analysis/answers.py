"""The answer to a study's question: one sentence, and a few that complete it.

A study with claims is answered by its verdicts, so that the answer and the verdicts cannot disagree. A study that
chooses an arm is answered by its choice, any other by its arms, best first, as far as intervals tell them apart. What
is said depends on what a study has, never on its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from paribus.analysis import wording
from paribus.analysis.autoencoder_answers import relative
from paribus.analysis.beside_claims import beside_claims
from paribus.analysis.choice import choice_sentences
from paribus.analysis.finding_summaries import findings
from paribus.analysis.findings import GRAVE
from paribus.analysis.headline import compared_metric
from paribus.analysis.judgement import Verdict
from paribus.analysis.labels import Ranked, ranking
from paribus.analysis.range_answers import range_sentences
from paribus.analysis.references import gains, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.search_outcome import search_sentences
from paribus.analysis.statements import amount, margin, statement
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes, consequence
from paribus.spec.metrics import metric_named

MAX_POINTS: Final = 3
MAX_NAMED: Final = 5
"""Of more further claims only the verdicts are counted."""


@dataclass(frozen=True)
class Answer:
    """The answer in one sentence, and at most `MAX_POINTS` sentences that complete it.

    There are more where much stands beside the claims: those have room for one sentence at least.
    """

    headline: str
    points: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        return (self.headline, *self.points)


def answer(results: Results) -> Answer:
    """The answer as far as the runs have come."""
    if results.study.search is not None:
        headline, *more = search_sentences(results)
        return Answer(headline, tuple(more[:MAX_POINTS]))
    if tests := range_sentences(results):
        return Answer(tests[0], tuple(tests[1 : 1 + MAX_POINTS]))
    if not any(results.finished(arm) for arm in results.arms):
        return Answer("No run is complete yet.", ())
    warnings = _gravest(results)
    beside = beside_claims(results) if results.study.claims else []
    room = max(1, MAX_POINTS + bool(beside) - len(warnings) - len(beside))
    if results.study.claims:
        headline, points = _of_claims(results, room)
    else:
        chosen = choice_sentences(results)
        headline, points = (chosen[0], list(chosen[1 : 1 + room])) if chosen else _of_arms(results, room)
    return Answer(headline, (*points, *beside, *warnings))


def _gravest(results: Results) -> list[str]:
    """The finding, if any, that changes what an arm's numbers mean."""
    known = [
        found
        for found in findings(results)
        if found.kind in GRAVE and (not found.rule or found.rule == results.deploy(found.arm))
    ]
    return [known[0].sentence] if known else []


def _of_claims(results: Results, room: int) -> tuple[str, list[str]]:
    """The decided claims first, in the study's order; claims that differ only in their arm are one sentence."""
    judged = [case for case in claim_outcomes(results) if case.status == "judged"]
    if not judged:
        declared = min(case.declared for case in claim_outcomes(results))
        ended = sum(len(results.finished(arm)) for arm in results.arms)
        text = f"{ended} of {wording.plural(results.planned, 'run')} are complete"
        return f"{text}; claims are judged at {wording.plural(declared, 'replicate')}.", []
    if not any(case.verdict != "INCONCLUSIVE" for case in judged):
        number = wording.plural(len(judged), "claim")
        text = "The claim is undecided." if len(judged) == 1 else f"All {number} are undecided."
        return text, _limited(results, [_sentence(results, [case]) for case in judged], room, [])
    groups = _alike(sorted(judged, key=lambda case: case.verdict == "INCONCLUSIVE"))
    headline, *each = (
        _sentence(results, group, short=place == 0) if len(set(map(_sides, group))) == 1 else _together(group)
        for place, group in enumerate(groups)
    )
    return headline, _limited(results, each, room, groups[1:])


def _limited(results: Results, sentences: list[str], room: int, groups: Sequence[Sequence[ClaimOutcome]]) -> list[str]:
    """As many sentences as there is room for; where it is short, the last one names the claims that are left."""
    if len(sentences) <= room:
        return sentences
    rest = [case for group in groups[max(0, room - 1) :] for case in group]
    named = [_further(results, rest)] if rest else []
    return [*sentences[: room - len(named)], *named] if room > 0 else []


def _further(results: Results, cases: Sequence[ClaimOutcome]) -> str:
    """What each verdict is about, or of many claims, or of several on one difference, how many have it."""
    sides: dict[Verdict, list[str]] = {}
    for case in cases:
        sides.setdefault(case.judgement.verdict, []).append(_in_short(results, case))
    known = [(verdict, sides[verdict]) for verdict in get_args(Verdict) if verdict in sides]
    if len(cases) > MAX_NAMED or len({side for _, own in known for side in own}) < len(cases):
        number = wording.plural(len(cases), "further claim")
        if len(known) == 1:
            return f"All {number} are {known[0][0]}."
        each = (f"{len(own)} {'is' if len(own) == 1 else 'are'} {verdict}" for verdict, own in known)
        return f"Of {number}, {wording.listed(each)}."
    return f"Further claims: {'; '.join(f'{verdict} for {wording.listed(own)}' for verdict, own in known)}."


def _in_short(results: Results, case: ClaimOutcome) -> str:
    """The two sides of a claim: `Adam against momentum`, `fixed at the last epoch rather than at epoch 5`."""
    first, second = case.contrast.first, case.contrast.second
    metric = case.claim.metric
    ending = "" if metric == compared_metric(results) else f" in {wording.label(metric)}"
    if first.arm == second.arm:
        return f"{first.arm} {wording.at(first.rule)} rather than {wording.at(second.rule)}{ending}"
    deployed = all(end.rule in ("", results.deploy(end.arm)) for end in (first, second))
    if deployed or first.rule == second.rule:
        at = "" if deployed else f" {wording.at(first.rule)}"
        return f"{first.arm} against {second.arm}{ending}{at}"
    return f"{first.arm} {wording.at(first.rule)} against {second.arm} {wording.at(second.rule)}{ending}"


def _sentence(results: Results, cases: Sequence[ClaimOutcome], *, short: bool = False) -> str:
    """A difference, and what it means for each claim about it."""
    what = statement(results, cases[0].contrast, with_interval=not short)
    meanings = "; ".join(filter(None, (consequence(case, alone=len(cases) == 1) for case in cases)))
    return f"{what}{f': {meanings}' if meanings else ''}."


def _sides(case: ClaimOutcome) -> tuple[object, ...]:
    """What is compared."""
    return case.claim.metric, case.contrast.first, case.contrast.second


def _alike(cases: Sequence[ClaimOutcome]) -> list[list[ClaimOutcome]]:
    """Claims that one sentence answers, in the order of the first of each.

    These are two claims on one difference, with two margins; and claims of one verdict on one metric against one side
    with one margin.
    """
    twice = {sides for sides, number in Counter(map(_sides, cases)).items() if number == 2}
    groups: dict[tuple[object, ...], list[ClaimOutcome]] = {}
    for place, case in enumerate(cases):
        between_arms = case.claim.better.arm != case.claim.than.arm
        alike = (case.judgement.verdict, case.judgement.detail, case.claim.metric, case.claim.by, case.contrast.second)
        key = _sides(case) if _sides(case) in twice else alike if between_arms and case.interval else (place,)
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def _together(group: Sequence[ClaimOutcome]) -> str:
    """One sentence for claims that differ only in the arm that they say is better."""
    first = group[0]
    metric, size = first.claim.metric, margin(first.claim.metric, first.claim.by)
    label, than = wording.label(metric), f"than {first.claim.than.arm} {wording.at(first.contrast.second.rule)}"
    each = wording.listed(
        f"{case.claim.better.arm} ({_signed(case)})" for case in sorted(group, key=lambda case: -(case.effect or 0.0))
    )
    better = wording.better(metric)
    if first.claim.by < 0:
        found = {"SUPPORTED": "Not worse by {} or more", "REFUTED": "Worse by more than {}"}
        words = found.get(first.judgement.verdict, "Undecided whether worse by {}").format(size)
        return f"{words} in {label} {than}: {each}."
    match first.judgement.verdict:
        case "SUPPORTED":
            return f"{wording.capital(better)} {label} {than} by more than {size}: {each}."
        case "EQUIVALENT":
            return f"No difference in {label} of {size} or more from {first.claim.than.arm}: {each}."
        case "REFUTED" if first.judgement.detail == "worse":
            return f"Worse {label} {than}: {each}."
        case "REFUTED":
            return f"Not {better} by {size} in {label} {than}: {each}."
        case "INCONCLUSIVE":
            return f"Undecided whether {label} is {better} {than} by {size}: {each}."


def _signed(case: ClaimOutcome) -> str:
    mean = case.contrast.mean or 0.0
    return f"{'-' if mean < 0 else '+'}{amount(case.claim.metric, mean, case.contrast.interval)}"


def _of_arms(results: Results, room: int) -> tuple[str, list[str]]:
    """The best arm, then what the intervals say of the others against the control, then the reference lines."""
    metric = compared_metric(results)
    ranked = [] if metric is None else [entry for entry in ranking(results, metric) if entry.estimate.n]
    if metric is None or not ranked:
        return "Nothing was measured that compares arms.", []
    best, label = ranked[0], wording.label(metric)
    if len(ranked) == 1:
        headline = f"{best.arm} has a {label} of {wording.mean_and_sd(metric, best.estimate)}."
    else:
        headline = (
            f"{best.arm} has the {wording.best(metric)} mean {label}, {wording.mean_and_sd(metric, best.estimate)}."
        )
    points = relative(results)[:1]  # of autoencoders, nothing of other networks
    points += _against_control(results, metric, ranked) if len(ranked) > 1 else []
    points += _against_references(results, metric, best.arm)
    return headline, points[:room]


def _against_control(results: Results, metric: str, ranked: Sequence[Ranked]) -> list[str]:
    control = results.study.control
    known = [entry for entry in ranked if entry.contrast is not None and entry.contrast.interval is not None]
    if not known:
        return ["One replicate shows no spread, so arms cannot be told apart."]
    sides: dict[str, list[str]] = {"Better": [], "Worse": [], "No clear difference": []}
    for entry in known:
        found = entry.contrast
        if found is None or found.mean is None or found.interval is None:
            continue
        up = found.mean * metric_named(metric).direction > 0
        side = "No clear difference" if not found.separated else "Better" if up else "Worse"
        change = f"{'-' if found.mean < 0 else '+'}{amount(metric, found.mean, found.interval)}"
        sides[side].append(f"{entry.arm} ({change})")
    joined = {"Better": f"than {control}", "Worse": f"than {control}", "No clear difference": f"from {control}"}
    return [f"{side} {joined[side]}, the control: {wording.listed(arms)}." for side, arms in sides.items() if arms]


def _against_references(results: Results, metric: str, best: str) -> list[str]:
    """The best arm beside each reference line that was fitted on its data."""
    points: list[str] = []
    for line in reference_lines(results):
        for gain in gains(results, line, metric) if best in line.arms else ():
            if gain.arm == best:
                clear = "clearly better than" if gain.is_clear else "not clearly better than"
                points.append(f"{best} is {clear} the {line.label} ({wording.mean_and_sd(metric, gain.line)}).")
    return points
