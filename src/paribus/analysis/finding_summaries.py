"""The findings of a study by kind, arm and rule, each as a sentence with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

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
from paribus.analysis.thresholds import (
    COLLAPSE_VARIATION,
    MEMORISED_SHARE,
    OVERFIT_RISE,
    OVERFIT_WINDOW,
    UNMOVED_COSINE,
)
from paribus.analysis.wording import at, capital, each_or_range, effect, in_runs, label, mean_and_sd, quantity


@dataclass(frozen=True)
class FindingSummary:
    """One kind of finding in one arm at one rule (empty: the run as a whole): the replicates that show it, of `of`.

    `arm` is empty for a finding about the data of several arms, or about the study as a whole. `sentence` says all,
    `detail` only how many runs show it and in what numbers: a list of one kind's findings has `EXPLANATIONS` once.
    """

    kind: FindingKind
    arm: str
    rule: str
    replicates: tuple[int, ...]
    of: int
    sentence: str
    detail: str = ""


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
    return tuple(_about(kind, arm, rule, grouped[kind, arm, rule], len(results.of(arm))) for kind, arm, rule in kinds)


def _about(kind: RunFindingKind, arm: str, rule: str, runs: Sequence[Run], of: int) -> FindingSummary:
    some, numbers = in_runs(len(runs), of), _NUMBERS[kind](rule, runs)
    where = f" {at(rule)}" if rule else ""
    alone = f"{_RISE} {numbers}" if kind == "overfitting" else numbers
    return FindingSummary(
        kind=kind,
        arm=arm,
        rule=rule,
        replicates=tuple(run.replicate for run in runs),
        of=of,
        sentence=f"{arm}: {TITLES[kind]} in {some}{where}{f': {alone}' if alone else ''}.",
        detail=f"{some}{f': {numbers}' if numbers else ''}",
    )


def _no_better_than_linear(results: Results) -> Iterator[FindingSummary]:
    """Where no network of the arms that share their data is clearly better than the linear model, by the interval."""
    for line in reference_lines(results):
        metric = compared_metric(results, results.recipe(line.arms[0]).task)
        if line.reference != "linear" or metric is None:
            continue
        known = [gain for gain in gains(results, line, metric) if gain.gain.interval is not None]
        if not known or any(gain.is_clear for gain in known):
            continue
        best = max(known, key=lambda gain: gain.gain.mean or 0.0)
        sentence = (
            f"No network is clearly better than the {line.label}: {label(metric)} of the best, "
            f"{best.arm}, is {mean_and_sd(metric, best.network)}, that of the {line.label} "
            f"{mean_and_sd(metric, best.line)}; the improvement, "
            f"paired by replicate, is {effect(metric, best.gain.mean, best.gain.interval)}, n = {best.gain.n}."
        )
        yield FindingSummary("no-better-than-linear", "", "", (), len(known), sentence)


_RISE: Final = (
    f"the validation loss (mean of {OVERFIT_WINDOW} epochs) ends more than {100 * OVERFIT_RISE:g} % above its"
)
TITLES: Final[dict[RunFindingKind, str]] = {
    "diverged": "divergence",
    "constant-data": "constant training data",
    "never-learned": "no learning",
    "collapse": "collapse",
    "dead-units": "dead hidden units",
    "unmoved-units": "hidden units close to their initial weights",
    "overfitting": "overfitting",
    "memorisation": "wrong training labels memorised",
}
EXPLANATIONS: Final[dict[RunFindingKind, str]] = {
    "diverged": "The loss became infinite or not a number. Diverged runs are left out of every mean.",
    "constant-data": "All training examples are equal, or all have one target: there is nothing to learn.",
    "never-learned": "The network predicts its training targets hardly better than a constant does.",
    "collapse": (
        "The network gives nearly the same output for every input: its outputs vary by less than "
        f"{100 * COLLAPSE_VARIATION:g} % of the variance of the inputs."
    ),
    "dead-units": (
        "The unit's activation is the same on every training example, so the network can use it as a bias only. "
        "A unit can recover when earlier layers change."
    ),
    "unmoved-units": (
        f"The cosine between the unit's incoming weights and their initial values is above {UNMOVED_COSINE:g}. "
        "Such a unit may still be used."
    ),
    "overfitting": f"{capital(_RISE)} minimum.",
    "memorisation": f"The network predicts {100 * MEMORISED_SHARE:g} % or more of the wrong training labels as given.",
}
"""What each kind means, with its threshold."""


def _diverged(_rule: str, runs: Sequence[Run]) -> str:
    return _at_epochs([run.epochs_done for run in runs])


def _constant_data(_rule: str, _runs: Sequence[Run]) -> str:
    return ""


def _never_learned(_rule: str, runs: Sequence[Run]) -> str:
    if runs[0].dataset.targets:
        explained = [max(training_values(run, "train_r2")) for run in runs]
        return f"training R² {each_or_range(explained, lambda value: quantity('train_r2', value))}, a constant has 0"
    best = [max(run.value(rule, "train_accuracy") or 0.0 for rule in run.selections) for run in runs]
    shares = [run.largest_class_share or 0.0 for run in runs]
    return f"training accuracy {_shares(best)}, the largest class alone has {_shares(shares)}"


def _collapse(rule: str, runs: Sequence[Run]) -> str:
    shares = [run.value(rule, "output_variation") or 0.0 for run in runs]
    return f"output variance {each_or_range(shares, lambda value: f'{100 * value:.2g} %')} of the input variance"


def _dead(rule: str, runs: Sequence[Run]) -> str:
    return _of_hidden(rule, runs, "dead_units")


def _unmoved(rule: str, runs: Sequence[Run]) -> str:
    return _of_hidden(rule, runs, "unmoved_units")


def _overfitting(_rule: str, runs: Sequence[Run]) -> str:
    return f"minimum {_at_epochs([found.epoch for run in runs if (found := overfitting(run)) is not None])}"


def _memorised(rule: str, runs: Sequence[Run]) -> str:
    return _shares([run.value(rule, "memorised") or 0.0 for run in runs])


_NUMBERS: Final[dict[RunFindingKind, Callable[[str, Sequence[Run]], str]]] = {
    "diverged": _diverged,
    "constant-data": _constant_data,
    "never-learned": _never_learned,
    "collapse": _collapse,
    "dead-units": _dead,
    "unmoved-units": _unmoved,
    "overfitting": _overfitting,
    "memorisation": _memorised,
}


def _at_epochs(epochs: Sequence[int]) -> str:
    noun = "epoch" if len(set(epochs)) == 1 else "epochs"
    return f"at {noun} {each_or_range(epochs, lambda epoch: f'{epoch:,.0f}')}"


def _shares(values: Sequence[float]) -> str:
    return each_or_range(values, lambda value: quantity("train_accuracy", value))


def _of_hidden(rule: str, runs: Sequence[Run], metric: str) -> str:
    counts = [run.value(rule, metric) or 0.0 for run in runs]
    return f"{each_or_range(counts, lambda count: f'{count:.0f}')} of {runs[0].value(rule, 'hidden_units'):.0f}"
