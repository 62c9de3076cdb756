import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from paribus.analysis.autoencoder_answers import bounds
from paribus.analysis.eigenfaces import bounded_by_pca, overlaps, pca, pca_comparisons, pca_rank
from paribus.spec.network import Autoencoder
from paribus.store.records import Artifact

PIXELS, UNITS, FACES = 4096, 4, 30
CURVES = {"train_loss": [0.3, 0.2, 0.1]}


@pytest.fixture
def faces() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(FACES, 12)) @ rng.normal(size=(12, PIXELS)) + 0.01 * rng.normal(size=(FACES, PIXELS))


def _add(maker, faces, *, arm="plain", replicate=0, encoder=None, decoder=None, unmoved=0, measured=None):
    """A run with the PCA of `faces`; its first `unmoved` units are close to their initial weights."""
    fit = PCA(n_components=8).fit(faces)
    errors = [np.mean((faces - fit.mean_ - (faces - fit.mean_) @ c.T @ c) ** 2) for c in
              (fit.components_[:n] for n in range(9))]  # fmt: skip
    kept = maker.keep(mean=fit.mean_, components=fit.components_, variance=fit.explained_variance_, mse_by_rank=errors)
    encoder = fit.components_[:UNITS] if encoder is None else encoder
    decoder = fit.components_[:UNITS].T if decoder is None else decoder
    maker.run(
        arm,
        replicate,
        curves=CURVES,
        networks={"last": maker.keep(fc1_weight=encoder, fc2_weight=decoder)},
        artifacts=[Artifact("", "pca", kept), maker.units("last", dead=0, unmoved=unmoved, of=len(encoder))],
        measured={("last", name): value for name, value in (measured or {}).items()},
    )
    return fit


def test_principal_angles_are_those_of_scipy(autoencoders, faces) -> None:
    maker = autoencoders()
    rng = np.random.default_rng(2)
    encoder = rng.normal(size=(UNITS, 8)) @ PCA(n_components=8).fit(faces).components_
    encoder += 0.01 * rng.normal(size=encoder.shape)
    fit = _add(maker, faces, encoder=encoder)
    found = next(overlap for overlap in overlaps(maker.results()) if overlap.where == "encoder")
    expected = np.sort(np.cos(subspace_angles(encoder.T, fit.components_[:UNITS].T)))[::-1]
    assert found.cosines == pytest.approx(expected, abs=1e-5)
    assert found.share == pytest.approx(float((expected**2).mean()), abs=1e-5)


def test_rows_that_repeat_each_other_span_no_more_than_one(autoencoders, faces) -> None:
    maker = autoencoders()
    row = np.random.default_rng(4).normal(size=(1, PIXELS))
    _add(maker, faces, encoder=np.repeat(row, UNITS, axis=0), decoder=np.zeros((PIXELS, UNITS)))
    found = {overlap.where: overlap for overlap in overlaps(maker.results())}
    assert found["encoder"].cosines.shape == (1,)
    assert found["encoder"].chance == 1 / PIXELS
    assert (found["decoder"].cosines.shape, found["decoder"].share) == ((0,), 0.0)


def test_weights_that_span_the_eigenfaces_share_all_of_their_space(autoencoders, faces) -> None:
    maker = autoencoders()
    mixing = np.random.default_rng(5).normal(size=(UNITS, UNITS))
    _add(maker, faces, encoder=mixing @ PCA(n_components=UNITS).fit(faces).components_)
    found = {overlap.where: overlap for overlap in overlaps(maker.results())}
    assert set(found) == {"encoder", "encoder, moved units", "decoder"}
    assert found["encoder"].share == pytest.approx(1.0, abs=1e-4)
    assert found["decoder"].share == pytest.approx(1.0, abs=1e-4)
    assert found["encoder"].chance == pytest.approx(UNITS / PIXELS)


def test_a_random_encoder_shares_what_chance_gives(autoencoders, faces) -> None:
    maker = autoencoders(replicates=8)
    for replicate in range(8):
        random = np.random.default_rng(replicate).normal(size=(UNITS, PIXELS))
        _add(maker, faces, replicate=replicate, encoder=random, unmoved=UNITS)
    found = [overlap for overlap in overlaps(maker.results()) if overlap.where == "encoder"]
    assert np.mean([overlap.share for overlap in found]) == pytest.approx(found[0].chance, rel=0.5)
    assert not [overlap for overlap in overlaps(maker.results()) if overlap.where == "encoder, moved units"]


