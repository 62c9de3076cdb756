from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from paribus.analysis.answers import answer
from paribus.analysis.weight_answers import weight_sentences
from paribus.analysis.weight_patterns import weight_patterns
from paribus.store.records import Artifact

SIDE, UNITS = 64, 4
CURVES = {"train_loss": [0.3, 0.2, 0.1]}


@pytest.fixture(scope="module")
def fit() -> PCA:
    """PCA of images that are smooth: sums of a few slow waves."""
    random = np.random.default_rng(0)
    place = np.arange(SIDE) / SIDE
    waves = [np.outer(np.cos(np.pi * a * place), np.cos(np.pi * b * place)).ravel() for a in (1, 2) for b in (0, 1, 2)]
    return PCA(n_components=UNITS).fit(random.normal(size=(30, len(waves))) @ np.array(waves))


def add(maker, fit, arm, encoder, decoder, replicate=0) -> None:
    """A run with these weights, as rows (unit, pixel)."""
    kept = maker.keep(
        mean=fit.mean_, components=fit.components_, variance=fit.explained_variance_, mse_by_rank=np.arange(5, 0, -1.0)
    )
    maker.run(
        arm,
        replicate,
        curves=CURVES,
        networks={"last": maker.keep(fc1_weight=encoder, fc2_weight=decoder.T)},
        artifacts=[Artifact("", "pca", kept), maker.units("last", dead=0, unmoved=0, of=UNITS)],
    )


def test_units_are_counted_by_what_their_weights_look_like(autoencoders, fit) -> None:
    maker, noise = autoencoders(), np.random.default_rng(1).normal(size=(UNITS, SIDE * SIDE))
    mixed = np.array([[1, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1.0]]) @ fit.components_
    encoder = np.concatenate([-3 * fit.components_[:1], mixed[:1], noise[:2]])
    add(maker, fit, "plain", encoder, mixed)
    found = {one.where: (one.eigenfaces, one.smooth, one.noise) for one in weight_patterns(maker.results())}
    assert found == {"encoder": (1, 2, 2), "decoder": (0, 4, 0)}


def test_the_correlation_of_neighbours_is_numpys(autoencoders, fit) -> None:
    """A moving average over two pixels correlates by one half: neither smooth nor noise."""
    noise = np.random.default_rng(2).normal(size=(UNITS, SIDE + 1, SIDE + 1))
    blurred = noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + noise[:, :-1, :-1]
    assert np.corrcoef(blurred[0, 1:].ravel(), blurred[0, :-1].ravel())[0, 1] == pytest.approx(0.5, abs=0.05)
    maker = autoencoders()
    add(maker, fit, "plain", blurred.reshape(UNITS, -1), blurred.reshape(UNITS, -1))
    assert {(one.smooth, one.noise) for one in weight_patterns(maker.results())} == {(0, 0)}


def test_the_answer_says_what_the_weights_show(autoencoders, fit) -> None:
    maker, random = autoencoders(), np.random.default_rng(3)
    for replicate in range(2):
        noise = random.normal(size=(UNITS, SIDE * SIDE))
        add(maker, fit, "plain", noise, noise, replicate)
        add(maker, fit, "centred", fit.components_, fit.components_, replicate)
    span, single = weight_sentences(maker.results())
    assert span == (
        "Decoder weights span 100 % of the space of as many eigenfaces with centred, and 0 % with plain; encoder "
        "weights span 0 to 100 %."
    )
    assert single == (
        "Of 16 decoder units, 8 are smooth images, 8 resemble a single eigenface (cosine of 0.9 or more); "
        "encoder units that look like noise: 8 of 8 with plain."
    )


def test_where_all_is_well_no_unit_looks_like_noise(autoencoders, fit) -> None:
    maker = autoencoders()
    add(maker, fit, "plain", fit.components_, fit.components_)
    span, single = weight_sentences(maker.results())
    assert span == (
        "Decoder weights span 100 % of the space of as many eigenfaces with plain; encoder weights span 100 %."
    )
    assert single.endswith("; no encoder unit looks like noise.")


def test_without_eigenfaces_nothing_is_said(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0))
    assert weight_sentences(maker.results()) == []
    assert answer(maker.results()).headline
