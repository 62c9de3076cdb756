"""What the numbers say where training labels are wrong: the peak, the fall, what was memorised, and the remedies."""

from __future__ import annotations

from collections import Counter

from paribus.analysis import wording
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.labels import PeakAndLast, peaks, ranking
from paribus.analysis.results import Results

_TEST = "test_accuracy"
TOGETHER = 0.5
"""From this rank correlation on, two measurements go together."""


def noisy_arms(results: Results) -> tuple[str, ...]:
    """The arms whose training labels are wrong in part, by their recipe or by what was measured."""
    return tuple(
        arm
        for arm in results.arms
        if results.recipe(arm).data.label_noise is not None
        or any(name == "memorised" for run in results.of(arm) for _, name in run.measurements)
    )


def headline(results: Results) -> str:
    """The control's peak and end, and the remedies that are clearly above it; empty where all labels are right."""
    noisy, control = noisy_arms(results), results.study.control
    if not noisy:
        return ""
    lines = [
        f"As training goes on, {entry.arm} falls from its peak of {wording.quantity(_TEST, entry.peak.mean)} to "
        f"{wording.quantity(_TEST, entry.last.mean)} on clean test data ({_fall(entry)})."
        for entry in peaks(results)
        if entry.arm == control and entry.drop.mean is not None
    ]
    contrasts = [entry.contrast for entry in ranking(results, _TEST) if entry.contrast is not None]
    known = [contrast for contrast in contrasts if contrast.interval is not None]
    if known:
        above = [contrast for contrast in known if contrast.interval is not None and contrast.interval.low > 0]
        below = [contrast for contrast in known if contrast.interval is not None and contrast.interval.high < 0]
        each = wording.listed(f"{c.first.arm} ({wording.difference(_TEST, c.mean)})" for c in above)
        lines.append(f"Clearly above {control}, of {wording.plural(len(known), 'other arm')}: {each}.")
        if below:
            lines.append(f"Clearly below it: {wording.listed(contrast.first.arm for contrast in below)}.")
    return " ".join(lines)


def sentences(results: Results) -> list[str]:
    """Peak, end and fall of every monitored arm, the wrong labels reproduced, and whether the two go together."""
    noisy = noisy_arms(results)
    lines = [_peak(entry) for entry in peaks(results) if entry.arm in noisy and entry.peak.n]
    learnt = [line for arm in noisy if (line := _memorised(results, arm))]
    if learnt:
        lines.append(f"Share of the wrong training labels that the network reproduces: {'; '.join(learnt)}.")
    return [*lines, *_cause(results, noisy)]


def _memorised(results: Results, arm: str) -> str:
    rule = "last" if "last" in results.rules(arm) else results.deploy(arm)
    wrong, learnt = (estimate(results.values(arm, rule, name)) for name in ("mislabelled", "memorised"))
    if not learnt.n:
        return ""
    of = "" if wrong.mean is None else f" of {wording.quantity('mislabelled', wrong.mean)} wrong"
    return f"{arm} {wording.at(rule)} {wording.mean_and_sd('memorised', learnt)}{of}"


def _cause(results: Results, noisy: tuple[str, ...]) -> list[str]:
    """Whether runs that reproduce more wrong labels fall further: the cause, as far as a study of arms can show one."""
    known: list[tuple[float, float]] = []
    for entry in peaks(results):
        if entry.arm in noisy:
            pairs = zip(entry.memorised.values, entry.drop.values, strict=True)
            known += [(m, d) for m, d in pairs if m is not None and d is not None]
    if len(known) < 3 or len({m for m, _ in known}) < 2 or len({d for _, d in known}) < 2:
        return []
    together = rank_correlation(known)
    if together >= TOGETHER:
        text = "runs that reproduce more wrong labels fall further, as they would if memorising were the cause"
    else:
        text = "the fall does not go with the wrong labels reproduced, so memorising is not shown to be the cause"
    return [f"Over {len(known)} runs, the rank correlation of labels memorised and fall is {together:+.2f}: {text}."]


def rank_correlation(pairs: list[tuple[float, float]]) -> float:
    """Kendall's tau-b: concordant minus discordant pairs, over those tied in neither measurement (Kendall 1945)."""
    signs, untied = Counter[int](), [0, 0]
    for place, (m, d) in enumerate(pairs):
        for other_m, other_d in pairs[place + 1 :]:
            product = (m - other_m) * (d - other_d)
            signs[(product > 0) - (product < 0)] += 1
            untied[0] += m != other_m
            untied[1] += d != other_d
    return (signs[1] - signs[-1]) / (untied[0] * untied[1]) ** 0.5 if all(untied) else 0.0


def _peak(entry: PeakAndLast) -> str:
    part = "" if entry.monitored_examples is None else f" (on the first {entry.monitored_examples:,} test examples)"
    return (
        f"{entry.arm}: test accuracy{part} peaks at {wording.mean_and_sd(_TEST, entry.peak)}, epoch "
        f"{_epochs(entry.peak_epoch)}, and ends at {wording.mean_and_sd(_TEST, entry.last)}, epoch "
        f"{_epochs(entry.last_epoch)}: {_fall(entry)}."
    )


def _fall(entry: PeakAndLast) -> str:
    return f"a fall of {wording.effect(_TEST, entry.drop.mean, entry.drop.interval).removeprefix('+')}"


def _epochs(got: Estimate) -> str:
    """The epochs of the replicates, each once."""
    return wording.listed(dict.fromkeys(f"{value:,.0f}" for value in got.values if value is not None))
