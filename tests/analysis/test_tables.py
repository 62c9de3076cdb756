import json
from dataclasses import asdict

import pytest

from paribus.analysis.tables import PEAKS, rows

PUBLISHED = """
[[published]]
arm = "fixed"
rule = "max-val-accuracy"
source = "a report"
epoch = 2
val_accuracy = 0.8365
test_accuracy = 0.8513
parameters = 25450
[[published]]
arm = "fixed"
rule = "epoch:4"
val_loss = 0.85
"""


def _by_key(results):
    return {(row.arm, row.rule, row.metric): row for row in rows(results)}


def test_every_arm_and_rule_has_its_epoch_its_curves_there_and_its_test_figure(classifiers, steady) -> None:
    maker = classifiers()
    for replicate in range(3):
        measured = {("max-val-accuracy", "test_accuracy"): 0.7 + 0.01 * replicate, ("", "parameters"): 25450.0}
        maker.run("fixed", replicate, curves=steady(replicate), measured=measured)
    table = _by_key(maker.results())
    row = table["fixed", "max-val-accuracy", "val_accuracy"]
    assert row.values == (0.8, 0.81, 0.8200000000000001)
    assert row.mean == pytest.approx(0.81)
    assert row.sd == pytest.approx(0.01)
    assert row.n == 3
    assert table["fixed", "max-val-accuracy", "epoch"].values == (3.0, 3.0, 3.0)
    assert table["fixed", "min-train-loss", "epoch"].values == (4.0, 4.0, 4.0)
    assert table["fixed", "min-train-loss", "val_loss"].values == (0.9, 0.9, 0.9)
    assert table["fixed", "max-val-accuracy", "test_accuracy"].values == (0.7, 0.71, 0.72)
    assert table["fixed", "", "parameters"].mean == 25450


def test_published_figures_stand_beside_ours_even_at_rules_that_no_arm_selects_by(classifiers, steady) -> None:
    maker = classifiers(more=PUBLISHED)
    maker.run("fixed", 0, curves=steady(0))
    table = _by_key(maker.results())
    assert table["fixed", "max-val-accuracy", "epoch"].published == 2
    assert table["fixed", "max-val-accuracy", "test_accuracy"].published == 0.8513
    assert table["fixed", "max-val-accuracy", "test_accuracy"].n == 0
    assert table["fixed", "", "parameters"].published == 25450
    assert table["fixed", "epoch:4", "val_loss"].values == (0.9, None, None)
    assert table["fixed", "epoch:4", "val_loss"].published == 0.85
    assert table["fixed", "min-train-loss", "val_loss"].published is None


def test_diverged_and_missing_runs_are_shown_as_missing_and_left_out_of_the_mean(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0), state="diverged")
    maker.run("fixed", 2, curves=steady(2))
    row = _by_key(maker.results())["fixed", "min-train-loss", "train_loss"]
    assert row.values == (None, None, pytest.approx(0.22))
    assert (row.n, row.sd) == (1, None)


def test_a_monitored_arm_shows_its_peak_and_its_end_without_selecting_by_them(classifiers, steady) -> None:
    maker = classifiers(more='[[arms]]\nname = "watched"\ntest = { read_at = [], monitor_every = 1 }')
    maker.run("watched", 0, curves={**steady(0), "test_accuracy": [0.5, 0.84, 0.7, 0.66]})
    table = _by_key(maker.results())
    assert table["watched", PEAKS["classification"], "epoch"].values[0] == 2
    assert table["watched", PEAKS["classification"], "test_accuracy"].values[0] == 0.84
    assert table["watched", "last", "epoch"].values[0] == 4
    assert table["watched", "last", "test_accuracy"].values[0] == 0.66


def test_autoencoders_have_error_pca_error_dead_units_and_collapse(autoencoders) -> None:
    maker = autoencoders()
    for replicate, variation in enumerate((0.8, 0.001)):
        figures = {"mse": 0.01, "pca_mse": 0.007, "output_variation": variation}
        measured = {("last", name): value for name, value in figures.items()}
        units = maker.units("last", dead=3, unmoved=0, of=4)
        maker.run("plain", replicate, curves={"train_loss": [0.3, 0.2, 0.1]}, measured=measured, artifacts=[units])
    table = _by_key(maker.results())
    assert table["plain", "last", "mse"].mean == 0.01
    assert table["plain", "last", "pca_mse"].mean == 0.007
    assert table["plain", "last", "dead_units"].mean == 3
    assert table["plain", "last", "collapsed"].values == (0.0, 1.0)


def test_rows_are_json_with_the_promised_keys(compared) -> None:
    row = rows(compared([0.8, 0.81], [0.82, 0.83]))[0]
    said = json.loads(json.dumps(asdict(row)))
    assert list(said) == ["arm", "rule", "metric", "mean", "sd", "n", "values", "published", "reference"]
