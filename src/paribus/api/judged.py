"""Contrasts, verdicts and findings as objects, which a notebook shows as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, overload

from paribus.analysis.contrasts import Contrast as RecordedContrast
from paribus.analysis.contrasts import against_control
from paribus.analysis.estimates import Interval
from paribus.analysis.finding_summaries import FindingSummary
from paribus.analysis.finding_summaries import findings as recorded_findings
from paribus.analysis.headline import compared_metric
from paribus.analysis.results import Results as RecordedResults
from paribus.analysis.statements import amount, certainty, statement
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes, claim_sentence
from paribus.analysis.wording import label
from paribus.api import html
from paribus.errors import UserError, nearest
from paribus.spec.claims import Claim
from paribus.spec.metrics import METRICS


class _Shown(Protocol):
    @property
    def sentence(self) -> str: ...

    def row(self) -> tuple[str, ...]:
        """The cells of a table's row."""
        ...


Item = TypeVar("Item", bound=_Shown)


class Listed(Sequence[Item], Generic[Item]):
    """Some objects in order, as a tuple has them; a notebook shows a table."""

    headings: tuple[str, ...] = ()
    empty = "There is none."

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __repr__(self) -> str:
        return "\n".join(item.sentence for item in self) or self.empty

    def _repr_html_(self) -> str:
        if not self._items:
            return html.paragraph(self.empty)
        return html.table(self.headings, (item.row() for item in self))


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim.

    `verdict` is SUPPORTED, REFUTED, EQUIVALENT or INCONCLUSIVE, None where it is too early for one; `label` then says
    how far the claim is. `effect` and `interval` are signed so that + favours the claim. `sentence` says what the
    verdict rests on.
    """

    claim: Claim
    verdict: str | None
    label: str
    effect: float | None
    interval: Interval | None
    n: int
    notes: tuple[str, ...]
    sentence: str

    def row(self) -> tuple[str, ...]:
        """Claim, verdict, n and what it rests on."""
        return (self.claim.statement, self.label, str(self.n), self.sentence)

    def __repr__(self) -> str:
        return f"<{self.label}: {self.claim.statement} {self.sentence}>"

    def _repr_html_(self) -> str:
        return html.paragraph(f"{self.claim.statement} {self.sentence}", self.label)


class Verdicts(Listed[Verdict]):
    """The verdicts on all claims of a study, in its order."""

    headings = ("claim", "verdict", "n", "what it rests on")
    empty = "The study makes no claim."


@dataclass(frozen=True)
class Contrast:
    """The paired difference of two arms in a metric: `arm` minus `control`, each at its rule.

    `differences` has one entry a replicate, None where either arm lacks it. The interval is that of 95 %, None where
    there are not two differences that vary.
    """

    metric: str
    arm: str
    rule: str
    control: str
    control_rule: str
    differences: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    n: int
    interval: Interval | None
    sentence: str
    _size: str
    _certainty: str

    def row(self) -> tuple[str, ...]:
        """Arm, control, difference and its interval."""
        return (self.arm, self.control, self._size, self._certainty)

    def __repr__(self) -> str:
        return f"<{self.sentence}>"

    def _repr_html_(self) -> str:
        return html.paragraph(self.sentence)


class Contrasts(Listed[Contrast]):
    """Every other arm against the control."""

    headings = ("arm", "against", "difference", "certainty")
    empty = "There is no other arm, or nothing is measured yet."


@dataclass(frozen=True)
class Finding:
    """Something measured that a person should know: `kind`, the arm and the rule (empty for all), and a sentence."""

    kind: str
    arm: str
    rule: str
    replicates: tuple[int, ...]
    of: int
    sentence: str

    def row(self) -> tuple[str, ...]:
        """Kind, arm and what was found."""
        return (self.kind.replace("-", " "), self.arm or "all", self.sentence)

    def __repr__(self) -> str:
        return f"<{self.kind}: {self.sentence}>"

    def _repr_html_(self) -> str:
        return html.paragraph(self.sentence, self.kind.replace("-", " "))


class Findings(Listed[Finding]):
    """All findings of a study, the gravest first."""

    headings = ("finding", "arm", "what was found")
    empty = "Nothing was found that a person should know."


def verdicts(results: RecordedResults) -> Verdicts:
    """The verdicts on the claims of a study."""
    return Verdicts([_verdict(results, case) for case in claim_outcomes(results)])


def _verdict(results: RecordedResults, case: ClaimOutcome) -> Verdict:
    return Verdict(
        claim=case.claim,
        verdict=case.verdict,
        label=case.label,
        effect=case.effect,
        interval=case.interval,
        n=case.contrast.n,
        notes=case.notes,
        sentence=claim_sentence(results, case),
    )


def contrasts(results: RecordedResults, metric: str | None) -> Contrasts:
    """Every other arm against the control, in `metric` or in the one in which the study's arms are compared.

    Raises UserError for an unknown metric.
    """
    chosen = compared_metric(results) if metric is None else metric
    if chosen is None:
        return Contrasts([])
    if METRICS.known(chosen) is None:
        raise UserError("must be a metric", given=chosen, place="metric", remedy=nearest(chosen, METRICS))
    return Contrasts([_contrast(results, found) for found in against_control(results, chosen) if found.n])


def _contrast(results: RecordedResults, found: RecordedContrast) -> Contrast:
    size = ""
    if found.mean is not None:
        way = "higher" if found.mean > 0 else "lower"
        size = f"{label(found.metric)} {amount(found.metric, found.mean, found.interval)} {way}"
    return Contrast(
        metric=found.metric,
        arm=found.first.arm,
        rule=found.first.rule,
        control=found.second.arm,
        control_rule=found.second.rule,
        differences=found.differences,
        mean=found.mean,
        sd=found.sd,
        n=found.n,
        interval=found.interval,
        sentence=f"{statement(results, found)}.",
        _size=size,
        _certainty=certainty(found),
    )


def findings(results: RecordedResults) -> Findings:
    """The findings of a study."""
    return Findings([_finding(found) for found in recorded_findings(results)])


def _finding(found: FindingSummary) -> Finding:
    return Finding(found.kind, found.arm, found.rule, found.replicates, found.of, found.sentence)
