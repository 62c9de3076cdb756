import pytest

from paribus.analysis import wording
from paribus.analysis.contrasts import against_control
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
    assert wording.interval("val_accuracy", Interval(-0.002, 0.014)) == "[-0.20, +1.40] points"
    assert wording.interval("val_accuracy", None) == "no interval"


def test_no_mean_without_its_spread() -> None:
    assert wording.mean_and_sd("test_accuracy", estimate([0.8, 0.82])) == "81.00 % (sd 1.41, n = 2)"
    assert wording.mean_and_sd("test_accuracy", estimate([0.8])) == "80.00 % (one run)"
    assert wording.mean_and_sd("test_accuracy", estimate([None])) == "not measured"


def test_rules_in_words() -> None:
    assert wording.at("min-val-loss") == "at the lowest validation loss"
    assert wording.at("max-val-accuracy") == "at the highest validation accuracy"
    assert wording.at("last") == "at the last epoch"
    assert wording.at("epoch:40") == "at epoch 40"


def test_lists_in_words() -> None:
    assert [wording.listed(words) for words in ([], [1], [1, 2], [1, 2, 3])] == ["none", "1", "1 and 2", "1, 2 and 3"]


def test_a_contrast_says_whether_it_is_told_from_none(compared) -> None:
    (apart,) = against_control(compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87]), "test_accuracy")
    assert wording.compared(apart) == "+5.03 points, 95 % interval [+4.89, +5.18], n = 3"
    (alike,) = against_control(compared([0.80, 0.82, 0.81], [0.82, 0.80, 0.81]), "test_accuracy")
    assert wording.compared(alike).endswith("n = 3: no clear difference")
    (single,) = against_control(compared([0.80], [0.82]), "test_accuracy")
    assert wording.compared(single) == "+2.00 points in one replicate, without an interval"
