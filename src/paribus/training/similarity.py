"""How similar reconstructed images are to clean ones: PSNR and SSIM, image by image.

SSIM is that of Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment" (2004), as scikit-image computes it by
default: uniform windows of 7 x 7 pixels, of which only those that lie wholly within the image count, and sample
covariances.
"""

from __future__ import annotations

from typing import Final, final

import numpy as np
import numpy.typing as npt

WINDOW: Final = 7
"""Pixels along each side of a window."""
SMALLEST_ERROR: Final = 1e-10
"""A mean squared error below this counts as this: the PSNR of equal images would be infinite. It is 100 dB."""
_C1, _C2 = 0.01**2, 0.03**2

Doubles = npt.NDArray[np.float64]
Images = npt.NDArray[np.floating]


def psnr(errors: Doubles) -> Doubles:
    """The peak signal-to-noise ratio in dB of images with values in [0, 1], from their mean squared errors (image,)."""
    return -10.0 * np.log10(np.maximum(errors, SMALLEST_ERROR))


def has_ssim(shape: tuple[int, ...]) -> bool:
    """Whether examples of this shape are images with room for a window."""
    return len(shape) in (2, 3) and min(shape[-2:]) >= WINDOW


@final
class Similarity:
    """Compares images with the same clean ones again and again, so that their windows are summed once."""

    def __init__(self, clean: Images, shape: tuple[int, ...]) -> None:
        """`clean` is (image, pixel) in [0, 1]; `shape` is that of one image, for which `has_ssim`."""
        self._shape = shape
        self._clean = self._planes(clean)
        self._mean = _window_means(self._clean)
        self._variance = _sample(_window_means(self._clean**2) - self._mean**2)

    def ssim(self, images: Images) -> Doubles:
        """The structural similarity (image,) of `images` (image, pixel) with the clean ones; of channels, their mean.

        With means m, variances v and covariance c of two images in a window:
        (2 m1 m2 + C1) (2 c + C2) / ((m1^2 + m2^2 + C1) (v1 + v2 + C2)), averaged over the windows.
        """
        planes = self._planes(images)
        mean = _window_means(planes)
        variance = _sample(_window_means(planes**2) - mean**2)
        covariance = _sample(_window_means(planes * self._clean) - mean * self._mean)
        above = (2 * mean * self._mean + _C1) * (2 * covariance + _C2)
        below = (mean**2 + self._mean**2 + _C1) * (variance + self._variance + _C2)
        return np.asarray((above / below).mean(axis=(1, 2)).reshape(len(images), -1).mean(axis=1))

    def _planes(self, images: Images) -> Doubles:
        """(image * channel, row, column)."""
        return np.asarray(images, np.float64).reshape(-1, *self._shape[-2:])


def _window_means(planes: Doubles) -> Doubles:
    """The mean over each window that lies within the planes (plane, row, column): (plane, row - 6, column - 6).

    Averaging 7 rows is a matmul with a banded matrix, and so is averaging 7 columns.
    """
    rows, columns = (_averaging(side) for side in planes.shape[1:])
    return rows @ planes @ columns.T


def _averaging(side: int) -> Doubles:
    """(side - WINDOW + 1, side): row i averages entries i to i + WINDOW - 1."""
    windows = side - WINDOW + 1
    found = np.zeros((windows, side))
    for i in range(windows):
        found[i, i : i + WINDOW] = 1 / WINDOW
    return found


def _sample(population: Doubles) -> Doubles:
    """Sample variances and covariances of windows from those of populations."""
    return population * (WINDOW**2 / (WINDOW**2 - 1))
