"""What `paribus run` says of a study when it has ended: verdicts, the most important findings, the energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.cli.output import print_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paribus.analysis.finding_summaries import FindingSummary
    from paribus.analysis.results import Results

MAX_FINDINGS = 5
"""Lines about findings. The report has them all."""


def print_closing(results: Results) -> None:
    """Print the results of a study's runs."""
    print_points([*_verdicts(results), *_findings(results), *_energy(results)])


def _verdicts(results: Results) -> Iterator[tuple[str, str]]:
    """Each claim with its verdict, its difference, its interval and the number of replicates."""
    from paribus.analysis.statements import amount, certainty
    from paribus.analysis.verdicts import claim_outcomes
    from paribus.analysis.wording import label, more_replicates

    for case in claim_outcomes(results):
        found, needed = case.contrast, case.judgement.needed
        text = case.claim.statement.rstrip(".")
        if found.mean is not None:
            way = f"{amount(found.metric, found.mean, found.interval)} {'higher' if found.mean > 0 else 'lower'}"
            text += f": {label(found.metric)} {way if found.mean else 'the same'} ({certainty(found)})"
        if case.verdict == "INCONCLUSIVE" and needed is not None:
            text += f"; {more_replicates(needed - found.n)}"
        yield case.label, text


def _findings(results: Results) -> Iterator[tuple[str, str]]:
    """A line for each kind of finding, the gravest first, and how many more there are."""
    from paribus.analysis.finding_summaries import findings
    from paribus.analysis.wording import listed, plural

    of_kind: dict[str, list[FindingSummary]] = {}
    for found in findings(results):
        of_kind.setdefault(found.kind, []).append(found)
    kinds = list(of_kind.values())
    for group in kinds[:MAX_FINDINGS]:
        shown = next((found for found in group if found.rule in ("", _deploy(results, found.arm))), group[0])
        others = dict.fromkeys(found.arm for found in group if found.arm != shown.arm)
        also = f"; also {listed(others)}" if others else ""
        yield "finding", f"{shown.sentence.rstrip('.')}{also}"
    if len(kinds) > MAX_FINDINGS:
        yield "finding", f"{plural(len(kinds) - MAX_FINDINGS, 'more kind')} of findings: see the report"


def _deploy(results: Results, arm: str) -> str:
    return results.deploy(arm) if arm in results.arms else ""


def _energy(results: Results) -> Iterator[tuple[str, str]]:
    """The energy that all training of the study took, with its tag."""
    from paribus.analysis.cost import total
    from paribus.analysis.wording import number
    from paribus.units import kwh

    cost = total(results)
    if not cost.runs:
        return
    if cost.energy_j is None:
        yield "energy", "unknown: nothing here could measure or model it"
    else:
        yield (
            "energy",
            f"{number(cost.energy_j)} J ({kwh(cost.energy_j):.2g} kWh, {cost.tag}) for all runs of the study",
        )
