from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, ttest_1samp

from benchmarks import equal_arms
from benchmarks.statistics import Line, table, trained_alike


def test_equal_arms_share_the_test_examples_and_nothing_random() -> None:
    differences = equal_arms.trained(replicates=6)
    assert len(differences) == 6
    assert len({abs(value) for value in differences}) > 3
    counts = 1_000 * np.array(differences)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-6)


def test_differences_are_judged_n_at_a_time() -> None:
    differences = np.random.default_rng(3).standard_normal(83) + 0.3
    told = equal_arms.judged(differences.tolist(), 8)
    tests = [ttest_1samp(differences[at : at + 8], 0.0) for at in range(0, 80, 8)]
    assert told.studies == 10
    assert told.separated == sum(test.pvalue < 0.05 for test in tests) > 0
    assert told.supported == sum(test.pvalue < 0.05 and test.statistic > 0 for test in tests)


def test_shares_have_exact_intervals() -> None:
    differences = np.random.default_rng(4).standard_normal(240)
    lines = trained_alike(differences.tolist())
    assert [line.draws for line in lines] == [80, 80, 48, 48, 30, 30]
    for line in lines:
        expected = binomtest(round(line.share * line.draws), line.draws).proportion_ci(method="exact")
        np.testing.assert_allclose((line.interval.low, line.interval.high), expected, atol=1e-12)
    assert all(line.kept for line in lines)


def test_the_table_marks_what_is_not_kept() -> None:
    shown = table([Line("false SUPPORTED", "trained", "8", 0.2, 0.025, 200)])
    assert shown.splitlines()[-1] == "| false SUPPORTED | trained | 8 | 20.0 % ✗ | 14.7 to 26.2 | ≤ 2.5 % |"
