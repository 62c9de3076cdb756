"""Eigenfaces, and how a network relates to them: the error floor that they set, and the subspace that it shares.

A network whose last layer is linear and fed by `n` numbers puts every output on a flat of dimension n. By Eckart and
Young (1936) no such flat is nearer to the training images, in mean squared error, than the one through their mean and
along their first n principal components: rank-n PCA is a floor under the error of every 4096-n-4096 autoencoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results, Run
from paribus.analysis.weights import first_layer, history, image_shape, network, random_start

Floats = npt.NDArray[np.float64]
Where = Literal["encoder", "encoder, moved units", "decoder"]

START = 0.95
"""A unit still shows its random start while its weights have at least this cosine with it."""
_ROUNDING = 1e-4
"""How far below the floor float32 rounding may put an error, as a share of it."""


@dataclass(frozen=True, eq=False)
class Pca:
    """PCA of the training images: mean (pixel,), components (k, pixel) in falling variance (k,), per-pixel errors.

    `mse_by_rank` is (k + 1,): entry n is the mean squared error per pixel that n components leave, entry 0 the
    variance. `shape` is (height, width) of an image, None where pixels make no image.
    """

    mean: Floats
    components: Floats
    variance: Floats
    mse_by_rank: Floats
    shape: tuple[int, int] | None


@dataclass(frozen=True)
class Floor:
    """An autoencoder's error against rank-`rank` PCA on the same images (`rank` is its narrowest layer).

    `ratio` is error over floor: 1 is perfect, and `below` counts replicates under it, which cannot be but by a fault.
    `explained` is the share of the images' variance that the network explains, out of what PCA explains at that rank.
    """

    arm: str
    rule: str
    rank: int
    mse: Estimate
    pca_mse: Estimate
    mean_mse: Estimate
    ratio: Estimate
    explained: Estimate
    below: int


@dataclass(frozen=True, eq=False)
class Overlap:
    """How much of the space of the first `rank` eigenfaces lies in the space that a layer's weights span.

    `cosines` are those of the principal angles, largest first. `share` is the mean of their squares over the `rank`
    directions: 1 if all eigenfaces lie in the weights' space, 0 if none has any part in it; `chance` is its expectation
    for a random space of the same dimension among all pixels.
    """

    arm: str
    replicate: int
    where: Where
    rule: str
    rank: int
    cosines: Floats
    share: float
    chance: float


@dataclass(frozen=True, eq=False)
class OverlapCurve:
    """The encoder's `share` (see `Overlap`) over the epochs kept: arrays (k,), epoch 0 the random start."""

    arm: str
    replicate: int
    epoch: npt.NDArray[np.int64]
    share: Floats
    chance: float


def pca(results: Results, run: Run) -> Pca | None:
    """The eigenfaces of a run's training images, or None where the run keeps none."""
    kept = results.artifact(run, "", "pca")
    if kept is None:
        return None
    mean, components = np.asarray(kept["mean"], np.float64), np.asarray(kept["components"], np.float64)
    variance, errors = np.asarray(kept["variance"], np.float64), np.asarray(kept["mse_by_rank"], np.float64)
    return Pca(mean, components, variance, errors, image_shape(results, run, len(mean)))


def bottleneck(results: Results, arm: str) -> int:
    """The width of an arm's narrowest layer: the rank that its outputs cannot exceed."""
    return min(results.recipe(arm).network.layers)


def floors(results: Results) -> tuple[Floor, ...]:
    """Every autoencoder arm at every rule, against PCA of the same rank on the same images."""
    arms = [arm for arm in results.arms if results.recipe(arm).network.kind == "autoencoder"]
    return tuple(_floor(results, arm, rule) for arm in arms for rule in results.rules(arm))


def overlaps(results: Results) -> tuple[Overlap, ...]:
    """Encoder and decoder of every finished autoencoder run at its deploy rule, against its bottleneck's eigenfaces."""
    found: list[Overlap] = []
    for arm in results.arms:
        if results.recipe(arm).network.kind != "autoencoder":
            continue
        for run in results.finished(arm):
            faces, layers = pca(results, run), network(results, run, results.deploy(arm))
            if faces is None or layers is None:
                continue
            rank = min(bottleneck(results, arm), len(faces.components))
            first = _row_basis(faces.components[:rank])
            for where, weights in _spaces(results, run, layers):
                cosines, share, chance = _overlap(weights, first)
                found.append(Overlap(arm, run.replicate, where, results.deploy(arm), rank, cosines, share, chance))
    return tuple(found)


