from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from paribus.data.loading import load_splits
from paribus.seeding import Streams
from paribus.spec.data import Data
from paribus.training.principal_components import principal_components


def training_split(**data):
    return load_splits(Data.model_validate(data), Path(), Streams.of_replicate(0, 0)).train


@pytest.fixture(scope="module")
def faces():
    return training_split(source="faces", split="all")


def test_the_figures_of_the_reference(faces):
    pca = principal_components(faces)
    assert pca.mse_by_rank[0] == pytest.approx(0.0235, abs=5e-5)
    assert pca.mse_by_rank[16] == pytest.approx(0.00742, abs=5e-6)
    assert pca.mse_by_rank[64] == pytest.approx(0.00333, abs=5e-6)


@pytest.mark.parametrize("images", [40, 400])
def test_agrees_with_scikit_learn(faces, images):
    some = faces.take(slice(images))
    ours, theirs = principal_components(some), PCA(n_components=20, svd_solver="full").fit(some.inputs.astype(float))
    np.testing.assert_allclose(ours.variance[:20] * images / (images - 1), theirs.explained_variance_, rtol=1e-6)
    cosines = np.abs(np.sum(ours.components[:20] * theirs.components_, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)
    again = theirs.inverse_transform(theirs.transform(some.inputs.astype(float)))
    np.testing.assert_allclose(ours.projected(some.inputs, 20), again, atol=1e-4)
    assert np.mean((again - some.inputs) ** 2) == pytest.approx(ours.mse_by_rank[20], rel=1e-5)


def test_more_images_than_pixels():
    digits = training_split(source="fashion-mnist", split="scarce", limit={"train": 900})
    pca = principal_components(digits)
    theirs = PCA(n_components=10, svd_solver="full").fit(digits.inputs.astype(float))
    np.testing.assert_allclose(pca.variance[:10] * 900 / 899, theirs.explained_variance_, rtol=1e-5)
