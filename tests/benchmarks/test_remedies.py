"""The page of remedies from made-up results: every arm has its line, with its own numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.remedies import page
from paribus.spec import builtin
from tests.report.conftest import Maker


def test_the_page_has_a_line_for_each_arm_with_what_was_measured() -> None:
    remedies, rates = (Maker(builtin.text(name)).results() for name in ("label-remedies", "noise-rates"))
    text = page(remedies, rates)
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


def test_the_page_speaks_of_the_studies_that_it_shows() -> None:
    remedies, rates = (Maker(builtin.text(name)).results() for name in ("label-remedies", "noise-rates"))
    assert "noise-rates" not in page(remedies, None)
    assert "two built-in studies" not in page(remedies, None)
    assert "`paribus run noise-rates label-remedies`" in page(remedies, rates)
