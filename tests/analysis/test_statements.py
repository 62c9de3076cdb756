import pytest

from paribus.analysis.contrasts import ArmAtRule, Contrast, contrast
from paribus.analysis.estimates import Interval
from paribus.analysis.statements import between, margin, statement

DEPLOYED = "max-val-accuracy"


def _found(results, better="dropped", than="fixed", rules=(DEPLOYED, DEPLOYED)) -> Contrast:
    return contrast(results, "test_accuracy", ArmAtRule(better, rules[0]), ArmAtRule(than, rules[1]))


def test_a_difference_is_said_with_its_direction_its_interval_and_n(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.79, 0.803, 0.81])
    assert statement(results, _found(results)) == (
        "The test accuracy is 0.90 points lower with dropped than with fixed (95 % CI 0.47 to 1.33, n = 3)"
    )
    assert statement(results, _found(results), with_interval=False).endswith("lower with dropped than with fixed")


def test_an_interval_with_zero_inside_keeps_its_signs(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.795, 0.82, 0.815])
    assert statement(results, _found(results)) == (
        "The test accuracy is the same with dropped and with fixed (95 % CI -2.2 to +2.2, n = 3)"
    )


def test_rules_are_named_where_they_are_not_the_deployed_ones(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.79, 0.803, 0.81])
    within = _found(results, "fixed", "fixed", (DEPLOYED, "min-train-loss"))
    assert statement(results, within).startswith(
        "fixed: the test accuracy is the same at the highest validation accuracy and at the lowest training loss"
    )
    other = _found(results, rules=("min-train-loss", "min-train-loss"))
    assert statement(results, other).startswith("At the lowest training loss, the test accuracy is 0.90 points lower")
    mixed = _found(results, rules=(DEPLOYED, "min-train-loss"))
    assert "with fixed (at the lowest training loss)" in statement(results, mixed)


def test_counts_have_no_interval(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    for replicate in range(2):
        maker.run("fixed", replicate, curves=steady(0), measured={("", "parameters"): 100})
        maker.run("dropped", replicate, curves=steady(0), measured={("", "parameters"): 1350})
    results = maker.results()
    found = contrast(results, "parameters", ArmAtRule("dropped", ""), ArmAtRule("fixed", ""))
    assert "is 1,250 higher with dropped" in statement(results, found)
    assert statement(results, found).endswith("(in every replicate, n = 2)")


@pytest.mark.parametrize(
    ("metric", "mean", "low", "high", "words"),
    [
        ("test_accuracy", 0.205, 0.1854, 0.2247, "18.5 to 22.5"),
        ("test_accuracy", -0.205, -0.2247, -0.1854, "18.5 to 22.5"),
        ("mse", 0.07644, -0.08319, 0.2361, "-0.08 to +0.24"),
        ("test_rmse", 1413.0, 402.0, 2424.0, "400 to 2,400"),
        ("mse", -0.0040599, -0.0040698, -0.0040501, "0.00405 to 0.00407"),
        ("mse", 0.5, 0.4999991, 0.5000012, "0.499999 to 0.500001"),
    ],
)
def test_an_interval_has_the_digits_that_its_width_allows(metric, mean, low, high, words) -> None:
    assert between(metric, mean, Interval(low, high)) == words


@pytest.mark.parametrize(
    ("metric", "by", "words"),
    [("test_accuracy", 0.005, "0.5 points"), ("test_accuracy", 0.01, "1 point"), ("mse", 0.001, "0.001")],
)
def test_a_margin_has_its_unit(metric, by, words) -> None:
    assert margin(metric, by) == words
