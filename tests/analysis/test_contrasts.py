import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paribus.analysis.contrasts import ArmAtRule, against_control, between_arms, between_rules, contrast
from paribus.analysis.estimates import estimate

accuracies = st.lists(st.floats(0.1, 0.9), min_size=6, max_size=6)


@given(accuracies, accuracies)
def test_the_interval_is_that_of_the_paired_t_test(ours: list[float], theirs: list[float]) -> None:
    differences = np.subtract(ours, theirs)
    if np.std(differences) < 1e-6:
        return
    got = estimate(differences.tolist()).interval
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert got is not None
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_arms_are_paired_by_replicate(compared) -> None:
    results = compared([0.80, 0.82, 0.84], [0.81, 0.83, 0.86])
    (found,) = against_control(results, "test_accuracy")
    assert (found.first.arm, found.second.arm) == ("dropped", "fixed")
    assert found.differences == pytest.approx((0.01, 0.01, 0.02))
    expected = stats.ttest_rel([0.81, 0.83, 0.86], [0.80, 0.82, 0.84]).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.separated == (expected.low > 0)


def test_a_replicate_that_one_arm_lacks_is_left_out_of_the_difference(classifiers, steady) -> None:
    maker = classifiers()
    for replicate in range(3):
        maker.run("fixed", replicate, curves=steady(replicate))
    maker.run("dropped", 1, curves=steady(0))
    dropped, fixed = ArmAtRule("dropped", "min-train-loss"), ArmAtRule("fixed", "min-train-loss")
    found = contrast(maker.results(), "train_loss", dropped, fixed)
    assert found.differences == (None, pytest.approx(-0.01), None)
    assert (found.n, found.interval, found.separated) == (1, None, None)


def test_rules_are_compared_within_an_arm(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    for replicate, (early, late) in enumerate([(0.85, 0.83), (0.86, 0.82)]):
        figures = {("max-val-accuracy", "test_accuracy"): early, ("min-train-loss", "test_accuracy"): late}
        maker.run("fixed", replicate, curves=steady(replicate), measured=figures)
    (found,) = between_rules(maker.results())
    assert (found.first.rule, found.second.rule) == ("max-val-accuracy", "min-train-loss")
    assert found.mean == pytest.approx(0.03)


def test_arms_that_differ_in_their_schedule_only_are_found_and_compared(compared) -> None:
    ((pair, found),) = between_arms(compared([0.8, 0.8], [0.9, 0.91]))
    assert (pair.first, pair.second, pair.kind) == ("fixed", "dropped", "schedule")
    assert found.mean == pytest.approx(0.105)
