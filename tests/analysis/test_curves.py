import math

import pytest

from paribus.analysis.curves import band


def test_a_band_is_mean_and_range_over_finished_runs(classifiers, steady) -> None:
    maker = classifiers()
    for replicate in range(2):
        maker.run("fixed", replicate, curves=steady(replicate))
    maker.run("fixed", 2, curves={**steady(2), "train_loss": [9.0, math.nan, math.nan, math.nan]}, state="diverged")
    found = band(maker.results(), "fixed", "train_loss")
    assert found is not None
    assert found.epoch.tolist() == [1, 2, 3, 4]
    assert found.mean.tolist() == pytest.approx([1.005, 0.5, 0.3, 0.205])
    assert found.low.tolist() == pytest.approx([1.0, 0.5, 0.3, 0.2])
    assert found.high.tolist() == pytest.approx([1.01, 0.5, 0.3, 0.21])
    assert found.n.tolist() == [2, 2, 2, 2]


def test_a_band_ends_where_the_first_run_stopped(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0))
    maker.run("fixed", 1, curves={name: values[:2] for name, values in steady(0).items()} | {"train_loss": [2.0, 1.5]})
    found = band(maker.results(), "fixed", "train_loss")
    assert found is not None
    assert found.n.tolist() == [2, 2]
    assert found.mean.tolist() == pytest.approx([1.5, 1.0])


def test_epochs_at_which_nothing_was_measured_are_left_out(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves={**steady(0), "val_loss": [math.nan, 0.5, math.nan, 0.4]})
    found = band(maker.results(), "fixed", "val_loss")
    assert found is not None
    assert found.epoch.tolist() == [2, 4]
