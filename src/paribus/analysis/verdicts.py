"""Verdicts on the claims of a study: declared before running, judged at the declared number of replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from paribus.analysis import wording
from paribus.analysis.contrasts import ArmAtRule, Contrast, contrast
from paribus.analysis.estimates import Interval
from paribus.analysis.judgement import Judgement, Verdict, holm, judge
from paribus.analysis.looks import ALPHA, look_levels
from paribus.analysis.pairs import differing
from paribus.analysis.results import Results
from paribus.analysis.sampling import sampling
from paribus.analysis.statements import between, margin, statement
from paribus.analysis.undefined import undefined
from paribus.spec.claims import Claim
from paribus.spec.identity import claim_text
from paribus.spec.metrics import METRICS

Status = Literal["judged", "pending", "between looks"]
"""Whether a claim is judged now. pending: not all declared replicates are there."""


@dataclass(frozen=True)
class ClaimOutcome:
    """A claim's outcome. `effect` and `interval` are signed so that + favours the claim, whatever the metric.

    `judgement` is what the replicates say so far, also where `status` says that it is too early for a verdict.
    `declared` is the number of replicates at which the claim is judged. `holm` is the judgement's p, adjusted for all
    claims of the study: the verdict holds for the claims together where it is at most 1. `notes` are what a reader must
    know beside the verdict.
    """

    claim: Claim
    contrast: Contrast
    judgement: Judgement
    status: Status
    declared: int
    notes: tuple[str, ...]
    effect: float | None
    holm: float | None = None

    @property
    def interval(self) -> Interval | None:
        return self.judgement.interval

    @property
    def verdict(self) -> Verdict | None:
        """None where it is too early for one."""
        return self.judgement.verdict if self.status == "judged" else None

    @property
    def label(self) -> str:
        """The verdict, or how far the claim is from one: `pending 3/8`."""
        if self.verdict is not None:
            return self.verdict
        return f"{self.status} {self.contrast.n}/{self.declared}"


def claim_sentence(results: Results, case: ClaimOutcome) -> str:
    """What a verdict rests on: the difference with its interval and n, what follows, and what to know beside.

    Example: *The test accuracy is 0.33 points lower with deep than with shallow (95 % CI -1.21 to +0.55, n = 3). The
    interval contains the margin of 0.5 points. About 9 more replicates would decide.*
    """
    found = case.contrast
    if found.mean is None:
        reason = case.judgement.detail or "nothing is measured"
        return f"{statement(results, found)}: {reason}."
    sentences = [f"{statement(results, found)}.", _why(case)]
    gained = _contained_by_wider(results, case)
    if gained:
        ends = with_sampling(results, case)
        sentences.append(f"With the sampling error of the test set, the interval is {ends} and contains {gained}.")
    if case.holm is not None and case.holm > 1 and case.judgement.p is not None and case.judgement.p <= 1:
        sentences.append("Does not hold after Holm's correction.")
    sentences += [f"{wording.capital(note)}." for note in case.notes]
    return " ".join(sentences)


def with_sampling(results: Results, case: ClaimOutcome) -> str:
    """The ends of the interval for new replicates and new test examples; empty where it is unknown."""
    wider = sampling(results, case.contrast)
    return "" if wider is None else between(case.claim.metric, case.contrast.mean or 0.0, wider.interval)


def _contained_by_wider(results: Results, case: ClaimOutcome) -> str:
    """What the interval contains only with the sampling error of the test set: the margin, or zero; else empty."""
    wider, narrow, by = sampling(results, case.contrast), case.contrast.interval, case.claim.by
    if wider is None or narrow is None:
        return ""
    margins = [by, -by] if by >= 0 else [METRICS[case.claim.metric].direction * by]
    if any(value in wider.interval and value not in narrow for value in margins if value):
        return f"the margin of {margin(case.claim.metric, by)}"
    return "zero" if 0.0 in wider.interval and 0.0 not in narrow else ""


def consequence(case: ClaimOutcome, *, alone: bool = True) -> str:
    """What a judged difference means for its claim, as the end of a sentence; empty where nothing need be said.

    A difference below a margin is too little to matter only where it is `alone`, not judged by another margin, too.
    """
    size = margin(case.claim.metric, case.claim.by)
    match case.judgement.verdict:
        case "SUPPORTED" if case.claim.by < 0:
            return f"not worse by more than the margin of {size}"
        case "SUPPORTED":
            return f"more than the margin of {size}" if case.claim.by else ""
        case "EQUIVALENT":
            return f"less than the margin of {size}{', too little to matter' if alone else ''}"
        case "REFUTED" if case.claim.by < 0:
            return f"worse by more than the margin of {size}"
        case "REFUTED":
            worse = case.judgement.detail == "worse"
            return "the opposite of the claim" if worse else f"less than the margin of {size}"
        case "INCONCLUSIVE":
            return f"whether it is {_wanted(case)} is undecided"


def _wanted(case: ClaimOutcome) -> str:
    """What is to be decided of a difference: `higher by 0.5 points`, `lower by 0.001`, `higher`.

    Of a claim of non-inferiority it is whether the difference is worse by its margin.
    """
    by, metric = case.claim.by, case.claim.metric
    better = wording.better(metric)
    worse = "lower" if better == "higher" else "higher"
    if by < 0:
        return f"{worse} by {margin(metric, by)}"
    return f"{better} by {margin(metric, by)}" if by else better


def claim_outcomes(results: Results) -> tuple[ClaimOutcome, ...]:
    """The verdicts on all claims of a study, in its order."""
    found = [_outcome(results, claim) for claim in results.study.claims]
    adjusted = holm([case.judgement.p if case.status == "judged" else None for case in found])
    return tuple(replace(case, holm=p) for case, p in zip(found, adjusted, strict=True))


def _outcome(results: Results, claim: Claim) -> ClaimOutcome:
    better, than = (ArmAtRule(end.arm, end.rule or results.study.deploy) for end in (claim.better, claim.than))
    found = contrast(results, claim.metric, better, than)
    sign = METRICS[claim.metric].direction
    looks = results.study.replicates.looks
    registration = results.registrations.get(claim_text(claim))
    declared = results.study.replicates.count
    if not looks and registration is not None:
        declared = registration.replicates
    status, alpha = _stage(results, found, looks, declared)
    if _same_runs(results, found):
        judgement = Judgement("INCONCLUSIVE", "both arms are the same runs")
    else:
        differences = [sign * difference for difference in found.differences if difference is not None]
        judgement = judge(differences, claim.by, METRICS[claim.metric].kind, alpha)
        reasons = [undefined(results, end.arm, end.rule, claim.metric) for end in (better, than)]
        if not differences and any(reasons):
            judgement = replace(judgement, detail="; ".join(filter(None, dict.fromkeys(reasons))))
    return ClaimOutcome(
        claim,
        found,
        judgement,
        status,
        _next_look(looks, found.n) if looks else declared,
        tuple(_notes(results, claim, found, judgement, declared)),
        None if found.mean is None else sign * found.mean,
    )


def _stage(results: Results, found: Contrast, looks: tuple[int, ...], declared: int) -> tuple[Status, float]:
    """Whether the claim is judged now, and at which level.

    Diverged runs have ended, and do not keep a claim waiting. With looks, a claim is judged at each of them.
    """
    there = found.n + sum(_diverged(results, found))
    if looks:
        levels = dict(zip(looks, look_levels(looks), strict=True))
        if there in levels:
            return "judged", levels[there]
        return ("pending" if there < looks[0] else "between looks"), min(levels.values())
    return ("judged" if there >= declared else "pending"), ALPHA


def _next_look(looks: tuple[int, ...], n: int) -> int:
    return next((look for look in looks if look >= n), looks[-1])


def _diverged(results: Results, found: Contrast) -> list[bool]:
    """For each replicate whether one of the two runs has diverged."""
    arms = {found.first.arm, found.second.arm}
    ended = {(run.arm, run.replicate) for run in results.runs if run.state == "diverged"}
    return [any((arm, replicate) in ended for arm in arms) for replicate in results.study.replicates.indices]


def _same_runs(results: Results, found: Contrast) -> bool:
    """Whether both sides are the same snapshots of the same runs, under two names."""
    first, second = ({run.id for run in results.of(end.arm)} for end in (found.first, found.second))
    return found.first.arm != found.second.arm and found.first.rule == found.second.rule and first == second != set()


def _notes(results: Results, claim: Claim, found: Contrast, judgement: Judgement, declared: int) -> Iterator[str]:
    diverged = sum(_diverged(results, found))
    if diverged:
        yield f"{wording.plural(diverged, 'replicate')} left out: a run diverged"
    registration = results.registrations.get(claim_text(claim))
    if registration is not None and _trained_before(results, found, registration.registered_at):
        yield "post hoc: registered after runs of both arms had been trained"
    if not results.study.replicates.looks and found.n > declared:
        yield f"extended from {declared} to {found.n} replicates, uncorrected for looking twice"
    first, second = (results.study.arm(arm).recipe for arm in (found.first.arm, found.second.arm))
    tables = {key.split(".")[0] for key in differing(first, second)}
    if len(tables) > 1:
        yield f"the arms differ in more than one setting: {wording.listed(sorted(tables))}"
    looks = results.study.replicates.looks
    if found.n in looks:
        levels = dict(zip(looks, look_levels(looks), strict=True))
        yield (
            f"judged at look {looks.index(found.n) + 1} of {len(looks)}, with an interval of "
            f"{100 * (1 - 2 * levels[found.n]):.1f} %, for the error that all looks share"
        )
    if judgement.skewed:
        yield "the differences are skewed: a t interval is not exact"


def _trained_before(results: Results, found: Contrast, registered_at: str) -> bool:
    """Whether in some replicate both sides had begun to train before the claim was registered."""
    began = [
        [results.run(end.arm, replicate) for end in (found.first, found.second)]
        for replicate in results.study.replicates.indices
    ]
    return any(all(run is not None and (run.started_at or "~") < registered_at for run in pair) for pair in began)


def _why(case: ClaimOutcome) -> str:
    judgement, size = case.judgement, margin(case.claim.metric, case.claim.by)
    if judgement.interval is None and judgement.verdict == "INCONCLUSIVE":
        return f"There is no verdict: {judgement.detail}."
    whole = "The difference" if judgement.interval is None else "The whole interval"
    match judgement.verdict:
        case _ if case.claim.by < 0:
            return _why_not_worse(case, whole, size)
        case "SUPPORTED":
            return f"{whole} is better by more than the margin of {size}." if case.claim.by else f"{whole} is better."
        case "EQUIVALENT":
            return f"A difference of {size} or more is excluded."
        case "REFUTED":
            worse = judgement.detail == "worse"
            means = (
                "worse: the opposite of the claim" if worse else f"below the margin of {size}: not better by the margin"
            )
            return f"{whole} is {means}."
        case "INCONCLUSIVE":
            holds = f"the margin of {size}" if case.claim.by else "zero"
            return f"The interval contains {holds}.{_more(case)}"


def _why_not_worse(case: ClaimOutcome, whole: str, size: str) -> str:
    """The same of a margin of non-inferiority."""
    match case.judgement.verdict:
        case "SUPPORTED":
            return f"{whole} excludes being worse by {size} or more."
        case "REFUTED":
            return f"{whole} is worse by more than the margin of {size}."
        case _:
            return f"The interval contains the margin, {size} worse.{_more(case)}"


def _more(case: ClaimOutcome) -> str:
    """How many further replicates would decide an inconclusive claim, as a sentence."""
    if case.judgement.needed is None:
        return ""
    return f" {wording.capital(wording.more_replicates(case.judgement.needed - case.contrast.n))}."
