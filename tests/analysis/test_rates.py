import pytest

from paribus.analysis.rate_answers import sentences
from paribus.analysis.rates import Region, rate_sweeps
from tests.analysis.made_sweep import made_sweep


def test_arms_that_differ_in_the_rate_alone_are_a_sweep():
    small, large = rate_sweeps(made_sweep())
    assert (small.name, large.name, small.metric) == ("hidden 4", "hidden 8", "mse")
    assert [point.rate for point in small.points] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert [point.estimate.mean for point in large.points] == pytest.approx([0.022, 0.00594, 0.0055, 0.011, 0.0275])
    assert small.chosen == small.best == "hidden=4, lr=0.001"


def test_the_regions_where_training_goes_wrong():
    small, _ = rate_sweeps(made_sweep())
    assert small.regions() == (Region("unstable", 0.1, 0.1), Region("collapsed", 1e-5, 1e-5))
    assert [(point.unstable, point.collapsed) for point in small.points] == [(0, 2), (0, 0), (0, 0), (0, 0), (1, 0)]


def test_diverged_runs_are_unstable_and_neighbours_are_one_region():
    _, large = rate_sweeps(made_sweep(diverged=0.01))
    assert large.regions()[0] == Region("unstable", 0.01, 0.1)
    assert [point.diverged for point in large.points] == [0, 0, 0, 2, 0]


def test_the_rule_takes_the_lowest_of_equal_rates():
    small, _ = rate_sweeps(made_sweep(by="one-standard-error"))
    assert (small.best, small.chosen) == ("hidden=4, lr=0.001", "hidden=4, lr=0.0001")


def test_what_a_sweep_says():
    small, _ = rate_sweeps(made_sweep(by="one-standard-error"))
    assert sentences(small) == [
        "The best mean for hidden 4 is at a learning rate of 0.001: reconstruction error 0.01100 (sd 0.001414, n = 2).",
        "At a learning rate of 0.1 for hidden 4, 1 of 2 runs is unstable.",
        "At a learning rate of 1e-05 for hidden 4, 2 of 2 runs have collapsed.",
        "The rule chooses 0.0001 for hidden 4: reconstruction error 0.01188 (sd 0.001527, n = 2).",
    ]


def test_a_few_arms_are_no_sweep(compared, autoencoders):
    assert rate_sweeps(compared([0.8, 0.9], [0.8, 0.9])) == ()
    assert rate_sweeps(autoencoders().results()) == ()
