import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from paribus.analysis.calibration import calibration
from paribus.analysis.outputs import classified
from paribus.spec.metrics import CALIBRATION_BINS
from tests.analysis.made_outputs import add, classifiers, random_logits


def test_bins_are_scikit_learns_and_the_error_is_their_weighted_gap():
    maker, rng = classifiers("abcde"), np.random.default_rng(1)
    confidences, rights, errors = [], [], []
    for replicate in range(3):
        labels = rng.integers(0, 5, 2000)
        logits = random_logits(rng, labels, 5)
        add(maker, logits, labels=labels, replicate=replicate)
        probabilities = torch.tensor(logits).double().softmax(1).numpy()
        confidences.append(probabilities.max(1))
        rights.append(probabilities.argmax(1) == labels)
        accuracy, confidence = calibration_curve(rights[-1], confidences[-1], n_bins=CALIBRATION_BINS)
        counts, _ = np.histogram(confidences[-1], bins=CALIBRATION_BINS, range=(0, 1))
        errors.append(np.sum(counts[counts > 0] * np.abs(accuracy - confidence)) / 2000)
    found = calibration(classified(maker.results(), "one", "test"))
    accuracy, confidence = calibration_curve(
        np.concatenate(rights), np.concatenate(confidences), n_bins=CALIBRATION_BINS
    )
    filled = [part for part in found.bins if part.examples]
    assert [part.accuracy for part in filled] == pytest.approx(accuracy)
    assert [part.confidence for part in filled] == pytest.approx(confidence)
    assert found.error.values == pytest.approx(errors)
    assert sum(part.right + part.wrong for part in found.bins) == pytest.approx(2000)
    assert found.accuracy.mean == pytest.approx(np.mean(rights))


def test_a_sure_and_right_network_is_calibrated():
    maker = classifiers(["no", "yes"], loss='loss = "binary-cross-entropy"')
    add(maker, np.array([[-60.0], [60.0]], np.float16), labels=[0, 1])
    found = calibration(classified(maker.results(), "one", "test"))
    assert found.error.mean == pytest.approx(0, abs=1e-9)
    last = found.bins[-1]
    assert (last.right, last.wrong, last.high) == (2, 0, 1)
    assert found.bins[0].accuracy is None
    assert last.sampling.low < 0.5  # two examples say little
