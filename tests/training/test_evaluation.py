from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.data.protocols import load_splits
from paribus.training.cohort import fresh_state
from paribus.training.evaluation import Subject, measure
from paribus.training.tracker import Best
from tests.training.conftest import AUTOENCODER, CLASSIFIER, recipe
from tests.training.plain import network


def subject_of(of):
    return Subject(of, 3, 0, load_splits(of.data, seed=3, replicate=0))


def measured(of, weights, open_test=None):
    subject = subject_of(of)
    found = measure(subject, {"last": Best(4, None, weights)}, open_test)
    numbers = {m.name: m.value for m in found.measurements if m.rule == "last"}
    arrays = {name: values for rule, name, values in found.artifacts if rule == "last"}
    return subject, numbers, arrays, found


def test_test_accuracy_is_that_of_the_same_network_in_pytorch():
    of = recipe(
        data={"test_images": 700},
        selection={"rules": ["last"]},
        test={"read_at": ["last"]},
    )
    weights = fresh_state(of, 3, 0).tensors
    opened = []

    def open_test(rule, epoch):
        opened.append((rule, epoch))
        return subject_of(of).splits.test.open("selected snapshot")

    subject, numbers, arrays, _ = measured(of, weights, open_test)
    assert opened == [("last", 4)]
    test = subject.splits.test.open("selected snapshot")
    logits = network(of.network.layers, weights)(torch.tensor(test.inputs))
    labels = torch.tensor(test.labels)
    assert numbers["test_accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert numbers["test_loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert arrays["confusion"]["counts"].sum() == 700
    assert np.trace(arrays["confusion"]["counts"]) == round(numbers["test_accuracy"] * 700)


def test_the_drawer_stays_shut_where_no_reading_is_declared():
    def refuse(rule, epoch):
        raise AssertionError("the drawer was opened")

    of = recipe(selection={"rules": ["last"]})
    _, numbers, _, _ = measured(of, fresh_state(of, 3, 0).tensors, refuse)
    assert "test_accuracy" not in numbers


def test_memorised_counts_wrong_labels_that_are_reproduced():
    base = {**CLASSIFIER, "data": {"protocol": "fashion-mnist/noisy-labels", "label_noise": 0.5, "train_images": 300}}
    of = recipe(base, selection={"rules": ["last"]})
    weights = {name: torch.zeros_like(t) for name, t in fresh_state(of, 3, 0).tensors.items()}
    weights["fc2.bias"][3] = 1.0  # says class 3, whatever it sees
    subject, numbers, _, _ = measured(of, weights)
    train = subject.splits.train
    wrong = train.labels != train.true_labels
    assert numbers["mislabelled"] == pytest.approx(wrong.mean())
    assert numbers["memorised"] == pytest.approx((train.labels[wrong] == 3).mean())
    assert numbers["train_accuracy"] == pytest.approx((train.labels == 3).mean())


def test_dead_and_unmoved_units_are_counted():
    of = recipe(selection={"rules": ["last"]})
    weights = {name: t.clone() for name, t in fresh_state(of, 3, 0).tensors.items()}
    weights["fc1.weight"][5] = -1.0
    weights["fc1.bias"][5] = -1.0  # fires on no picture
    weights["fc1.weight"][6] *= 0.01  # shrunk, and still in the direction of its start
    _, numbers, arrays, _ = measured(of, weights)
    rates = arrays["activity"]["fc1"]
    assert rates[5] == 0
    assert numbers["dead_units"] == (rates == 0).sum()
    assert numbers["hidden_units"] == 32
    assert numbers["unmoved_units"] == 31


def autoencoder(**over):
    return recipe(AUTOENCODER, selection={"rules": ["last"]}, **over)


def test_a_collapsed_autoencoder_shows_one_picture_for_all():
    of = autoencoder()
    weights = {name: torch.zeros_like(t) for name, t in fresh_state(of, 3, 0).tensors.items()}
    subject, numbers, arrays, found = measured(of, weights)
    images = subject.splits.train.inputs
    assert numbers["output_variation"] == 0
    assert numbers["mse"] == pytest.approx(np.mean(np.square(images, dtype=np.float64)), rel=1e-5)
    assert np.ptp(arrays["reconstructions"]["outputs"], axis=0).max() == 0
    pca = next(values for rule, name, values in found.artifacts if name == "pca")
    assert numbers["pca_mse"] == pca["mse_by_rank"][16] < numbers["mean_mse"] == pca["mse_by_rank"][0]


@pytest.mark.parametrize("center", [False, True])
def test_a_linear_code_of_eigenfaces_reaches_the_floor_of_pca(center):
    """Rank-8 PCA as an autoencoder of 16 rectified units, +v and -v for each component."""
    of = autoencoder(data={"center": center})
    subject = subject_of(of)
    from paribus.training.eigenfaces import principal_components

    pca = principal_components(subject.splits.train)
    basis, mean = torch.tensor(pca.components[:8]), torch.tensor(pca.mean)
    encoder = torch.cat([basis, -basis])
    shift = torch.zeros(4096) if center else mean
    weights = {
        "fc1.weight": encoder,
        "fc1.bias": -encoder @ shift,
        "fc2.weight": encoder.T.contiguous(),
        "fc2.bias": shift,
    }
    _, numbers, _, _ = measured(of, weights)
    assert numbers["mse"] == pytest.approx(pca.mse_by_rank[8], rel=1e-3)


def test_denoising_is_measured_against_the_clean_pictures():
    of = autoencoder(denoising={"uniform": [0.4], "zeroed": [0.5]})
    _, numbers, arrays, _ = measured(of, fresh_state(of, 3, 0).tensors)
    assert numbers["noise_mse:uniform-0.4"] > 0
    assert numbers["pca_denoise_mse:uniform-0.4"] < numbers["noise_mse:uniform-0.4"]
    assert arrays["denoising"]["inputs"].shape == (2, 16, 4096)
    zeroed = arrays["denoising"]["inputs"][1]
    assert np.mean(zeroed == 0) == pytest.approx(0.5, abs=0.02)
