import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from paribus.analysis.eigenfaces import floors, moved_units, overlap_curves, overlaps, pca, principal_cosines
from paribus.store.records import Artifact, Snapshot

PIXELS, UNITS, FACES = 4096, 4, 30
CURVES = {"train_loss": [0.3, 0.2, 0.1]}


@pytest.fixture
def faces() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(FACES, 12)) @ rng.normal(size=(12, PIXELS)) + 0.01 * rng.normal(size=(FACES, PIXELS))


def _add(maker, faces, *, arm="plain", replicate=0, encoder=None, decoder=None, start=None, measured=None):
    fit = PCA(n_components=8).fit(faces)
    errors = [np.mean((faces - fit.mean_ - (faces - fit.mean_) @ c.T @ c) ** 2) for c in
              (fit.components_[:n] for n in range(9))]  # fmt: skip
    kept = maker.keep(mean=fit.mean_, components=fit.components_, variance=fit.explained_variance_, mse_by_rank=errors)
    rng = np.random.default_rng(1)
    start = rng.normal(size=(UNITS, PIXELS)) if start is None else start
    encoder = fit.components_[:UNITS] if encoder is None else encoder
    decoder = fit.components_[:UNITS].T if decoder is None else decoder
    snapshots = [
        Snapshot(epoch, "first-layer", maker.keep(fc1_weight=np.asarray(rows, np.float32)))
        for epoch, rows in ((0, start), (3, encoder))
    ]
    maker.run(
        arm,
        replicate,
        curves=CURVES,
        networks={"last": maker.keep(fc1_weight=encoder, fc2_weight=decoder)},
        snapshots=snapshots,
        artifacts=[Artifact("", "pca", kept)],
        measured={("last", name): value for name, value in (measured or {}).items()},
    )
    return fit


def test_principal_angles_are_those_of_scipy() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(5, 40)), rng.normal(size=(3, 40))
    expected = np.sort(np.cos(subspace_angles(one.T, other.T)))[::-1]
    assert principal_cosines(one, other) == pytest.approx(expected, abs=1e-9)


def test_a_space_lies_in_itself_however_it_is_written() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(4, 50))
    assert principal_cosines(rows, rng.normal(size=(4, 4)) @ rows) == pytest.approx(np.ones(4), abs=1e-9)


def test_rows_that_repeat_each_other_span_no_more_than_one() -> None:
    rng = np.random.default_rng(4)
    row = rng.normal(size=(1, 50))
    assert principal_cosines(np.repeat(row, 3, axis=0), rng.normal(size=(5, 50))).shape == (1,)
    assert principal_cosines(np.zeros((3, 50)), row).shape == (0,)


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
        _add(maker, faces, replicate=replicate, encoder=random, start=random)
    found = [overlap for overlap in overlaps(maker.results()) if overlap.where == "encoder"]
    assert np.mean([overlap.share for overlap in found]) == pytest.approx(found[0].chance, rel=0.5)
    assert not [overlap for overlap in overlaps(maker.results()) if overlap.where == "encoder, moved units"]


def test_units_that_left_their_start_are_told_from_those_that_did_not(autoencoders, faces) -> None:
    maker = autoencoders()
    start = np.random.default_rng(1).normal(size=(UNITS, PIXELS))
    encoder = start.copy()
    encoder[2:] = PCA(n_components=2).fit(faces).components_
    _add(maker, faces, start=start, encoder=0.5 * encoder)
    results = maker.results()
    run = results.first("plain")
    assert run is not None
    moved = moved_units(results, run, "last")
    assert moved is not None
    assert moved.tolist() == [False, False, True, True]
    share = next(overlap.share for overlap in overlaps(results) if overlap.where == "encoder, moved units")
    assert share == pytest.approx(0.5, abs=0.01)


def test_the_share_is_followed_from_the_random_start_on(autoencoders, faces) -> None:
    maker = autoencoders()
    _add(maker, faces)
    (curve,) = overlap_curves(maker.results())
    assert curve.epoch.tolist() == [0, 3]
    assert curve.share[0] < 0.01
    assert curve.share[1] == pytest.approx(1.0, abs=1e-4)


def test_the_eigenfaces_are_images(autoencoders, faces) -> None:
    maker = autoencoders()
    fit = _add(maker, faces)
    results = maker.results()
    run = results.first("plain")
    assert run is not None
    found = pca(results, run)
    assert found is not None
    assert found.shape == (64, 64)
    assert found.mse_by_rank[0] == pytest.approx(faces.var(axis=0).mean())
    assert found.components == pytest.approx(fit.components_)


def test_no_error_may_lie_below_that_of_pca_of_the_same_rank(autoencoders, faces) -> None:
    maker = autoencoders()
    _add(maker, faces, measured={"mse": 0.012, "pca_mse": 0.008, "mean_mse": 0.024})
    _add(maker, faces, replicate=1, measured={"mse": 0.007, "pca_mse": 0.008, "mean_mse": 0.024})
    floor = next(floor for floor in floors(maker.results()) if floor.arm == "plain")
    assert floor.rank == UNITS
    assert floor.ratio.values == pytest.approx((1.5, 0.875))
    assert floor.explained.values == pytest.approx((0.75, 1.0625))
    assert floor.below == 1
