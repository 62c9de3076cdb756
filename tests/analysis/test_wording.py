import pytest

from paribus.analysis import wording
from paribus.analysis.estimates import Interval, estimate


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("test_accuracy", 0.85127, "85.13 %"),
        ("val_loss", 0.471520, "0.4715"),
        ("mse", 0.00742, "0.007420"),
        ("epoch", 1490.0, "1,490"),
        ("epoch", 226.66, "226.7"),
        ("parameters", 25450.0, "25,450"),
        ("val_loss", 0.0, "0"),
        ("val_loss", 1.2e-6, "1.20e-06"),
        ("val_loss", None, "unknown"),
    ],
)
def test_quantities_in_their_unit(metric, value, said) -> None:
    assert wording.quantity(metric, value) == said


def test_differences_have_a_sign_and_accuracies_differ_by_points() -> None:
    assert wording.difference("test_accuracy", 0.013) == "+1.30 points"
    assert wording.difference("val_loss", -0.0123) == "-0.01230"
    assert wording.effect("val_accuracy", 0.006, Interval(-0.002, 0.014)) == "+0.60 points, 95 % CI -0.20 to +1.40"
    assert wording.effect("val_accuracy", 0.006, None) == "+0.60 points"


def test_no_mean_without_its_spread() -> None:
    assert wording.mean_and_sd("test_accuracy", estimate([0.8, 0.82])) == "81.00 % (sd 1.41, n = 2)"
    assert wording.mean_and_sd("test_accuracy", estimate([0.8])) == "80.00 % (one run)"
    assert wording.mean_and_sd("test_accuracy", estimate([None])) == "not measured"


def test_rules_in_words() -> None:
    assert wording.at("min-val-loss") == "at the lowest validation loss"
    assert wording.at("max-val-accuracy") == "at the highest validation accuracy"
    assert wording.at("last") == "at the last epoch"
    assert wording.at("epoch:40") == "at epoch 40"


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("max-val-accuracy", "highest validation accuracy"),
        ("min-train-loss", "lowest training loss"),
        ("last", "last epoch"),
        ("epoch:5", "epoch 5"),
    ],
)
def test_a_rule_has_a_name_in_words(rule, name) -> None:
    assert wording.rule_name(rule) == name


def test_lists_in_words() -> None:
    assert [wording.listed(words) for words in ([], [1], [1, 2], [1, 2, 3])] == ["none", "1", "1 and 2", "1, 2 and 3"]


@pytest.mark.parametrize(
    ("values", "said"),
    [([2], "2"), ([4, 4, 4], "4"), ([2, 4], "2 and 4"), ([3, 9, 4, 5, 7], "3 to 9")],
)
def test_few_values_are_listed_and_many_have_their_range(values, said) -> None:
    assert wording.each_or_range(values, lambda value: f"{value:.0f}") == said


@pytest.mark.parametrize(
    ("shown", "of", "said"),
    [(1, 1, "its one run"), (2, 2, "both runs"), (3, 3, "all 3 runs"), (0, 3, "0 of 3 runs"), (2, 3, "2 of 3 runs")],
)
def test_runs_are_counted_in_words(shown, of, said) -> None:
    assert wording.in_runs(shown, of) == said


def test_arms_that_deploy_by_one_rule_name_it() -> None:
    assert wording.at_each(["last", "last"]) == "at the last epoch"
    assert wording.at_each(["last", "max-val-accuracy"]) == "as each arm deploys"
