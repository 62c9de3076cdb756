import math

import pytest

from paribus.analysis.agreement import agreements
from tests.analysis.conftest import CLASSIFIERS

RULE = "max-val-accuracy"


def _study(**figures: float) -> str:
    lines = "\n".join(f"{name} = {value}" for name, value in figures.items())
    return f'[[published]]\narm = "fixed"\nrule = "{RULE}"\nsource = "a report, table 2"\n{lines}\n'


def _found(maker):
    return {entry.row.metric: entry for entry in agreements(maker.results())}


def _kinds(entry) -> list[str]:
    return [reason.kind for reason in entry.reasons]


def _train(maker, steady, accuracies) -> None:
    for replicate, accuracy in enumerate(accuracies):
        maker.run("fixed", replicate, curves=steady(replicate), measured={(RULE, "test_accuracy"): accuracy})


def test_a_figure_where_one_further_run_would_lie_is_within_the_spread(classifiers, steady) -> None:
    maker = classifiers(more=_study(test_accuracy=0.83))
    _train(maker, steady, [0.80, 0.81, 0.82])
    entry = _found(maker)["test_accuracy"]
    half = 4.302652729911275 * 0.01 * math.sqrt(4 / 3)
    assert (entry.band.low, entry.band.high) == pytest.approx((0.81 - half, 0.81 + half))
    assert entry.difference == pytest.approx(-0.02)
    assert (entry.beyond, _kinds(entry), entry.source) == (False, ["within"], "a report, table 2")


def test_a_figure_outside_for_no_recorded_reason_is_called_that(classifiers, steady) -> None:
    maker = classifiers(more=_study(test_accuracy=0.9))
    _train(maker, steady, [0.80, 0.81, 0.82])
    entry = _found(maker)["test_accuracy"]
    assert (entry.beyond, _kinds(entry)) == (True, ["unexplained"])


def test_one_replicate_cannot_tell(classifiers, steady) -> None:
    maker = classifiers(replicates=1, more=_study(test_accuracy=0.9))
    _train(maker, steady, [0.8])
    entry = _found(maker)["test_accuracy"]
    assert (entry.beyond, entry.band, _kinds(entry)[0]) == (None, None, "one-replicate")


def test_without_a_finished_run_there_is_nothing_to_compare(classifiers) -> None:
    entry = _found(classifiers(more=_study(test_accuracy=0.9)))["test_accuracy"]
    assert (entry.difference, entry.beyond, _kinds(entry)) == (None, None, ["no-run"])


def test_a_validation_accuracy_within_the_chance_of_its_split_is_called_that(classifiers, steady) -> None:
    maker = classifiers(more=_study(val_accuracy=0.825))
    for replicate in range(3):
        maker.run(
            "fixed", replicate, curves={**steady(0), "val_accuracy": [0.5, 0.7, 0.81 + 1e-4 * (replicate - 1), 0.7]}
        )
    entry = _found(maker)["val_accuracy"]
    assert entry.beyond is True
    assert _kinds(entry) == ["split-chance"]
    reach = 1.96 * math.sqrt(0.81 * 0.19 / 2000 * (1 - 2000 / 10_000) * (1 + 1 / entry.row.n))
    assert f"{100 * reach:.1f} points" in entry.reasons[0].sentence


def test_validation_examples_that_the_file_gives_are_no_chance_of_a_split(classifiers, steady) -> None:
    text = CLASSIFIERS.replace('split = "scarce"', 'split = "given"')
    maker = classifiers(more=_study(val_accuracy=0.825), text=text)
    for replicate in range(3):
        maker.run(
            "fixed", replicate, curves={**steady(0), "val_accuracy": [0.5, 0.7, 0.81 + 1e-4 * (replicate - 1), 0.7]}
        )
    assert _kinds(_found(maker)["val_accuracy"]) == ["unexplained"]


def test_a_validation_accuracy_far_beyond_its_split_s_chance_is_not_excused(classifiers, steady) -> None:
    maker = classifiers(more=_study(val_accuracy=0.95))
    for replicate in range(3):
        maker.run(
            "fixed", replicate, curves={**steady(0), "val_accuracy": [0.5, 0.7, 0.81 + 1e-4 * (replicate - 1), 0.7]}
        )
    assert _kinds(_found(maker)["val_accuracy"]) == ["unexplained"]


