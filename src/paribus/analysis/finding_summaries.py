"""The findings of a study by kind, arm and rule, each as a sentence with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from paribus.analysis.data_findings import data_findings
from paribus.analysis.findings import (
    GRAVEST_FIRST,
    FindingKind,
    RunFindingKind,
    findings_of,
    overfitting,
    training_values,
)
from paribus.analysis.headline import compared_metric
from paribus.analysis.references import gains, reference_lines
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import COLLAPSE_VARIATION
from paribus.analysis.wording import at, effect, label, listed, mean_and_sd, quantity


@dataclass(frozen=True)
class FindingSummary:
    """One kind of finding in one arm at one rule (empty: the run as a whole): the replicates that show it, of `of`.

    `arm` is empty for a finding about the data of several arms, or about the study as a whole.
    """

    kind: FindingKind
    arm: str
    rule: str
    replicates: tuple[int, ...]
    of: int
    sentence: str


def findings(results: Results) -> tuple[FindingSummary, ...]:
    """All findings of a study: about its runs, the gravest kinds first, then by arm; about them all; about its data."""
    return (*_about_runs(results), *_no_better_than_linear(results), *_about_data(results))


def _about_data(results: Results) -> Iterator[FindingSummary]:
    """A finding that several arms share has no arm of its own."""
    datasets = {arm: {run.replicate: run.dataset for run in results.of(arm)} for arm in results.arms}
    for found in data_findings({arm: known for arm, known in datasets.items() if known}):
        arm = found.arms[0] if len(found.arms) == 1 else ""
        yield FindingSummary(found.kind, arm, "", found.replicates, found.of, found.sentence)


def _about_runs(results: Results) -> tuple[FindingSummary, ...]:
    grouped: dict[tuple[RunFindingKind, str, str], list[Run]] = {}
    for arm in results.arms:
        for run in results.of(arm):
            for finding in findings_of(run):
                grouped.setdefault((finding.kind, arm, finding.rule), []).append(run)
    kinds = sorted(grouped, key=lambda key: GRAVEST_FIRST.index(key[0]))
    found = [
        FindingSummary(
            kind=kind,
            arm=arm,
            rule=rule,
            replicates=tuple(run.replicate for run in runs),
            of=len(results.of(arm)),
            sentence=_sentence(kind, arm, rule, runs, len(results.of(arm))),
        )
        for kind, arm, rule in kinds
        for runs in [grouped[kind, arm, rule]]
    ]
    return tuple(found)


def _no_better_than_linear(results: Results) -> Iterator[FindingSummary]:
    """Where no network of the arms that share their data is better than the linear model by more than the spread."""
    for line in reference_lines(results):
        metric = compared_metric(results, results.recipe(line.arms[0]).task)
        if line.reference != "linear" or metric is None:
            continue
        known = [gain for gain in gains(results, line, metric) if gain.gain.interval is not None]
        if not known or any(gain.is_clear for gain in known):
            continue
        best = max(known, key=lambda gain: gain.gain.mean or 0.0)
        sentence = (
            f"No network is better than the {line.label} by more than the spread: {label(metric)} of the best, "
            f"{best.arm}, is {mean_and_sd(metric, best.network)}, that of the {line.label} "
            f"{mean_and_sd(metric, best.line)}; paired, {best.arm} is better by "
            f"{effect(metric, best.gain.mean, best.gain.interval)}, n = {best.gain.n}."
        )
        yield FindingSummary("no-better-than-linear", "", "", (), len(known), sentence)


def _sentence(kind: RunFindingKind, arm: str, rule: str, runs: Sequence[Run], of: int) -> str:
    where = f" {at(rule)}" if rule else ""
    return f"{arm}: {len(runs)} of {of} {'run' if of == 1 else 'runs'} {_SENTENCES[kind](rule, runs, where)}."


def _diverged(_rule: str, runs: Sequence[Run], _where: str) -> str:
    return f"diverged (epoch {listed(run.epochs_done for run in runs)}); left out of every mean"


def _constant_data(_rule: str, _runs: Sequence[Run], _where: str) -> str:
    return "with constant training data: all examples are equal, or all have one target"


def _never_learned(_rule: str, runs: Sequence[Run], _where: str) -> str:
    if runs[0].dataset.targets:
        explained = listed(quantity("train_r2", max(training_values(run, "train_r2"))) for run in runs)
        return f"never learned: training R² {explained}, where the mean of the targets alone has 0"
    best = [max(run.value(rule, "train_accuracy") or 0.0 for rule in run.selections) for run in runs]
    shares = dict.fromkeys(quantity("train_accuracy", run.largest_class_share) for run in runs)
    accuracies = listed(quantity("train_accuracy", value) for value in best)
    return f"never learned: training accuracy {accuracies}, and the largest class alone has {listed(shares)}"


def _collapse(rule: str, runs: Sequence[Run], where: str) -> str:
    shares = listed(f"{100 * (run.value(rule, 'output_variation') or 0.0):.2g} %" for run in runs)
    limit = f"below {100 * COLLAPSE_VARIATION:g} % is called collapse"
    return f"collapsed{where}: the same output for every input (outputs vary {shares} as much as inputs); {limit}"


def _dead(rule: str, runs: Sequence[Run], where: str) -> str:
    return f"with dead hidden units{where}, whose activation is constant ({_of_hidden(rule, runs, 'dead_units')})"


def _unmoved(rule: str, runs: Sequence[Run], where: str) -> str:
    return f"with hidden units close to their initial weights{where} ({_of_hidden(rule, runs, 'unmoved_units')})"


def _overfitting(_rule: str, runs: Sequence[Run], _where: str) -> str:
    epochs = [found.epoch for run in runs if (found := overfitting(run)) is not None]
    return f"overfitting: the validation loss rose after epoch {listed(epochs)}"


def _memorised(rule: str, runs: Sequence[Run], where: str) -> str:
    shares = listed(quantity("memorised", run.value(rule, "memorised")) for run in runs)
    return f"reproducing wrong training labels{where} ({shares} of them)"


_SENTENCES: dict[RunFindingKind, Callable[[str, Sequence[Run], str], str]] = {
    "diverged": _diverged,
    "constant-data": _constant_data,
    "never-learned": _never_learned,
    "collapse": _collapse,
    "dead-units": _dead,
    "unmoved-units": _unmoved,
    "overfitting": _overfitting,
    "memorisation": _memorised,
}


def _of_hidden(rule: str, runs: Sequence[Run], metric: str) -> str:
    return listed(f"{run.value(rule, metric):.0f} of {run.value(rule, 'hidden_units'):.0f}" for run in runs)
