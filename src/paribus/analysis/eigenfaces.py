"""Eigenfaces, and how a network relates to them: the error that PCA leaves, and the subspace that both share.

A network whose last layer is linear and fed by `n` numbers puts every output on an affine subspace of dimension n. By
Eckart and Young (1936) no such subspace is nearer to the training examples, in mean squared error, than the one through
their mean and along their first n principal components: the error of rank-n PCA is a lower bound for the error of every
autoencoder with one hidden layer of n units. A deeper one whose narrowest layer, the code, has n units may leave less
where what follows the code is not linear: for it, PCA of rank n is a linear code of the same width, and no bound. Nor
is it one on examples that neither was fitted to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from paribus.analysis.denoising import PREFIX, SplitName
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import EQUAL_VARIANCE
from paribus.analysis.weights import image_shape, layer_weights
from paribus.spec.activations import Identity
from paribus.spec.network import FullyConnected, Module

Floats = npt.NDArray[np.float64]
Where = Literal["encoder", "encoder, moved units", "decoder"]

_ROUNDING = 1e-4
"""How far below the bound float32 rounding may put an error, as a share of it."""


@dataclass(frozen=True, eq=False)
class Pca:
    """PCA of the training examples: mean (pixel,), components (k, pixel) in falling variance (k,), per-pixel errors.

    `mse_by_rank` is (k + 1,): entry n is the mean squared error per pixel that n components leave, entry 0 the
    variance. `shape` is (height, width) of an image, None where the examples are not images.
    """

    mean: Floats
    components: Floats
    variance: Floats
    mse_by_rank: Floats
    shape: tuple[int, int] | None


@dataclass(frozen=True)
class PcaComparison:
    """An autoencoder's error beside that of PCA of rank `rank` on the same examples of `split`.

    PCA is fitted to the training examples, whichever examples it is applied to.

    `is_bound` says whether no such network can have a smaller error. `ratio` is error over PCA's error: where that is a
    bound, 1 is perfect, and `below` counts replicates below it, which only a fault can explain. `explained` is the
    share of the examples' variance that the network explains, of what PCA explains at that rank.
    """

    arm: str
    rule: str
    split: SplitName
    rank: int
    is_bound: bool
    mse: Estimate
    pca_mse: Estimate
    mean_mse: Estimate
    ratio: Estimate
    explained: Estimate
    below: int

    @property
    def excess(self) -> Estimate:
        """The network's error less PCA's, paired by replicate."""
        pairs = zip(self.mse.values, self.pca_mse.values, strict=True)
        return estimate(None if a is None or b is None else a - b for a, b in pairs)


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


def pca(run: Run) -> Pca | None:
    """The eigenfaces of a run's training examples, or None where the run keeps none."""
    kept = run.artifact("", "pca")
    if kept is None:
        return None
    mean, components = np.asarray(kept["mean"], np.float64), np.asarray(kept["components"], np.float64)
    variance, errors = np.asarray(kept["variance"], np.float64), np.asarray(kept["mse_by_rank"], np.float64)
    return Pca(mean, components, variance, errors, image_shape(run))


def pca_rank(results: Results, arm: str) -> int:
    """The rank of the PCA that an autoencoder is compared with.

    It is the width of the narrowest layer, the rank that a linear network cannot exceed, and at most the number of
    components that were recorded (0 where there is one training example only). 0 before a run is recorded.
    """
    widths, run = results.widths(arm), results.first(arm)
    faces = None if run is None else pca(run)
    known = [*(widths or (0,)), *([] if faces is None else [len(faces.components)])]
    return min(known)


def bounded_by_pca(network: FullyConnected) -> bool:
    """Whether the outputs lie in an affine subspace as wide as the narrowest layer: all that follows it is affine.

    Normalisation by running statistics is affine, too.
    """
    narrowest = max(i for i, width in enumerate(network.hidden) if width == min(network.hidden))
    return all(isinstance(one, Identity) for one in network.activations[narrowest + 1 :])


def pca_comparisons(results: Results, split: SplitName = "train") -> tuple[PcaComparison, ...]:
    """Every autoencoder arm at every rule, beside PCA of the same rank on the same examples."""
    ranks = {arm: pca_rank(results, arm) for arm in autoencoders(results)}
    return tuple(
        _comparison(results, arm, rule, rank, split) for arm, rank in ranks.items() for rule in results.rules(arm)
    )


