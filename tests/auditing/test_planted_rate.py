"""The rate of wrong labels by planted flips, in a world in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.analysis.proportions import wilson
from paribus.auditing.calibration import likelihood_ratio, probability_wrong
from paribus.auditing.judging import noise_rate
from paribus.auditing.noise import Noise, concentration
from paribus.auditing.planted_rate import CAUGHT, PlantedFlips, bounded, right_again
from tests.auditing.test_calibration import world


def apart(examples, planted_share, seed=0):
    """A world in which hardly a right label is as suspicious as most wrong ones."""
    suspicion, planted, wrong = world(examples, planted_share, seed)
    return suspicion + 2 * (planted | wrong), planted, wrong


def noise_of(rate, classes=2, sure=200):
    """Noise that a count among `sure` examples has put at `rate`."""
    counts = np.full((classes, classes), 10) + np.diag(np.full(classes, 90))
    interval = wilson(rate, sure)
    assert interval is not None
    return Noise(rate, interval, counts, counts / counts.sum(axis=1, keepdims=True))


def flips_of(suspicion, planted, again=0.0):
    return PlantedFlips(suspicion, planted, np.ones(int(planted.sum())), again, arms=1)


def test_right_labels_as_suspicious_make_it_too_high():
    suspicion, planted, wrong = world(100_000, 0.05)
    found = bounded(noise_of(0.4), flips_of(suspicion, planted)).rate
    assert wrong[~planted].mean() < found < 1.2 * wrong[~planted].mean()


def test_where_the_counts_contradict_each_other_the_lower_one_counts():
    suspicion, planted, wrong = apart(100_000, 0.05)
    found = bounded(noise_of(0.4), flips_of(suspicion, planted))
    assert found.rate == pytest.approx(wrong[~planted].mean(), rel=0.05)
    low = noise_of(0.05)
    assert bounded(low, flips_of(suspicion, planted)) is low


def test_where_they_agree_the_flips_count_by_more_examples():
    suspicion, planted, wrong = apart(3_000, 0.05)
    truth = wrong[~planted].mean()
    for by_chance in (0.8 * truth, 1.2 * truth):
        found = bounded(noise_of(by_chance), flips_of(suspicion, planted))
        assert abs(found.rate - truth) < abs(by_chance - truth) / 2
        assert found.interval.high - found.interval.low < 0.6 * (
            noise_of(by_chance).interval.high - noise_of(by_chance).interval.low
        )


def test_as_many_errors_are_counted_as_no_right_label_disturbs():
    """Nearly all of them where the two kinds are apart, and the most suspicious ones where they overlap."""
    suspicion, planted, _ = apart(100_000, 0.05)
    far = bounded(noise_of(0.4), flips_of(suspicion + 2 * (suspicion > 2), planted))
    assert far.examples_by_flips == pytest.approx(CAUGHT[-1] * 95_000, rel=0.01)
    suspicion, planted, _ = world(100_000, 0.05)
    mixed = bounded(noise_of(0.4), flips_of(suspicion, planted))
    assert mixed.examples_by_flips == pytest.approx(CAUGHT[0] * 95_000, rel=0.01)


def test_its_interval_covers_the_rate():
    inside = 0
    for seed in range(200):
        suspicion, planted, wrong = apart(3_000, 0.05, seed)
        inside += wrong[~planted].mean() in bounded(noise_of(0.4), flips_of(suspicion, planted)).interval
    assert inside >= 180  # of 200; 190 are expected, with a standard deviation of 3.1


def test_no_suspicious_label_gives_no_rate():
    suspicion, planted, _ = world(2_000, 0.05, rate=0.0)
    suspicion[planted] += 100
    found = bounded(noise_of(0.2), flips_of(suspicion, planted))
    assert found.rate == 0
    assert 0 == found.interval.low < found.interval.high < 0.01
    assert noise_rate(found) == 0.5 / (found.examples_by_flips + 1) < noise_rate(noise_of(0.0))
    assert bounded(noise_of(0.0), flips_of(suspicion, planted)).interval == found.interval


def test_without_planted_flips_the_count_stays():
    noise = noise_of(0.2)
    assert bounded(noise, flips_of(np.zeros(5), np.zeros(5, bool))) is noise


def two_classes(examples, rate=0.3, planted_share=0.05):
    """Flips between two classes make a wrong label right again."""
    random = np.random.default_rng(3)
    planted, was_wrong = random.random(examples) < planted_share, random.random(examples) < rate
    wrong = was_wrong ^ planted
    return random.normal(size=examples) + 4 * wrong, planted, wrong


def test_flips_that_are_right_again_are_allowed_for():
    suspicion, planted, wrong = two_classes(200_000)
    plain = bounded(noise_of(0.9), flips_of(suspicion, planted)).rate
    found = bounded(noise_of(0.6), flips_of(suspicion, planted, again=0.3)).rate
    assert found == pytest.approx(0.3, abs=0.01)
    assert plain > 0.4
    ratio = likelihood_ratio(suspicion, planted, np.ones(len(planted)))
    probable = probability_wrong(ratio(suspicion[~planted]), 0.3, 0.3)
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        some = (low <= probable) & (probable < high)
        assert probable[some].mean() == pytest.approx(wrong[~planted][some].mean(), abs=0.1)


def test_how_many_flips_are_right_again_follows_from_the_errors():
    """A third of the labels of class 1 are of class 0, so a third of the flips from 1 to 0 are right."""
    counts = np.array([[80, 40, 0], [0, 80, 0], [0, 0, 100]])
    noise = Noise(0.1, noise_of(0.1).interval, counts, counts / counts.sum(axis=1, keepdims=True))
    before, after = np.array([1, 1, 0, 2]), np.array([0, 0, 2, 1])
    assert right_again(noise, before, after, np.ones(4)) == pytest.approx(2 / 4 * 40 / 120)


def test_errors_to_few_classes_are_told_from_errors_to_all():
    few = 30 * np.roll(np.eye(10, dtype=np.int64), 1, axis=1) + 70 * np.eye(10, dtype=np.int64)
    even = np.full((10, 10), 4) + 60 * np.eye(10, dtype=np.int64)
    assert concentration(few) < 0.1
    assert concentration(few // 30) > 10  # one error of each class says nothing about its others
    assert concentration(even) > 5
