"""What wrong labels do and which remedies help, from a workspace of two built-in studies: docs/noisy-labels.md.

paribus run label-remedies noise-rates
python -m benchmarks.relabelling
python -m benchmarks.remedies WORKSPACE [--output FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, relabelling
from paribus.analysis.contrasts import ArmAtRule, Contrast, contrast
from paribus.analysis.estimates import LEVEL_TEXT, Estimate, Interval, estimate
from paribus.analysis.labels import PeakAndLast, peaks
from paribus.analysis.results import Results, load
from paribus.analysis.statements import margin, signed_between, statement
from paribus.analysis.thresholds import MEMORISING_RISE
from paribus.analysis.verdicts import ClaimOutcome, claim_outcomes
from paribus.analysis.wording import capital, listed
from paribus.store.workspace import Workspace

REMEDIES, RATES = "label-remedies", "noise-rates"
METRIC: Final = "test_accuracy"
PEAK, LAST, CHOSEN = "max-test-accuracy", "last", "max-val-accuracy"
REMEDY_HEADS: Final = (
    "arm", "strength", "last epoch", "minus the plain peak", "epoch chosen by noisy labels", "at that epoch",
    "minus the plain peak", "wrong labels memorised", "memorising from epoch",
)  # fmt: skip
RATE_HEADS: Final = (
    "training labels", "wrong", "peak", "at epoch", "last epoch", "fall", "correct labels predicted",
    "wrong labels predicted", "true classes predicted", "memorising from epoch",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remedies", description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--output", type=Path, default=machine.ROOT / "docs/noisy-labels.md", metavar="FILE")
    options = parser.parse_args(arguments)
    with Workspace.open(options.workspace) as workspace:
        names = {study.name for study in workspace.studies()}
        relabelled = json.loads(relabelling.JSON.read_text(encoding="utf-8"))["replicates"]
        text = page(load(workspace, REMEDIES), load(workspace, RATES) if RATES in names else None, relabelled)
    options.output.write_text(text, encoding="utf-8")
    print(text)


def page(remedies: Results, rates: Results | None, relabelled: Sequence[dict[str, Any]]) -> str:
    """`docs/noisy-labels.md` from the results of the studies, of which the second one may not be there.

    `relabelled` has what `benchmarks.relabelling` found for each replicate of the remedies.
    """
    control = remedies.study.control
    peak = estimate(remedies.values(control, PEAK, METRIC))
    wrong = estimate(remedies.values(control, LAST, "mislabelled"))
    count, epochs = remedies.study.replicates.count, remedies.recipe(control).training.epochs
    if rates is None:
        by, how = "a built-in study", f"`paribus run {REMEDIES}` trains it"
    else:
        by, how = "two built-in studies", f"`paribus run {RATES} {REMEDIES}` trains them"
    return f"""\
# Wrong labels, and remedies

What wrong training labels do to a network, and what helps, measured by {by} on Fashion-MNIST: 10,000
training images and 60,000 test images with clean labels.

{how}, and `paribus report {REMEDIES}` shows more.

## Remedies

Of the training labels, {_share(wrong)} % are wrong. A tenth of the noisy images is held out in every arm, and the rule
`{CHOSEN}` chooses an epoch by their noisy labels. No clean label is used before the test, and no strength was
tuned on test data: each is that of the remedy's paper, or of the study `noisy-labels`. The plain network's peak,
{_share(peak)} %, is the best epoch by the test curve, which is optimistically biased: a mark to reach, and no way to
deploy. Accuracies on the test images are in per cent, mean ± standard deviation of {count} replicates. Differences
are in points, paired by replicate, with {LEVEL_TEXT} confidence intervals that are not corrected for multiple
comparisons.

{_table(REMEDY_HEADS, [*_remedy_lines(remedies), _relabelled_line(remedies, relabelled)])}

{_best(remedies)}

{_verdicts(remedies)}

Forward correction is given the true probabilities of the noise, which nobody knows of real data. Co-teaching trains two
networks, and is given the share of wrong labels. The last epoch is epoch {epochs}.

{_relabelled(relabelled)}

{_rates(rates)}Printed by `python -m benchmarks.remedies WORKSPACE`, commit {machine.commit()}.
The runs were trained on: {machine.environment()["processor"]}.
"""


def _rates(rates: Results | None) -> str:
    """The section on shares and kinds of wrong labels."""
    if rates is None:
        return ""
    rise = margin("memorised", MEMORISING_RISE)
    count, epochs = rates.study.replicates.count, rates.recipe(rates.study.control).training.epochs
    return f"""\
## How many wrong labels, and of which kind

The plain network without remedies, {epochs} epochs, {count} replicates, no image held out. Three columns are
of the training images at the last epoch: the share of the correct labels that the network predicts, that of the wrong
ones, and of wrongly labelled images the share whose true class it predicts. Memorising begins at the first epoch at
which the share of wrong labels that are predicted is {rise} above its least value so far.

{_table(RATE_HEADS, _rate_lines(rates))}

