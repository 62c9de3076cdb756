import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from paribus.analysis.outputs import classified, held_out_split, log_probabilities, predicted
from tests.analysis.made_outputs import add, classifiers, random_logits, regressions


def test_probabilities_and_losses_are_pytorchs():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    logits = random_logits(rng, labels, 4)
    maker = classifiers("abcd")
    add(maker, logits, labels=labels)
    found = classified(maker.results(), "one", "test")
    (one,) = found.replicates
    theirs = torch.tensor(logits, dtype=torch.float64)
    np.testing.assert_allclose(one.probabilities, theirs.softmax(1), rtol=1e-12)
    losses = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels), reduction="none")
    np.testing.assert_allclose(one.loss, losses, rtol=1e-12)
    assert one.loss.mean() == pytest.approx(log_loss(labels, one.probabilities))
    assert (one.predicted == logits.argmax(1)).all()
    assert (one.confidence == one.probabilities.max(1)).all()
    assert (one.wrong == (one.predicted != labels)).all()


def test_one_output_stands_for_two_classes():
    logits = np.array([[-2.0], [0.0], [0.5], [30.0]], np.float16)
    labels = np.array([0, 0, 1, 0])
    maker = classifiers(["no", "yes"], loss='loss = "binary-cross-entropy"')
    add(maker, logits, labels=labels)
    (one,) = classified(maker.results(), "one", "test").replicates
    assert one.predicted.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(one.probabilities[:, 1], torch.sigmoid(torch.tensor(logits[:, 0]).double()), rtol=1e-12)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(logits[:, 0]).double(), torch.tensor(labels).double(), reduction="none"
    )
    np.testing.assert_allclose(one.loss, theirs, rtol=1e-9)
    assert one.loss[3] == pytest.approx(30)


def test_logits_at_the_end_of_half_precision_do_not_overflow():
    logs = log_probabilities(np.array([[65504, -65504, 0], [-65504, -65504, -65504]], np.float16))
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs).sum(1), 1)


def test_the_test_split_comes_first_and_validation_stands_in():
    maker = classifiers("ab", replicates=1)
    assert held_out_split(maker.results()) is None
    add(maker, np.eye(2, dtype=np.float16), labels=[0, 1], split="train")
    assert held_out_split(maker.results()) is None
    add(maker, np.eye(2, dtype=np.float16), labels=[0, 1], arm="two", split="validation")
    assert held_out_split(maker.results()) == "validation"
    assert classified(maker.results(), "one", "validation") is None


def test_predictions_keep_their_units_and_targets_their_names():
    maker = regressions(["price", "area"])
    numbers = np.array([[200_000.0, 80], [350_000, 120], [90_000, 41]], np.float32)
    given = numbers + np.array([[1000, -1]], np.float32)
    add(maker, given, numbers=numbers, rows=[5, 9, 2])
    results = maker.results()
    found = predicted(results, "one", "test")
    assert found.targets == ("price", "area")
    assert found.replicates[0].predicted.tolist() == given.tolist()
    assert found.replicates[0].rows.tolist() == [5, 9, 2]
    assert classified(results, "one", "test") is None


def test_outputs_that_are_not_finite_have_no_figures():
    maker = classifiers("ab")
    add(maker, np.array([[1.0, np.nan]], np.float16), labels=[0])
    assert classified(maker.results(), "one", "test") is None


def test_arrays_that_do_not_belong_together_are_no_outputs():
    maker = classifiers("ab")
    add(maker, np.eye(2, dtype=np.float16), labels=[0, 1, 1], rows=[0, 1, 2])
    assert classified(maker.results(), "one", "test") is None
