"""Figures of a classifier's outputs against scikit-learn's, and the calibration error against the plain definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from paribus.spec.losses import BinaryCrossEntropy, CrossEntropy
from paribus.training.classification import calibration_error, classification_scores, confusion_matrix, probabilities
from paribus.training.inference import predicted_classes


def outputs_and_labels(classes, examples=400, seed=1):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, examples)
    width = 1 if classes == 1 else classes
    outputs = random.normal(size=(examples, width)) * 2
    outputs[np.arange(examples), labels % width] += 1.5
    return outputs.astype(np.float32), labels


def scores(outputs, labels, loss=None):
    loss = loss or CrossEntropy()
    return classification_scores(probabilities(outputs, loss), labels, predicted_classes(outputs, loss))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_figures_are_scikit_learns(classes):
    outputs, labels = outputs_and_labels(classes)
    found, predicted = scores(outputs, labels), outputs.argmax(1)
    shares = torch.tensor(outputs).double().softmax(1).numpy()
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, shares))
    if classes == 2:
        assert found["auroc"] == pytest.approx(metrics.roc_auc_score(labels, shares[:, 1]))
    else:
        own = [metrics.roc_auc_score(labels == one, shares[:, one]) for one in range(classes)]
        assert found["auroc"] == pytest.approx(np.mean(own))
    np.testing.assert_array_equal(
        confusion_matrix(labels, predicted, classes), metrics.confusion_matrix(labels, predicted)
    )


def test_equal_scores_count_half():
    outputs, labels = outputs_and_labels(3)
    coarse = np.round(outputs)  # many ties, also between examples of different classes
    shares = probabilities(coarse, CrossEntropy())
    assert scores(coarse, labels)["auroc"] == pytest.approx(metrics.roc_auc_score(labels, shares, multi_class="ovr"))


def test_a_certain_mistake_has_the_log_loss_of_the_smallest_probability():
    outputs, labels = outputs_and_labels(3)
    outputs[0] = [-1e4, 0, 0]
    labels[0] = 0
    shares = probabilities(outputs, CrossEntropy())
    assert scores(outputs, labels)["log_loss"] == pytest.approx(metrics.log_loss(labels, shares))


def test_a_single_output_has_the_figures_of_two_classes():
    outputs, labels = outputs_and_labels(2)
    single = outputs[:, 1:] - outputs[:, :1]
    assert scores(single, labels, BinaryCrossEntropy(kind="binary-cross-entropy")) == pytest.approx(
        scores(outputs, labels)
    )


def test_without_a_class_the_area_is_undefined_and_the_others_are_not():
    outputs, labels = outputs_and_labels(4)
    kept = labels != 2
    found = scores(outputs[kept], labels[kept])
    assert math.isnan(found["auroc"])
    predicted = outputs[kept].argmax(1)
    theirs = metrics.recall_score(labels[kept], predicted, average=None, labels=[0, 1, 3])
    assert found["balanced_accuracy"] == pytest.approx(theirs.mean())
    f1 = metrics.f1_score(labels[kept], predicted, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(f1)
    assert found["log_loss"] > 0


def test_a_single_class_has_figures():
    found = scores(np.ones((5, 1), np.float32), np.zeros(5, np.int64))
    assert (found["balanced_accuracy"], found["macro_f1"], found["log_loss"], found["ece"]) == (1, 1, 0, 0)
    assert math.isnan(found["auroc"])


def test_outputs_that_are_not_finite_have_no_figures():
    outputs, labels = outputs_and_labels(3)
    outputs[7, 1] = np.inf
    assert all(math.isnan(value) for value in scores(outputs, labels).values())


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_calibration_error_is_the_sum_over_bins_of_its_definition(classes, seed):
    outputs, labels = outputs_and_labels(classes, seed=seed)
    shares, predicted = probabilities(outputs, CrossEntropy()), outputs.argmax(1)
    confidence, expected = shares.max(1), 0.0
    for low in range(15):
        own = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if own.any():
            expected += own.mean() * abs((predicted == labels)[own].mean() - confidence[own].mean())
    assert calibration_error(shares, labels, predicted) == pytest.approx(expected)
    assert 0 < expected < 1


def test_a_sure_and_right_classifier_has_no_calibration_error():
    shares = np.eye(3)[[0, 1, 2, 1]]
    assert calibration_error(shares, np.array([0, 1, 2, 1]), np.array([0, 1, 2, 1])) == 0
    assert calibration_error(shares, np.array([1, 2, 0, 0]), np.array([0, 1, 2, 1])) == 1