"""


def _remedy_lines(results: Results) -> Iterator[tuple[str, ...]]:
    found = {peak.arm: peak for peak in peaks(results)}
    for arm in results.arms:
        last, chosen = (_against_peak(results, arm, rule) for rule in (LAST, CHOSEN))
        yield (
            arm,
            results.study.arm(arm).note,
            _share(estimate(results.values(arm, LAST, METRIC))),
            _difference(last),
            _count(estimate(results.values(arm, CHOSEN, "epoch"))),
            _share(estimate(results.values(arm, CHOSEN, METRIC))),
            _difference(chosen),
            _share(estimate(results.values(arm, LAST, "memorised"))),
            _onset(found.get(arm)),
        )


def _relabelled_line(remedies: Results, relabelled: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The line of the plain network that is trained on the proposals of an audit, a study of its own."""
    peak = remedies.values(remedies.study.control, PEAK, METRIC)
    last, chosen = ([one[name] for one in relabelled] for name in ("last", "chosen"))
    return (
        "relabel and train again",
        "the suspects of `paribus audit` get the proposed labels",
        _share(estimate(last)),
        _paired(last, peak),
        _count(estimate(one["chosen_epoch"] for one in relabelled)),
        _share(estimate(chosen)),
        _paired(chosen, peak),
        "",
        "",
    )


def _relabelled(relabelled: Sequence[dict[str, Any]]) -> str:
    """What the audits changed."""
    before, changed, right, after = (
        estimate(one[name] / one[of] for one in relabelled)
        for name, of in (
            ("wrong", "labels"),
            ("changed", "labels"),
            ("changed_to_the_truth", "changed"),
            ("wrong_after", "labels"),
        )
    )
    return f"""\
The audit sees the noisy training images alone. It changes {_share(changed)} % of the labels, and
{_share(right)} % of the changed ones are then right. Of all labels, {_share(before)} % were wrong before
and {_share(after)} % after. `python -m benchmarks.relabelling` measures it."""


def _paired(values: Sequence[float], peak: Sequence[float | None]) -> str:
    """Differences by replicate: their mean, in points, with its interval."""
    found = estimate(None if other is None else value - other for value, other in zip(values, peak, strict=True))
    return _signed(found.mean, found.interval)


def _rate_lines(results: Results) -> Iterator[tuple[str, ...]]:
    for found in peaks(results):
        at_end = [
            _share(estimate(results.values(found.arm, LAST, f"train_accuracy_{name}")))
            for name in ("clean", "wrong", "true")
        ]
        if not found.mislabelled.n:
            at_end[0] = _share(estimate(results.values(found.arm, LAST, "train_accuracy")))
        yield (
            found.arm,
            _share(found.mislabelled),
            _share(estimate(results.values(found.arm, PEAK, METRIC))),
            _count(found.peak_epoch),
            _share(estimate(results.values(found.arm, LAST, METRIC))),
            _difference(contrast(results, METRIC, ArmAtRule(found.arm, LAST), ArmAtRule(found.arm, PEAK))),
            *at_end,
            _onset(found) if found.mislabelled.n else "",
        )


def _against_peak(results: Results, arm: str, rule: str) -> Contrast:
    """An arm at a rule, less the plain network at its peak."""
    return contrast(results, METRIC, ArmAtRule(arm, rule), ArmAtRule(results.study.control, PEAK))


def _best(results: Results) -> str:
    """The remedy with the highest mean at the last epoch, beside the plain network's peak."""
    found = [_against_peak(results, arm, LAST) for arm in results.arms]
    best = max((one for one in found if one.mean is not None), key=lambda one: one.mean or 0.0)
    return f"Best at the last epoch: {best.first.arm}. {statement(results, best)}."


def _verdicts(results: Results) -> str:
    """The claims by verdict: which remedies are as good as the peak, within the margin."""
    cases = [case for case in claim_outcomes(results) if case.verdict is not None]
    lines = [
        (f"at least as good as the plain peak, but for {margin(METRIC, results.study.claims[0].by)}", "SUPPORTED"),
        ("undecided", "INCONCLUSIVE"),
        ("worse by more than that", "REFUTED"),
    ]
    return "\n".join(
        f"- {capital(words)}: {listed(map(_name, found))}."
        for words, verdict in lines
        if (found := [case for case in cases if case.verdict == verdict])
    )


def _name(case: ClaimOutcome) -> str:
    better = case.claim.better
    return f"{better.arm} ({'last epoch' if better.rule == LAST else 'epoch chosen by noisy labels'})"


def _share(found: Estimate) -> str:
    return _numbers(found, 100, 2)


def _count(found: Estimate) -> str:
    return _numbers(found, 1, 0)


def _numbers(found: Estimate, factor: int, digits: int) -> str:
    if found.mean is None:
        return ""
    spread = f" ± {factor * found.sd:.{digits}f}" if found.sd else ""
    return f"{factor * found.mean:.{digits}f}{spread}"


def _difference(found: Contrast) -> str:
    return _signed(found.mean, found.interval)


def _signed(mean: float | None, interval: Interval | None) -> str:
    if mean is None:
        return ""
    ends = f" ({signed_between(METRIC, interval)})" if interval is not None else ""
    return f"{100 * mean:+.2f}{ends}"


def _onset(found: PeakAndLast | None) -> str:
    """The mean epoch, and in how many runs memorising began at all where it did not in all."""
    if found is None or not found.onset.n:
        return "never"
    runs = len(found.onset.values)
    few = "" if found.onset.n == runs else f", in {found.onset.n} of {runs} runs"
    return f"{_count(found.onset)}{few}"


def _table(heads: Sequence[str], lines: Iterable[tuple[str, ...]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
