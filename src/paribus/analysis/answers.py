"""The answer to a study's question in words, composed from its numbers.

What is said depends on what a study has (autoencoders, classifiers or regressions, several selection rules, arms that
differ in one thing, wrong labels, monitored test data, claims, published figures), never on its name. Every sentence
that judges rests on an interval or says that there is none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from paribus.analysis import autoencoder_answers, supervised_answers, wording
from paribus.analysis.agreement import Agreement, agreements
from paribus.analysis.cost import (
    arm_costs,
    energy_sentence,
    scored_forecasts,
    total,
    tracker_for,
    tracker_sentence,
)
from paribus.analysis.estimates import LEVEL, LEVEL_TEXT
from paribus.analysis.finding_summaries import findings
from paribus.analysis.headline import compared_metric
from paribus.analysis.judgement import Verdict
from paribus.analysis.results import Results
from paribus.analysis.test_access import test_access
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes, claim_sentence
from paribus.energy.carbon import Grid
from paribus.spec.losses import Task
from paribus.units import duration

_COMPARED_IN: dict[Task, str] = {"classification": "test_accuracy", "regression": "test_rmse"}
"""What arms are compared in, where test data were read."""


@dataclass(frozen=True)
class Paragraph:
    """Sentences about one topic."""

    topic: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A study's question, its answer in short, and the paragraphs that it rests on."""

    question: str
    short: str
    paragraphs: tuple[Paragraph, ...]


def answer(results: Results, grid: Grid | None = None) -> Answer:
    """The answer as far as the runs have come; with no finished run it says just that.

    `grid` is where the electricity came from, if the user says so.
    """
    question = results.study.question
    if not any(results.finished(arm) for arm in results.arms):
        return Answer(question, "No run has finished yet, so there is no answer.", (_status(results),))
    tasks = {results.recipe(arm).task for arm in results.arms}
    topics: list[tuple[str, list[str]]] = [
        ("Claims", [_claim(results, outcome) for outcome in claim_outcomes(results)])
    ]
    headline: list[str] = []
    if "reconstruction" in tasks:
        topics += autoencoder_answers.topics(results)
        headline.append(autoencoder_answers.headline(results))
    for task, default in _COMPARED_IN.items():
        if task in tasks:
            metric = compared_metric(results, task) or default
            topics += supervised_answers.topics(results, metric)
            headline.append(supervised_answers.headline(results, metric))
    headline.append(_tally(results))
    topics += [
        ("Published figures", _published(results)),
        ("Findings", [entry.sentence for entry in findings(results)]),
        ("Test data", [test_access(results).sentence]),
        ("Cost", _cost(results, grid)),
    ]
    paragraphs = [Paragraph(topic, tuple(sentences)) for topic, sentences in topics if sentences]
    return Answer(question, " ".join(line for line in headline if line), (*paragraphs, _status(results)))


def _claim(results: Results, outcome: ClaimOutcome) -> str:
    return f"“{outcome.claim.statement}” {outcome.label}: {claim_sentence(results, outcome)}"


def _tally(results: Results) -> str:
    counts = Counter(outcome.verdict or "pending" for outcome in claim_outcomes(results))
    if not counts:
        return ""
    each = wording.listed(f"{counts[label]} {label}" for label in (*get_args(Verdict), "pending") if counts[label])
    return f"Of {wording.plural(sum(counts.values()), 'claim')}: {each}."


def _published(results: Results) -> list[str]:
    found = agreements(results)
    if not found:
        return []
    known = [entry for entry in found if entry.beyond is not None]
    apart = [entry for entry in known if entry.beyond]
    tally = (
        f"Of {wording.plural(len(found), 'published figure')}, {len(known) - len(apart)} lie where one further run of "
        f"ours would ({LEVEL_TEXT}), {len(apart)} lie outside, and {len(found) - len(known)} cannot be judged."
    )
    sentences = [tally]
    if len(known) > 1:
        sentences.append(
            f"If every published run were one of ours, about {(1 - LEVEL) * len(known):.1f} of the {len(known)} would "
            "lie outside by chance."
        )
    return [*sentences, *(_apart(entry) for entry in apart)]


def _apart(entry: Agreement) -> str:
    row = entry.row
    reasons = "; ".join(reason.sentence for reason in entry.reasons)
    where = f" {wording.at(row.rule)}" if row.rule else ""
    return (
        f"{row.arm}{where}, {wording.label(row.metric)}: ours {wording.mean_and_sd(row.metric, row.estimate)}, "
        f"published {wording.quantity(row.metric, row.published)}: {reasons}."
    )


def _cost(results: Results, grid: Grid | None) -> list[str]:
    cost = total(results, grid)
    if not cost.runs:
        return []
    lines = [
        f"{wording.plural(cost.runs, 'run')} trained {cost.model_epochs:,} model-epochs in {duration(cost.wall_s)}.",
        energy_sentence(cost, grid),
    ]
    rates = [entry for entry in arm_costs(results) if entry.energy_per_model_epoch_j is not None]
    if len(rates) > 1:
        each = (
            f"{entry.arm} {wording.number(entry.energy_per_model_epoch_j or 0.0)} J ({entry.tag})" for entry in rates
        )
        lines.append(f"A model-epoch took: {', '.join(each)}.")
    tracker = tracker_for(results)
    if tracker is not None:
        lines.append(tracker_sentence(tracker))
    for score in scored_forecasts(results):
        if score.wall_ratio is not None:
            lines.append(
                f"Expected {duration(score.expected_wall_s)}, took {duration(score.used_wall_s)} "
                f"({score.wall_ratio:.2f} times the forecast)."
            )
        if score.energy_ratio is not None:
            lines.append(f"The energy was {score.energy_ratio:.2f} times the forecast.")
    return lines


def _status(results: Results) -> Paragraph:
    """How far the study has come, and what the intervals are."""
    states = results.states()
    each = wording.listed(f"{count} {state}" for state, count in sorted(states.items()))
    lines = [f"Of {results.planned} runs: {each}."]
    if states.get("diverged"):
        lines.append("Diverged runs are shown and counted, and left out of every mean; n says how many runs remain.")
    if results.study.replicates.count == 1:
        lines.append("With one replicate there is no interval and no verdict.")
    else:
        lines.append(
            f"Differences are paired by replicate, intervals are {LEVEL_TEXT} Student t intervals, each for itself: "
            f"of many, 1 in {1 / (1 - LEVEL):.0f} would miss by chance."
        )
    return Paragraph("Status", tuple(lines))
