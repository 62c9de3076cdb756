"""Whether networks know when they are wrong: accuracy by confidence, and right and wrong examples by confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paribus.analysis.calibration import Bin, Calibration
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.results import Results
from paribus.report import charts, class_charts
from paribus.report.blocks import Record, Section, SideBySide
from paribus.report.classes import arms_by_key
from paribus.report.tabulate import arm, estimated, mean_and_sd, shown, table
from paribus.spec.metrics import CALIBRATION_BINS

HEIGHT: Final = 300


def section(results: Results, found: Sequence[Calibration]) -> Section | None:
    """The reliability diagram, the counts by confidence, and the calibration error of each arm."""
    if not found:
        return None
    arms = [one.arm for one in found]
    control = sorted(arms, key=lambda name: name != results.study.control)
    keys = arms_by_key(results, control)
    place = {name: key for key, name in keys.items()}
    legend = charts.arm_keys(results.arms, arms) if len(arms) > 1 else ()
    errors: list[Record] = [
        {
            "arm": one.arm,
            "key": place[one.arm],
            **estimated("accuracy", one.accuracy),
            **estimated("confidence", one.confidence),
            **estimated("ece", one.error),
        }
        for one in found
    ]
    bins = [_bin(one, place[one.arm], part) for one in found for part in one.bins if part.examples]
    drawn = charts.figure(
        "reliability",
        "Reliability diagram",
        class_charts.reliability(results.arms),
        {"bins": bins, "errors": [{"arm": e["arm"], "key": e["key"], "mean": e["ece_mean"]} for e in errors]},
        f"Accuracy by confidence in {CALIBRATION_BINS} bins. {_words(found[0])}",
        note=(
            f"{CALIBRATION_BINS} bins, replicates together; larger points have more examples. "
            f"Lines: {LEVEL_TEXT} Wilson intervals for as many examples as one replicate has in the bin. "
            "Below the diagonal a network is overconfident."
        ),
        height=HEIGHT,
        legend=legend,
    )
    counts = charts.figure(
        "confidence",
        "Right and wrong by confidence",
        class_charts.confidence(keys),
        {"confidence": [_bar(one, place[one.arm], part) for one in found for part in one.bins if part.examples]},
        f"Right and wrong examples by confidence. {_sure_and_wrong(found[0])}",
        note="Wide bars: right. Narrow bars: wrong.",
        height=HEIGHT,
        legend=legend,
        one_at_a_time=True,
        hint="Click an arm's name to show it." if len(arms) > 1 else "",
    )
    columns = [
        arm(results.arms),
        mean_and_sd("accuracy", "accuracy", "share"),
        mean_and_sd("mean confidence", "confidence", "share"),
        mean_and_sd("expected calibration error", "ece", "share"),
    ]
    note = (
        "Expected calibration error: the mean of |accuracy - confidence| over the bins, weighted by their examples. "
        "Mean ± standard deviation over replicates."
    )
    body = (SideBySide((drawn, counts)), table("calibration", "Calibration", columns, errors, note=note))
    lead = "Confidence is the probability that a network gives to the class it predicts."
    folded = "Reliability diagram, right and wrong predictions by confidence, calibration error"
    return Section("confidence", "Confidence and calibration", body, lead=(lead,), folded=folded)


def _bin(one: Calibration, key: str, part: Bin) -> Record:
    return {
        "arm": one.arm,
        "key": key,
        "bin_low": part.low,
        "bin_high": part.high,
        "confidence": part.confidence,
        "accuracy": part.accuracy,
        "low": part.sampling.low if part.sampling else None,
        "high": part.sampling.high if part.sampling else None,
        "examples": part.examples,
    }


def _bar(one: Calibration, key: str, part: Bin) -> Record:
    inset = (part.high - part.low) / 4
    return {
        "arm": one.arm,
        "key": key,
        "low": part.low,
        "high": part.high,
        "inner_low": part.low + inset,
        "inner_high": part.high - inset,
        "right": part.right,
        "wrong": part.wrong,
    }


def _words(one: Calibration) -> str:
    if one.accuracy.mean is None or one.confidence.mean is None:
        return ""
    sure, right = shown("share", one.confidence.mean), shown("share", one.accuracy.mean)
    return f"{one.arm}: mean confidence {sure}, accuracy {right}."


def _sure_and_wrong(one: Calibration) -> str:
    last = one.bins[-1]
    return f"{one.arm}: {last.wrong:,.0f} examples are wrong with a confidence above {100 * last.low:.0f} %."
