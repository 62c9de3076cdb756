"""Range tests on made-up curves, whose regions and suggestions can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.analysis.range_answers import range_sentences
from paribus.analysis.range_test import RangeTest, constant_loss, range_tests
from paribus.analysis.results import Results
from tests.analysis.conftest import CLASSIFIERS, GARMENTS, Maker

EPOCHS = 13
RATES = np.geomspace(1e-6, 1.0, EPOCHS)
"""Two for each decade."""
FALLING = [2.3, 2.3, 2.29, 2.25, 2.0, 1.4, 0.9, 0.7, 0.65, 0.64, 0.66, 1.4, 2.3]
"""It falls fastest around 10^-3.5, is lowest at 10^-1.5, and more than doubles at 10^-0.5."""


def made(*runs: tuple[list[float], str], constant: bool = False) -> Results:
    text = CLASSIFIERS.format(replicates=max(1, len(runs)), epochs=EPOCHS, more="")
    text = text.replace("[optimizer]", '[schedule]\nkind = "exponential"\ngamma = 3.1622776601683795\n[optimizer]', 1)
    text = text.replace('schedule = { kind = "multi-step", milestones = [2] }', "network = { hidden = [64] }")
    maker = Maker(text, GARMENTS)
    for replicate, (losses, state) in enumerate(runs):
        artifacts = [maker.labels([10] * 10)] if constant else []
        maker.run(
            "fixed",
            replicate,
            curves={"train_loss": losses, "lr": RATES[: len(losses)].tolist(), "val_accuracy": [0.1] * len(losses)},
            state=state,
            artifacts=artifacts,
        )
    return maker.results()


def only(results: Results) -> RangeTest:
    (test,) = range_tests(results)
    return test


def test_the_first_replicate_that_is_unstable_decides() -> None:
    steady = [*FALLING[:11], 0.7, 0.8]
    test = only(made((steady, "done"), (FALLING, "done")))
    assert test.unstable == pytest.approx(RATES[11])
    assert test.suggestion("largest-stable") == pytest.approx(RATES[10])
    assert test.suggestion("decade-below") == pytest.approx(RATES[9])
    assert (test.low[11], test.high[11], test.mean[11]) == pytest.approx((0.7, 1.4, 1.05))


def test_the_steepest_fall_is_found_below_the_unstable_region() -> None:
    test = only(made((FALLING, "done")))
    smooth = np.array([np.mean(FALLING[max(0, i - 2) : i + 3]) for i in range(EPOCHS)])
    slopes = np.gradient(smooth[:11], np.log10(RATES[:11]))
    assert test.suggestion("steepest") == pytest.approx(RATES[int(np.argmin(slopes))])
    assert 1e-4 <= (test.suggestion("steepest") or 0) <= 1e-3


def test_a_run_that_diverged_is_unstable_where_it_ended() -> None:
    test = only(made((FALLING[:9], "diverged"), ([*FALLING[:11], 0.7, 0.8], "done")))
    assert test.unstable == pytest.approx(RATES[8])
    assert len(test.rates) == EPOCHS


@pytest.mark.parametrize("first", [[], [float("inf")]])
def test_a_run_that_diverged_in_its_first_epoch_is_unstable_from_the_first_rate_on(first: list[float]) -> None:
    test = only(made((first, "diverged"), ([*FALLING[:11], 0.7, 0.8], "done")))
    assert (test.replicates, test.unstable) == (2, pytest.approx(RATES[0]))
    assert range_tests(made((first, "diverged"), (first, "diverged"))) == ()


def test_a_loss_that_stays_at_that_of_a_constant_is_marked() -> None:
    results = made(([*FALLING[:11], 2.31, 2.30], "done"), constant=True)
    assert constant_loss(results, "fixed") == pytest.approx(np.log(10))
    assert only(results).collapsed == pytest.approx(RATES[11])
    assert only(made(([*FALLING[:11], 2.31, 0.9], "done"), constant=True)).collapsed is None
    assert only(made(([*FALLING[:11], 2.31, 2.30], "done"))).collapsed is None  # the classes are not known


def test_without_an_unstable_region_another_rule_suggests() -> None:
    falling = list(np.linspace(2.3, 1.0, EPOCHS))
    results = made((falling, "done"))
    assert only(results).unstable is None
    assert only(results).suggestion("decade-below") is None
    assert only(results).suggestion("largest-stable") == pytest.approx(1.0)
    (sentence,) = range_sentences(results)
    assert "(steepest)" in sentence
    assert "stable in all replicates up to 1" in sentence


def test_other_studies_are_no_range_tests(classifiers: object) -> None:
    maker = Maker(CLASSIFIERS.format(replicates=1, epochs=4, more=""), GARMENTS)
    assert range_tests(maker.results()) == ()
    assert range_tests(made()) == ()