def test_moved_units_are_compared_without_those_that_are_close_to_their_initial_weights(autoencoders, faces) -> None:
    maker = autoencoders()
    encoder = np.random.default_rng(1).normal(size=(UNITS, PIXELS))
    encoder[2:] = PCA(n_components=2).fit(faces).components_
    _add(maker, faces, encoder=0.5 * encoder, unmoved=2)
    share = next(overlap.share for overlap in overlaps(maker.results()) if overlap.where == "encoder, moved units")
    assert share == pytest.approx(0.5, abs=0.01)


def test_the_eigenfaces_are_images(autoencoders, faces) -> None:
    maker = autoencoders()
    fit = _add(maker, faces)
    results = maker.results()
    run = results.first("plain")
    assert run is not None
    found = pca(run)
    assert found is not None
    assert found.shape == (64, 64)
    assert found.mse_by_rank[0] == pytest.approx(faces.var(axis=0).mean())
    assert found.components == pytest.approx(fit.components_)


def test_no_error_may_lie_below_that_of_pca_of_the_same_rank(autoencoders, faces) -> None:
    maker = autoencoders()
    _add(maker, faces, measured={"mse": 0.012, "pca_mse": 0.008, "mean_mse": 0.024})
    _add(maker, faces, replicate=1, measured={"mse": 0.007, "pca_mse": 0.008, "mean_mse": 0.024})
    found = next(found for found in pca_comparisons(maker.results()) if found.arm == "plain")
    assert found.rank == UNITS
    assert found.ratio.values == pytest.approx((1.5, 0.875))
    assert found.explained.values == pytest.approx((0.75, 1.0625))
    assert found.below == 1


@pytest.mark.parametrize(
    ("hidden", "activation", "bounded"),
    [
        ([4], "relu", True),
        ([16, 4], "relu", True),
        ([16, 4, 16], "relu", False),
        ([16, 4, 16], ["relu", "relu", "identity"], True),
        ([4, 16, 4], "tanh", True),
        ([4, 4], "tanh", True),
        ([4, 16], "tanh", False),
    ],
)
def test_pca_is_a_bound_where_what_follows_the_narrowest_layer_is_linear(hidden, activation, bounded) -> None:
    network = Autoencoder.model_validate({"kind": "autoencoder", "hidden": hidden, "activation": activation})
    assert bounded_by_pca(network) == bounded


def test_a_deep_autoencoder_may_leave_less_than_pca(autoencoders, faces) -> None:
    maker = autoencoders(more='[[arms]]\nname = "deep"\nnetwork = { hidden = [16, 4, 16] }')
    figures = {"mse": 0.007, "pca_mse": 0.008, "mean_mse": 0.024}
    _add(maker, faces, measured={**figures, "mse": 0.009})
    _add(maker, faces, arm="deep", measured=figures)
    results = maker.results()
    found = {found.arm: found for found in pca_comparisons(results)}
    assert (found["plain"].is_bound, found["deep"].is_bound, found["deep"].rank) == (True, False, UNITS)
    assert found["deep"].below == 0
    lines = " ".join(bounds(results))
    assert "PCA is no bound for deep" in lines
    assert "none of the other networks has a smaller error" in lines
    assert "wrong" not in lines


def test_the_rank_is_at_most_the_number_of_components(autoencoders, faces) -> None:
    wide = '[[arms]]\nname = "wide"\nnetwork = { hidden = [16, 100] }'
    maker = autoencoders(more=wide)
    _add(maker, faces)
    _add(maker, faces, arm="wide")
    results = maker.results()
    assert (pca_rank(results, "plain"), pca_rank(results, "wide"), pca_rank(results, "centred")) == (UNITS, 8, 0)


@pytest.mark.parametrize("images", [np.full((1, PIXELS), 0.3), np.full((5, PIXELS), 0.3), np.zeros((5, PIXELS))])
def test_examples_that_do_not_vary_have_no_eigenfaces_to_compare_with(autoencoders, images) -> None:
    """One example has no component at all, and equal ones have components without variance."""
    maker = autoencoders(replicates=1)
    rank = min(4, len(images) - 1)
    kept = maker.keep(
        mean=images[0], components=np.zeros((rank, PIXELS)), variance=np.zeros(rank), mse_by_rank=np.zeros(rank + 1)
    )
    weights = np.ones((UNITS, PIXELS))
    measured = {("last", "mse"): 0.01, ("last", "pca_mse"): 0.0, ("last", "mean_mse"): 0.0}
    maker.run(
        "plain",
        0,
        curves=CURVES,
        networks={"last": maker.keep(fc1_weight=weights, fc2_weight=weights.T)},
        artifacts=[Artifact("", "pca", kept)],
        measured=measured,
    )
    results = maker.results()
    assert overlaps(results) == ()
    found = next(found for found in pca_comparisons(results) if found.arm == "plain")
    assert (found.mse.mean, found.ratio.n, found.explained.n) == (0.01, 0, 0)