def test_another_epoch_is_the_reason_where_the_curve_agrees_at_the_published_one(classifiers, steady) -> None:
    maker = classifiers(more=_study(epoch=2, train_loss=0.5001))
    for replicate in range(3):
        curves = {**steady(0), "train_loss": [1.0, 0.5 + 0.001 * replicate, 0.3 + 0.001 * replicate, 0.2]}
        maker.run("fixed", replicate, curves=curves)
    entry = _found(maker)["train_loss"]
    assert entry.beyond is True
    assert _kinds(entry) == ["other-epoch"]
    assert "consistent with the published value" in entry.reasons[0].sentence


def test_an_epoch_chosen_in_a_near_tie_is_called_that(classifiers, steady) -> None:
    maker = classifiers(more=_study(epoch=4))
    for replicate in range(3):
        high = 0.80 + 0.01 * replicate
        maker.run("fixed", replicate, curves={**steady(0), "val_accuracy": [0.5, 0.7, high, high - 0.0001]})
    entry = _found(maker)["epoch"]
    assert "near-tie" in _kinds(entry)


def test_a_study_cut_short_or_trained_on_fewer_examples_says_so(classifiers, steady) -> None:
    maker = classifiers(more=_study(epoch=240, test_accuracy=0.99))
    _train(maker, steady, [0.80, 0.81, 0.82])
    assert "shorter" in _kinds(_found(maker)["test_accuracy"])


def test_a_collapsed_arm_says_so(autoencoders) -> None:
    maker = autoencoders(replicates=3, more='[[published]]\narm = "plain"\nrule = "last"\nmse = 0.007\n')
    for replicate in range(3):
        measured = {("last", "mse"): 0.024 + 1e-4 * replicate, ("last", "output_variation"): 1e-5}
        maker.run("plain", replicate, curves={"train_loss": [0.3, 0.2, 0.1]}, measured=measured)
    entry = _found(maker)["mse"]
    assert (entry.beyond, _kinds(entry)) == (True, ["collapsed"])
    assert entry.reasons[0].sentence.startswith("3 of 3 runs collapsed")


def test_parameters_are_counted_not_estimated(classifiers, steady) -> None:
    maker = classifiers(more=_study(parameters=25450, weights=1))
    maker.run("fixed", 0, curves=steady(0), measured={("", "parameters"): 25450.0, ("", "weights"): 25408.0})
    found = _found(maker)
    assert (found["parameters"].beyond, found["weights"].beyond) == (False, True)
    assert _kinds(found["parameters"]) == ["exact"]


def test_a_rule_that_chose_among_saved_epochs_only_is_a_reason(classifiers) -> None:
    others = '[[published]]\narm = "fixed"\nrule = "min-train-loss"\nepoch = 30\n'
    maker = classifiers(epochs=40, more=_study(epoch=20, val_accuracy=0.80) + others)
    for replicate in range(3):
        accuracies = [0.7 + 0.0001 * replicate] * 40
        accuracies[19], accuracies[12] = 0.8 + 0.001 * replicate, 0.9 + 0.001 * replicate
        maker.run("fixed", replicate, curves={"train_loss": [0.5] * 40, "val_accuracy": accuracies})
    found = {entry.row.metric: entry for entry in agreements(maker.results()) if entry.row.rule == RULE}
    assert "kept-every" in _kinds(found["val_accuracy"])
    assert "ours is 80.10 %" in found["val_accuracy"].reasons[-1].sentence
    assert "kept-every" in _kinds(found["epoch"])


def test_a_study_on_fewer_examples_says_so(classifiers, steady) -> None:
    fewer = '[[arms]]\nname = "fewer"\ndata = { limit = { train = 100 } }\n'
    maker = classifiers(more=fewer + _study(test_accuracy=0.99).replace('"fixed"', '"fewer"'))
    for replicate in range(2):
        maker.run("fewer", replicate, curves=steady(0), measured={(RULE, "test_accuracy"): 0.5 + 0.001 * replicate})
    assert _kinds(_found(maker)["test_accuracy"]) == ["fewer-examples"]


def test_a_peak_found_on_some_of_the_test_examples_says_so(classifiers, steady) -> None:
    watched = '[[arms]]\nname = "watched"\ntest = { read_at = [], monitor_every = 1, monitor_examples = 500 }\n'
    published = '[[published]]\narm = "watched"\nrule = "max-test-accuracy"\ntest_accuracy = 0.99\n'
    maker = classifiers(replicates=2, more=watched + published)
    for replicate in range(2):
        maker.run("watched", replicate, curves={**steady(0), "test_accuracy": [0.1, 0.8 + 0.001 * replicate, 0.7, 0.6]})
    entry = _found(maker)["test_accuracy"]
    assert (entry.beyond, _kinds(entry)) == (True, ["monitored-part"])
