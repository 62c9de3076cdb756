"""Principal components of a set of images: eigenfaces, and the error that no linear code of their number can beat.

Turk and Pentland, "Eigenfaces for recognition", J. Cognitive Neuroscience 3 (1991); Eckart and Young, Psychometrika 1
(1936).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Split

MAX_COMPONENTS = 64

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """`mean` (pixel,), orthonormal `components` (component, pixel), `variance` (component,) along each.

    `mse_by_rank` (rank + 1,) is the error per pixel that remains with 0, 1, 2, ... components.
    """

    mean: Matrix
    components: Matrix
    variance: npt.NDArray[np.float64]
    mse_by_rank: npt.NDArray[np.float64]

    def projected(self, images: Matrix, rank: int) -> Matrix:
        """`images` (image, pixel) as the first `rank` components reproduce them."""
        basis = self.components[:rank]
        return np.asarray(self.mean + ((images - self.mean) @ basis.T) @ basis, dtype=np.float32)


@lru_cache(maxsize=32)
def principal_components(split: Split) -> PrincipalComponents:
    """Of the images of `split`, with the mean removed, by the smaller of the two Gram matrices.

    With fewer images than pixels, the eigenvectors of X X' (image x image) give those of X' X (pixel x pixel) as
    X' v / |X' v|, at a small part of the cost.
    """
    centred = split.inputs.astype(np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    count, pixels = centred.shape
    small = count < pixels
    gram = centred @ centred.T if small else centred.T @ centred
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1]
    values = np.clip(values[order], 0.0, None)
    rank = min(MAX_COMPONENTS, count - 1, pixels)
    chosen = vectors[:, order[:rank]]
    components = (centred.T @ chosen if small else chosen).T
    components /= np.maximum(np.linalg.norm(components, axis=1, keepdims=True), np.finfo(float).tiny)
    variance = values[:rank] / count
    total = values.sum() / count
    left = total - np.concatenate([[0.0], np.cumsum(variance)])
    return PrincipalComponents(
        mean=mean.astype(np.float32),
        components=components.astype(np.float32),
        variance=variance,
        mse_by_rank=np.clip(left, 0.0, None) / pixels,
    )