def overlap_curves(results: Results) -> tuple[OverlapCurve, ...]:
    """How the encoder of every finished autoencoder run turned towards the eigenfaces, or did not."""
    found: list[OverlapCurve] = []
    for arm in results.arms:
        if results.recipe(arm).network.kind != "autoencoder":
            continue
        for run in results.finished(arm):
            faces, kept = pca(results, run), history(results, run)
            if faces is None or kept is None:
                continue
            first = _row_basis(faces.components[: bottleneck(results, arm)])
            measured = [_overlap(weights, first) for weights in kept.weights]
            shares = np.array([share for _, share, _ in measured])
            found.append(OverlapCurve(arm, run.replicate, kept.epoch, shares, measured[0][2]))
    return tuple(found)


def principal_cosines(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Floats:
    """Cosines of the principal angles between two row spaces, (n, pixel) and (m, pixel): (min of their ranks,).

    The singular values of the product of orthonormal bases (Björck and Golub 1973). Largest first.
    """
    return _cosines(_row_basis(one), _row_basis(other))


def _cosines(ours: Floats, theirs: Floats) -> Floats:
    if not len(ours) or not len(theirs):
        return np.empty(0)
    cosines: Floats = np.linalg.svd(ours @ theirs.T, compute_uv=False).astype(np.float64)
    return np.clip(cosines, 0.0, 1.0)


def _row_basis(rows: npt.NDArray[Any]) -> Floats:
    """An orthonormal basis (rank, pixel) of the rows' space, from the small matrix of their inner products.

    Directions smaller than float32 can tell from the largest (as `numpy.linalg.matrix_rank` has it) do not count.
    """
    wide = np.asarray(rows, np.float64)
    squares, mixing = np.linalg.eigh(wide @ wide.T)
    if not len(squares) or squares[-1] <= 0:
        return wide[:0]
    kept = squares > squares[-1] * (max(wide.shape) * float(np.finfo(np.float32).eps)) ** 2
    return (mixing[:, kept] / np.sqrt(squares[kept])).T @ wide


def _overlap(weights: npt.NDArray[Any], faces: Floats) -> tuple[Floats, float, float]:
    """(cosines, share, chance) of a layer's rows against an orthonormal basis of the eigenfaces' space."""
    basis = _row_basis(weights)
    cosines = _cosines(basis, faces)
    return cosines, float((cosines**2).sum() / len(faces)), len(basis) / faces.shape[1]


def _spaces(
    results: Results, run: Run, layers: dict[str, npt.NDArray[np.float32]]
) -> list[tuple[Where, npt.NDArray[np.float32]]]:
    """The row spaces of interest: fc1, fc1's units that left their start (where known), the last layer's columns."""
    encoder = layers["fc1.weight"]
    last = max((name for name in layers if name.endswith(".weight")), key=lambda name: int(name[2:].split(".")[0]))
    spaces: list[tuple[Where, npt.NDArray[np.float32]]] = [("encoder", encoder)]
    start = random_start(results, run)
    if start is not None:
        moved = encoder[start_cosines(encoder, start) < START]
        if len(moved):
            spaces.append(("encoder, moved units", moved))
    return [*spaces, ("decoder", layers[last].T)]


def start_cosines(weights: npt.NDArray[np.float32], start: npt.NDArray[np.float32]) -> Floats:
    """The cosine of every unit's weights (unit, pixel) with its random start: (unit,), 0 for a unit without weights."""
    now, then = np.asarray(weights, np.float64), np.asarray(start, np.float64)
    lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(then, axis=1)
    return np.divide((now * then).sum(axis=1), lengths, out=np.zeros(len(now)), where=lengths > 0)


def moved_units(results: Results, run: Run, rule: str) -> npt.NDArray[np.bool_] | None:
    """Which first-layer units left their random start by `rule`'s epoch: (unit,); None where epoch 0 was not kept."""
    weights, start = first_layer(results, run, rule), random_start(results, run)
    return None if weights is None or start is None else start_cosines(weights, start) < START


def _floor(results: Results, arm: str, rule: str) -> Floor:
    error, floor, plain = (results.values(arm, rule, name) for name in ("mse", "pca_mse", "mean_mse"))
    ratios = [None if e is None or not f else e / f for e, f in zip(error, floor, strict=True)]
    explained = [
        None if e is None or f is None or m is None or m <= f else (m - e) / (m - f)
        for e, f, m in zip(error, floor, plain, strict=True)
    ]
    below = sum(ratio is not None and ratio < 1 - _ROUNDING for ratio in ratios)
    rank = bottleneck(results, arm)
    return Floor(
        arm, rule, rank, estimate(error), estimate(floor), estimate(plain), estimate(ratios), estimate(explained), below
    )
