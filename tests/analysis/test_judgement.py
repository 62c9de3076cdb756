import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paribus.analysis.estimates import Interval
from paribus.analysis.judgement import (
    binary_interval,
    clopper_pearson,
    decide,
    holm,
    is_skewed,
    judge,
    needed,
)
from paribus.analysis.looks import ALPHA, look_levels

SAMPLE = [0.012, 0.004, 0.009, 0.015, 0.007]


@pytest.mark.parametrize(
    ("wide", "narrow", "verdict", "detail"),
    [
        ((0.02, 0.03), (0.021, 0.029), "SUPPORTED", ""),
        ((-0.011, 0.005), (-0.009, 0.004), "EQUIVALENT", ""),
        ((-0.03, 0.005), (-0.02, 0.004), "REFUTED", "not better by the margin"),
        ((-0.03, -0.02), (-0.029, -0.021), "REFUTED", "worse"),
        ((-0.009, -0.001), (-0.008, -0.002), "EQUIVALENT", ""),
        ((0.005, 0.03), (0.006, 0.029), "INCONCLUSIVE", ""),
        ((-0.03, 0.03), (-0.02, 0.02), "INCONCLUSIVE", ""),
    ],
)
def test_intervals_against_the_margin(
    wide: tuple[float, float], narrow: tuple[float, float], verdict: str, detail: str
) -> None:
    assert decide(Interval(*wide), Interval(*narrow), 0.01) == (verdict, detail)


@pytest.mark.parametrize(
    ("wide", "verdict", "detail"),
    [
        ((0.02, 0.03), "SUPPORTED", ""),
        ((-0.009, 0.005), "SUPPORTED", ""),
        ((-0.009, -0.001), "SUPPORTED", ""),
        ((-0.03, -0.011), "REFUTED", "worse by more than the margin"),
        ((-0.03, 0.005), "INCONCLUSIVE", ""),
    ],
)
def test_a_margin_below_zero_is_one_of_non_inferiority(wide: tuple[float, float], verdict: str, detail: str) -> None:
    assert decide(Interval(*wide), Interval(*wide), -0.01) == (verdict, detail)


@pytest.mark.parametrize("by", [-0.02, -0.009, -0.005, -0.001])
def test_p_of_non_inferiority_is_that_of_the_one_sided_t_test(by: float) -> None:
    worse = [-one for one in SAMPLE]
    above = stats.ttest_1samp(worse, by, alternative="greater").pvalue
    below = stats.ttest_1samp(worse, by, alternative="less").pvalue
    found = judge(worse, by)
    assert found.p == pytest.approx(min(above, below) / 0.025, rel=1e-6, abs=1e-9)
    assert found.p is not None
    assert (found.p <= 1) == (found.verdict != "INCONCLUSIVE")


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.floats(0, 1))
def test_a_claim_and_its_opposite_are_never_both_supported(differences: list[float], by: float) -> None:
    verdicts = [judge(differences, by).verdict, judge([-d for d in differences], by).verdict]
    assert verdicts != ["SUPPORTED", "SUPPORTED"]
    if "SUPPORTED" in verdicts:
        assert "REFUTED" in verdicts
    if "EQUIVALENT" in verdicts:
        assert verdicts == ["EQUIVALENT", "EQUIVALENT"]


def test_the_intervals_are_those_of_the_paired_t_test() -> None:
    found = judge(SAMPLE, 0.001)
    for interval, level in ((found.interval, 0.95), (found.equivalence, 0.90)):
        expected = stats.ttest_1samp(SAMPLE, 0).confidence_interval(level)
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("by", [0.001, 0.005, 0.02])
def test_p_is_that_of_the_nearest_one_sided_t_test(by: float) -> None:
    """SciPy tests each of the three hypotheses; superiority at 2.5 %, equivalence as two tests at 5 %."""
    above = stats.ttest_1samp(SAMPLE, by, alternative="greater").pvalue
    below = stats.ttest_1samp(SAMPLE, by, alternative="less").pvalue
    above_minus = stats.ttest_1samp(SAMPLE, -by, alternative="greater").pvalue
    expected = min(above / 0.025, below / 0.025, max(below, above_minus) / 0.05)
    found = judge(SAMPLE, by)
    assert found.p == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert found.p is not None
    assert (found.p <= 1) == (found.verdict != "INCONCLUSIVE")