def projected(faces: Pca, images: npt.NDArray[Any], rank: int) -> Floats:
    """`images` (image, pixel) as the first `rank` components reproduce them."""
    basis = faces.components[:rank]
    return faces.mean + ((np.asarray(images, np.float64) - faces.mean) @ basis.T) @ basis


@lru_cache(maxsize=4)
def overlaps(results: Results) -> tuple[Overlap, ...]:
    """Encoder and decoder of every finished autoencoder run at its deploy rule, against as many eigenfaces as units.

    Runs whose training examples do not vary have no eigenfaces and are left out.
    """
    return tuple(
        overlap for arm in autoencoders(results) for run in results.finished(arm) for overlap in _overlaps(results, run)
    )


def autoencoders(results: Results) -> list[str]:
    """The arms that reproduce their inputs."""
    return [arm for arm in results.arms if results.recipe(arm).task == "reconstruction"]


def _overlaps(results: Results, run: Run) -> Iterator[Overlap]:
    faces, weights = pca(run), layer_weights(results, run, results.deploy(run.arm))
    rank = pca_rank(results, run.arm)
    if faces is None or weights is None or faces.mse_by_rank[0] <= EQUAL_VARIANCE:
        return
    basis = row_basis(faces.components[:rank])
    if not len(basis):
        return
    for where, rows in _spaces(results, run, weights):
        ours = row_basis(rows)
        cosines = principal_cosines(ours, basis)
        yield Overlap(
            arm=run.arm,
            replicate=run.replicate,
            where=where,
            rule=results.deploy(run.arm),
            rank=rank,
            cosines=cosines,
            share=float((cosines**2).sum() / len(basis)),
            chance=len(ours) / basis.shape[1],
        )


def _spaces(
    results: Results, run: Run, weights: tuple[npt.NDArray[np.float32], ...]
) -> Iterator[tuple[Where, npt.NDArray[np.float32]]]:
    """The first layer's rows, those of its moved units (where units were recorded), and the last layer's columns."""
    yield "encoder", weights[0]
    units = run.hidden_layers(results.deploy(run.arm)).get(results.layers(run.arm)[0])
    if units is not None and not units.unmoved.all():
        yield "encoder, moved units", weights[0][~units.unmoved]
    yield "decoder", weights[-1].T


def principal_cosines(ours: Floats, theirs: Floats) -> Floats:
    """Cosines of the principal angles between two spaces given by orthonormal bases, (n, pixel) and (m, pixel).

    They are the singular values of the product of the bases (Björck and Golub 1973): min(n, m) of them, largest first.
    """
    if not len(ours) or not len(theirs):
        return np.empty(0)
    cosines: Floats = np.linalg.svd(ours @ theirs.T, compute_uv=False).astype(np.float64)
    return np.clip(cosines, 0.0, 1.0)


def row_basis(rows: npt.NDArray[Any]) -> Floats:
    """An orthonormal basis (rank, pixel) of the rows' space, from the small matrix of their inner products.

    Directions smaller than float32 can tell from the largest (as `numpy.linalg.matrix_rank` has it) do not count.
    """
    wide = np.asarray(rows, np.float64)
    squares, mixing = np.linalg.eigh(wide @ wide.T)
    if not len(squares) or squares[-1] <= 0:
        return wide[:0]
    kept = squares > squares[-1] * (max(wide.shape) * float(np.finfo(np.float32).eps)) ** 2
    return (mixing[:, kept] / np.sqrt(squares[kept])).T @ wide


def _comparison(results: Results, arm: str, rule: str, rank: int, split: SplitName) -> PcaComparison:
    names = (f"{PREFIX[split]}{name}" for name in ("mse", "pca_mse", "mean_mse"))
    error, bound, plain = (results.values(arm, rule, name) for name in names)
    ratios = [None if e is None or not b else e / b for e, b in zip(error, bound, strict=True)]
    explained = [
        None if e is None or b is None or m is None or m <= b else (m - e) / (m - b)
        for e, b, m in zip(error, bound, plain, strict=True)
    ]
    network = results.recipe(arm).network
    is_bound = split == "train" and not isinstance(network, Module) and bounded_by_pca(network)
    return PcaComparison(
        arm=arm,
        rule=rule,
        split=split,
        rank=rank,
        is_bound=is_bound,
        mse=estimate(error),
        pca_mse=estimate(bound),
        mean_mse=estimate(plain),
        ratio=estimate(ratios),
        explained=estimate(explained),
        below=sum(ratio is not None and ratio < 1 - _ROUNDING for ratio in ratios) if is_bound else 0,
    )
