"""The page of remedies from made-up results: every arm has its line, with its own numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.remedies import page
from paribus.spec import builtin
from tests.report.conftest import Maker

RELABELLED = [
    {"labels": 9000, "wrong": 2430, "changed": 2200 + one, "changed_to_the_truth": 2090, "wrong_after": 440,
     "last": 0.84 + one / 1000, "chosen": 0.845, "chosen_epoch": 30.0}
    for one in range(5)
]  # fmt: skip


def test_the_page_has_a_line_for_each_arm_with_what_was_measured() -> None:
    remedies, rates = (Maker(builtin.text(name)).results() for name in ("label-remedies", "noise-rates"))
    text = page(remedies, rates, RELABELLED)
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert set(remedies.arms) | set(rates.arms) <= lines.keys()
    for results in (remedies, rates):
        for arm in results.arms:
            values = [100 * run.value("last", "test_accuracy") for run in results.of(arm)]
            assert f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" in lines[arm]
    peak = np.array([run.value("max-test-accuracy", "test_accuracy") for run in remedies.of("plain")])
    best = {arm: np.mean([run.value("last", "test_accuracy") for run in remedies.of(arm)]) for arm in remedies.arms}
    assert f"Best at the last epoch: {max(best, key=best.get)}." in text
    difference = np.mean([run.value("last", "test_accuracy") for run in remedies.of("mixup")] - peak)
    assert f"| {100 * difference:+.2f} (" in lines["mixup"]
    assert remedies.study.arm("mixup").note in lines["mixup"]
    again = lines["relabel and train again"]
    differences = [one["last"] - value for one, value in zip(RELABELLED, peak, strict=True)]
    assert f"| 84.20 ± 0.16 | {100 * np.mean(differences):+.2f} (" in again
    assert "27.00 % were wrong before\nand 4.89 % after" in text


def test_the_page_speaks_of_the_studies_that_it_shows() -> None:
    remedies, rates = (Maker(builtin.text(name)).results() for name in ("label-remedies", "noise-rates"))
    assert "noise-rates" not in page(remedies, None, RELABELLED)
    assert "two built-in studies" not in page(remedies, None, RELABELLED)
    assert "`paribus run noise-rates label-remedies`" in page(remedies, rates, RELABELLED)
