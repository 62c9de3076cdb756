import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from paribus.data import faces
from paribus.data.pool import whole
from paribus.training.similarity import Similarity, has_ssim, psnr


@pytest.fixture
def pairs():
    clean = whole(faces.pool()).inputs[::80]
    noise = np.random.default_rng(0).normal(0, 0.2, clean.shape)
    return clean, np.clip(clean + noise, 0, 1).astype(np.float32)


def test_ssim_is_that_of_scikit_image(pairs):
    clean, noisy = pairs
    theirs = [
        structural_similarity(a.reshape(64, 64), b.reshape(64, 64), data_range=1.0)
        for a, b in zip(clean.astype(float), noisy.astype(float), strict=True)
    ]
    similarity = Similarity(clean, (64, 64))
    np.testing.assert_allclose(similarity.ssim(noisy), theirs, rtol=1e-9)
    np.testing.assert_allclose(similarity.ssim(clean), 1.0)


@pytest.mark.parametrize("shape", [(3, 8, 20), (1, 7, 7)])
def test_ssim_of_colour_images_is_the_mean_over_channels(shape):
    rng = np.random.default_rng(1)
    clean, other = rng.random((2, 4, int(np.prod(shape))))
    theirs = [
        structural_similarity(a.reshape(shape), b.reshape(shape), data_range=1.0, channel_axis=0)
        for a, b in zip(clean, other, strict=True)
    ]
    np.testing.assert_allclose(Similarity(clean, shape).ssim(other), theirs, rtol=1e-9)


def test_psnr_is_that_of_scikit_image(pairs):
    clean, noisy = (images.astype(float) for images in pairs)
    theirs = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(psnr(((clean - noisy) ** 2).mean(axis=1)), theirs)
    np.testing.assert_allclose(psnr(np.zeros(1)), 100.0)


@pytest.mark.parametrize(("shape", "has"), [((64, 64), True), ((3, 7, 9), True), ((6, 20), False), ((30,), False)])
def test_ssim_needs_room_for_a_window(shape, has):
    assert has_ssim(shape) is has