def test_no_spread_gives_no_verdict() -> None:
    found = judge([1.0, 1.0], 0.5)
    assert (found.verdict, found.interval, found.detail) == ("INCONCLUSIVE", None, "the replicates have no spread")


def test_exact_numbers_need_no_interval() -> None:
    assert judge([-100.0], 10, "exact").verdict == "REFUTED"
    assert judge([100.0, 100.0], 10, "exact").verdict == "SUPPORTED"
    assert judge([0.0, 0.0], 10, "exact").verdict == "EQUIVALENT"


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (3, 8), (8, 8), (1, 40)])
def test_clopper_pearson(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(0.95)
    found = clopper_pearson(successes, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_two_zeros_and_ones_support_nothing() -> None:
    """A t interval would: differences of 1 and 1 have no spread."""
    assert judge([1.0, 1.0], 0.1, "binary").verdict == "INCONCLUSIVE"
    assert judge([1.0] * 10, 0.1, "binary").verdict == "SUPPORTED"


@pytest.mark.parametrize("n", [2, 3, 6])
def test_binary_intervals_cover_at_least_as_often_as_they_say(n: int) -> None:
    """Every outcome of n pairs, weighed by its probability, for many true shares."""
    for up in np.linspace(0, 1, 6):
        for down in np.linspace(0, 1 - up, 4):
            covered = 0.0
            for ups in range(n + 1):
                for downs in range(n + 1 - ups):
                    chance = stats.multinomial.pmf([ups, downs, n - ups - downs], n, [up, down, max(0, 1 - up - down)])
                    between = binary_interval([1.0] * ups + [-1.0] * downs + [0.0] * (n - ups - downs), ALPHA)
                    covered += chance * (between.low - 1e-12 <= up - down <= between.high + 1e-12)
            assert covered >= 0.95 - 1e-9


def test_the_replicates_needed_decide_and_one_fewer_does_not() -> None:
    mean, sd, by = 0.008, 0.006, 0.005
    count = needed(mean, sd, 3, by)
    assert count is not None

    def verdict(n: int) -> str:
        half = stats.t.ppf([0.975, 0.95], n - 1) * sd / math.sqrt(n)
        return decide(Interval(mean - half[0], mean + half[0]), Interval(mean - half[1], mean + half[1]), by)[0]

    assert verdict(count) == "SUPPORTED"
    assert verdict(count - 1) == "INCONCLUSIVE"
    assert needed(0.005, 0.006, 3, 0.005) is None  # exactly at the margin: no number would do


def test_skewed_differences_are_told_from_symmetric_ones() -> None:
    assert is_skewed([0, 0.1, 0.05, 0.02, 0.01, 0.03, 0.04, 9])
    assert not is_skewed([-3, -2, -1, 0, 1, 2, 3])
    assert not is_skewed([0, 0, 0, 9])
    values = [0.1, 0.4, 0.2, 3.0, 0.3, 0.2]
    error = math.sqrt(6 * 6 * 5 / (4 * 7 * 9))
    assert is_skewed(values) == (abs(stats.skew(values, bias=False)) > 2 * error)


def test_holm_multiplies_the_smallest_by_the_count() -> None:
    """The example of Holm's step-down procedure: 0.01, 0.02, 0.04 of three become 0.03, 0.04, 0.04."""
    assert holm([0.04, None, 0.01, 0.02]) == pytest.approx((0.04, None, 0.03, 0.04))
    assert holm([0.5, 0.4]) == pytest.approx((0.8, 0.8))
    assert holm([]) == ()


@pytest.mark.parametrize("looks", [(8, 12, 20), (3, 5, 10, 20), (2, 3, 4, 5, 6)])
def test_looks_share_one_error(looks: tuple[int, ...]) -> None:
    """The chance that any look rejects is the multivariate normal one, as SciPy integrates it."""
    boundaries = stats.norm.isf(look_levels(looks))
    covariance = [[min(a, b) / math.sqrt(a * b) for b in looks] for a in looks]
    none = stats.multivariate_normal.cdf(boundaries, np.zeros(len(looks)), covariance, abseps=1e-6, maxpts=10**6)
    assert 1 - none == pytest.approx(ALPHA, abs=2e-4)


def test_a_single_look_has_the_whole_error() -> None:
    assert look_levels((8,)) == (ALPHA,)
