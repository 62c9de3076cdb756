"""Verdicts on claims: a statement declared before running, against the interval of its paired difference.

With the margin `by`, the smallest effect that matters, and the interval signed so that + favours the claim:
wholly above +by SUPPORTED; wholly within [-by, +by] EQUIVALENT; else wholly below +by REFUTED; else INCONCLUSIVE.
This is inference by interval against a margin, as in equivalence and superiority trials (Schuirmann 1987; Lakens 2017,
"Equivalence tests"): a difference that is real but too small to matter is distinguished from one that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paribus.analysis import wording
from paribus.analysis.contrasts import ArmAtRule, Contrast, contrast
from paribus.analysis.estimates import Interval
from paribus.analysis.results import Results
from paribus.spec.claims import Claim
from paribus.spec.metrics import METRICS

Verdict = Literal["SUPPORTED", "REFUTED", "EQUIVALENT", "INCONCLUSIVE"]


@dataclass(frozen=True)
class ClaimOutcome:
    """A claim's outcome. `effect` and `interval` are signed so that + favours the claim, whatever the metric."""

    claim: Claim
    contrast: Contrast
    effect: float | None
    interval: Interval | None
    verdict: Verdict
    reason: str


def claim_outcome(results: Results, claim: Claim) -> ClaimOutcome:
    """The verdict on one claim, from the replicates that both of its arms have."""
    better, than = (ArmAtRule(end.arm, end.rule or results.study.deploy) for end in (claim.better, claim.than))
    found = contrast(results, claim.metric, better, than)
    favourable = METRICS[claim.metric].direction > 0
    effect = found.mean if favourable or found.mean is None else -found.mean
    signed = found.interval if favourable or found.interval is None else -found.interval
    if signed is None:
        reason = "one replicate" if found.n == 1 else "no replicate has both sides finished"
        return ClaimOutcome(claim, found, effect, None, "INCONCLUSIVE", reason)
    verdict = decide(signed, claim.by)
    return ClaimOutcome(claim, found, effect, signed, verdict, _reason(claim, signed, verdict))


def claim_outcomes(results: Results) -> tuple[ClaimOutcome, ...]:
    """The verdicts on all claims of a study, in its order."""
    return tuple(claim_outcome(results, claim) for claim in results.study.claims)


def decide(interval: Interval, by: float) -> Verdict:
    """The verdict that an interval (+ favours the claim) gives against the margin `by`."""
    if interval.low > by:
        return "SUPPORTED"
    if interval.low >= -by and interval.high <= by:
        return "EQUIVALENT"
    if interval.high < by:
        return "REFUTED"
    return "INCONCLUSIVE"


def _reason(claim: Claim, interval: Interval, verdict: Verdict) -> str:
    between = wording.interval(claim.metric, interval)
    margin = wording.difference(claim.metric, claim.by)
    return {
        "SUPPORTED": f"{between} lies wholly above {margin}, the smallest effect that matters",
        "EQUIVALENT": f"{between} lies wholly within {margin.lstrip('+')} of no difference: too small to matter",
        "REFUTED": f"{between} lies wholly below {margin}, the smallest effect that matters",
        "INCONCLUSIVE": f"{between} holds {margin}, the smallest effect that matters: these replicates cannot tell",
    }[verdict]
