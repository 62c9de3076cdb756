import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from paribus.analysis.overlap_history import MAX_EPOCHS, looked_at, overlap_history
from paribus.store.records import Artifact, Snapshot

PIXELS, UNITS = 4096, 4


@pytest.fixture
def growing(autoencoders):
    """Two runs whose weights turn from random ones into eigenfaces over three kept epochs; the third unit vanishes."""
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(30, 12)) @ rng.normal(size=(12, PIXELS))
    fit = PCA(n_components=8).fit(faces)
    maker = autoencoders()
    pca = {"mean": fit.mean_, "components": fit.components_, "variance": fit.explained_variance_}
    kept = maker.keep(**pca, mse_by_rank=np.linspace(1, 0, 9))
    weights = {}
    for replicate in range(2):
        start = rng.normal(size=(UNITS, PIXELS)) / 64
        weights[replicate] = [start, start + fit.components_[:UNITS], fit.components_[:UNITS].copy()]
        weights[replicate][2][2] = 0.0
        snapshots = [
            Snapshot(epoch, "first-layer", maker.keep(fc1_weight=layer))
            for epoch, layer in zip((0, 10, 20), weights[replicate], strict=True)
        ]
        maker.run("plain", replicate, curves={"train_loss": [0.3, 0.2, 0.1]}, snapshots=snapshots,
                  artifacts=[Artifact("", "pca", kept)])  # fmt: skip
    return maker.results(), weights, fit.components_[:UNITS]


def test_the_overlap_is_the_mean_squared_cosine_of_scipy_s_angles(growing):
    results, weights, eigenfaces = growing
    for entry, place in zip(overlap_history(results), range(3), strict=True):
        layers = [layers[place] for layers in weights.values()]
        rows = [layer[np.linalg.norm(layer, axis=1) > 0] for layer in layers]
        theirs = [(np.cos(subspace_angles(row.T, eigenfaces.T)) ** 2).sum() / UNITS for row in rows]
        assert (entry.arm, entry.epoch, entry.n) == ("plain", 10 * place, 2)
        assert entry.mean == pytest.approx(np.mean(theirs), abs=1e-5)
        assert (entry.low, entry.high) == pytest.approx((min(theirs), max(theirs)), abs=1e-5)


def test_chance_is_the_dimension_over_the_pixels_and_not_the_units(growing):
    """Where one of four units has vanished, the weights span three dimensions."""
    results, _, _ = growing
    assert [entry.chance * PIXELS for entry in overlap_history(results)] == [4, 4, 3]


def test_an_arm_without_kept_layers_has_no_history(autoencoders):
    maker = autoencoders()
    maker.run("plain", 0, curves={"train_loss": [0.3, 0.2, 0.1]})
    assert overlap_history(maker.results()) == ()


@pytest.mark.parametrize("kept", [1, 2, MAX_EPOCHS, 31, 151])
def test_the_first_and_the_last_kept_epoch_are_looked_at(kept):
    places = looked_at(kept)
    assert places[0] == 0
    assert places[-1] == kept - 1
    assert places == sorted(set(places))
    assert len(places) <= MAX_EPOCHS
