"""What single units of an autoencoder of images look like: an eigenface, a smooth image, or noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from paribus.analysis.eigenfaces import Where, autoencoders, pca, pca_rank
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.thresholds import EIGENFACE_COSINE, NOISE_CORRELATION, SMOOTH_CORRELATION
from paribus.analysis.weights import layer_weights


@dataclass(frozen=True)
class WeightPattern:
    """Of the `units` of one run's first layer (encoder) or last (decoder) at the deploy rule, how many look like what.

    A unit's weights to the pixels are an image. `eigenfaces`: the cosine with one of the first eigenfaces, as many as
    the code has units, is at least `EIGENFACE_COSINE`, or at most its negative. `smooth` and `noise`: neighbouring
    pixels correlate by at least `SMOOTH_CORRELATION`, and by less than `NOISE_CORRELATION`; None where examples are no
    images.
    """

    arm: str
    replicate: int
    where: Where
    units: int
    eigenfaces: int
    smooth: int | None
    noise: int | None


@lru_cache(maxsize=4)
def weight_patterns(results: Results) -> tuple[WeightPattern, ...]:
    """Encoder and decoder of every finished autoencoder run that keeps eigenfaces."""
    return tuple(
        found for arm in autoencoders(results) for run in results.finished(arm) for found in _patterns(results, run)
    )


def _patterns(results: Results, run: Run) -> Iterator[WeightPattern]:
    faces, weights = pca(run), layer_weights(results, run, results.deploy(run.arm))
    if faces is None or weights is None:
        return
    first = faces.components[: pca_rank(results, run.arm)]
    spaces: tuple[tuple[Where, npt.NDArray[np.float32]], ...] = (("encoder", weights[0]), ("decoder", weights[-1].T))
    for where, rows in spaces:
        images = np.asarray(rows, np.float64)
        near = _neighbours(images, faces.shape)
        yield WeightPattern(
            arm=run.arm,
            replicate=run.replicate,
            where=where,
            units=len(images),
            eigenfaces=int((np.abs(_unit(images) @ _unit(first).T).max(axis=1, initial=0) >= EIGENFACE_COSINE).sum()),
            smooth=None if near is None else int((near >= SMOOTH_CORRELATION).sum()),
            noise=None if near is None else int((near < NOISE_CORRELATION).sum()),
        )


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def _neighbours(images: npt.NDArray[np.float64], shape: tuple[int, int] | None) -> npt.NDArray[np.float64] | None:
    """How much each image's pixels correlate with those below and to the right of them: (image,)."""
    if shape is None or min(shape) < 2:
        return None
    pixels = images.reshape(-1, *shape)
    pixels = pixels - pixels.mean(axis=(1, 2), keepdims=True)
    variance = np.maximum((pixels**2).mean(axis=(1, 2)), 1e-300)
    down = (pixels[:, 1:] * pixels[:, :-1]).mean(axis=(1, 2))
    right = (pixels[:, :, 1:] * pixels[:, :, :-1]).mean(axis=(1, 2))
    return (down + right) / 2 / variance
