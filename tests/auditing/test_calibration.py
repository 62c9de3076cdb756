"""Probabilities and cuts against a world in which the truth is known: two normal distributions of the suspicion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from paribus.auditing.calibration import cuts_of, likelihood_ratio
from paribus.auditing.judging import judge, noise_rate
from paribus.auditing.noise import estimated_noise, pair_weights, transitions
from paribus.auditing.scores import ArmScores, Scores, suspicion_of, true_probabilities

RATE, APART = 0.1, 3.0


def world(examples, planted_share, seed=0, rate=RATE):
    """Suspicions, which labels are planted, and which of the others are wrong."""
    random = np.random.default_rng(seed)
    planted = random.random(examples) < planted_share
    wrong = (random.random(examples) < rate) & ~planted
    return random.normal(size=examples) + APART * (planted | wrong), planted, wrong


def test_the_ratio_gives_the_probability_that_a_label_is_wrong():
    suspicion, planted, _ = world(400_000, 0.05)
    ratio = likelihood_ratio(suspicion, planted, np.ones(len(planted)))
    at = np.linspace(-1, 4, 11)
    of_wrong, of_right = norm.pdf(at, APART), norm.pdf(at)
    exact = RATE * of_wrong / (RATE * of_wrong + (1 - RATE) * of_right)
    np.testing.assert_allclose(np.minimum(1, RATE * ratio(at)), exact, atol=0.05)


def test_more_suspicious_labels_are_never_less_probably_wrong():
    suspicion, planted, _ = world(300, 0.1, seed=1)
    ratio = likelihood_ratio(suspicion, planted, np.random.default_rng(0).uniform(0.1, 3, len(planted)))
    assert (np.diff(ratio(np.sort(suspicion))) >= 0).all()


def test_a_step_without_any_other_label_leaves_a_doubt():
    suspicion, planted = np.arange(100.0), np.arange(100) >= 95
    ratio = likelihood_ratio(suspicion, planted, np.ones(100))
    assert ratio(np.array([99.0])) == pytest.approx((5 / 5) / (0.5 / 95))
    assert ratio(np.array([-7.0, 3.0])).tolist() == [0.0, 0.0]


def test_cuts_say_what_is_then_found():
    suspicion, planted, wrong = world(200_000, 0.05, seed=2)
    ratio = likelihood_ratio(suspicion, planted, np.ones(len(planted)))
    probabilities = np.minimum(1, RATE * ratio(suspicion))
    own, truth = probabilities[~planted], wrong[~planted]
    for cut in cuts_of(own, probabilities[planted], np.ones(planted.sum()), RATE):
        listed = own >= cut.at_least
        assert cut.suspects == listed.sum()
        assert cut.precision == pytest.approx(truth[listed].mean(), abs=0.03)
        assert cut.recall == pytest.approx(listed[truth].mean(), abs=0.02)
        assert cut.recall_interval.low < cut.recall < cut.recall_interval.high
        assert cut.false_alarms == pytest.approx(listed[~truth].mean(), abs=0.003)


def classified(examples, classes, error, seed=0):
    """Labels with errors by the matrix `error` (true, given), and held-out probabilities that know the truth well."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, examples)
    labels = np.array([random.choice(classes, p=error[true]) for true in truth])
    logits = random.normal(size=(examples, classes))
    logits[np.arange(examples), truth] += 4
    powers = np.exp(logits)
    return labels, truth, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_the_rate_and_the_matrix_are_those_of_the_errors():
    error = np.array([[0.7, 0.3, 0], [0, 1, 0], [0.05, 0.05, 0.9]])
    labels, truth, probabilities = classified(30_000, 3, error)
    noise = estimated_noise(labels, probabilities)
    np.testing.assert_allclose(noise.matrix, error, atol=0.04)
    assert (labels != truth).mean() in noise.interval
    assert noise.interval.high - noise.interval.low < 0.05
    assert 0.3 in noise.cell(0, 1)


def test_intervals_of_the_rate_cover_it():
    error = 0.9 * np.eye(4) + 0.025
    inside = 0
    for seed in range(100):
        labels, _, probabilities = classified(400, 4, error, seed)
        inside += 0.075 in estimated_noise(labels, probabilities).interval
    assert inside >= 88  # 95 are expected, with a standard deviation of 2.2


def test_data_without_an_error_leave_a_small_rate():
    labels, _, probabilities = classified(2_000, 3, np.eye(3))
    noise = estimated_noise(labels, probabilities)
    assert noise.rate < 0.01
    assert 0 < noise_rate(noise) < 0.01


def test_flips_weigh_as_the_errors_between_their_classes_do():
    labels, _, probabilities = classified(6_000, 3, np.array([[0.8, 0.2, 0], [0, 1, 0], [0, 0, 1.0]]))
    noise = estimated_noise(labels, probabilities)
    true, given = np.array([0] * 50 + [0] * 50 + [1] * 100), np.array([1] * 50 + [2] * 50 + [2] * 100)
    weights = pair_weights(noise, true, given)
    assert weights.mean() == pytest.approx(1)
    assert weights[:50].sum() > 20 * weights[50:].sum()


def test_a_label_counts_only_where_it_was_not_flipped():
    """Two arms, of which one has flipped the first ten labels: these labels' suspicion is that of the other arm."""
    random = np.random.default_rng(0)
    labels, _, probabilities = classified(500, 3, np.eye(3))
    flipped = labels.copy()
    flipped[:10] = (labels[:10] + 1) % 3
    arms = [
        ArmScores(name, own, own != labels, random.normal(size=500))
        for name, own in (("given", labels), ("planted-1", flipped))
    ]
    scores = Scores(labels, probabilities, tuple(arms))
    noise = estimated_noise(labels, probabilities)
    judged, matrix = judge(scores, noise), transitions(noise)
    true = true_probabilities(probabilities, matrix)
    of_arms = [suspicion_of(arm.labels, arm.margins, true, matrix) for arm in arms]
    np.testing.assert_allclose(judged.suspicion[:10], of_arms[0][:10])
    np.testing.assert_allclose(judged.suspicion[10:], (of_arms[0] + of_arms[1])[10:] / 2)
    assert len(judged.of_planted) == len(judged.weights) == 10
    other = ArmScores("given", labels, arms[0].planted, -arms[0].margins)
    again = judge(Scores(labels, probabilities, (other, arms[1])), noise)
    assert (again.suspicion[10:] != judged.suspicion[10:]).any()
    np.testing.assert_array_equal(again.probabilities[10:], judged.probabilities[10:])  # from the arm with flips alone


def test_what_networks_learned_from_wrong_labels_is_undone():
    """p = q T, and from p comes q again, as far as numbers of 32 bits allow."""
    error = np.array([[0.7, 0.3, 0], [0, 0.9, 0.1], [0.05, 0.05, 0.9]])
    true = np.random.default_rng(0).dirichlet([5, 5, 5], 50)
    found = true_probabilities((true @ error).astype(np.float32), error)
    np.testing.assert_allclose(found @ error, true @ error, atol=2e-3)
    assert np.abs(found - true).max() < 0.5 * np.abs(true @ error - true).max()


def test_only_errors_that_are_certain_count_more_than_others():
    labels, _, probabilities = classified(9_000, 3, np.array([[0.7, 0.3, 0], [0.02, 0.98, 0], [0, 0, 1.0]]))
    found = transitions(estimated_noise(labels, probabilities))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert 0.1 < found[0, 1] < 0.35
    assert found[1, 0] < 0.08
    assert (found > 0).all()
