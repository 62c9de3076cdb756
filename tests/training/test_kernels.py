"""What a training step is made of besides products, each beside its definition."""

from __future__ import annotations

import numpy as np

from paribus.training.kernels import pick


def picked(pool, divisor, center, order):
    inputs = np.full((len(order), pool.shape[1] + 16), np.nan, np.float32)
    pick(pool, np.float32(divisor), center, np.array(order), inputs)
    return inputs[:, : pool.shape[1]]


def test_an_image_is_the_quotient_bit_for_bit_less_the_center():
    levels = np.stack([np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)[::-1]])
    center = np.random.default_rng(0).random(256, dtype=np.float32)
    for middle in (np.zeros(256, np.float32), center):
        expected = levels[[1, 0, 1]].astype(np.float32) / np.float32(255) - middle
        assert picked(levels, 255, middle, [1, 0, 1]).tobytes() == expected.tobytes()


def test_an_image_over_one_is_itself():
    images = np.random.default_rng(1).standard_normal((3, 40), dtype=np.float32)
    images[0, :2] = -0.0, np.finfo(np.float32).tiny
    assert picked(images, 1, np.zeros(40, np.float32), [2, 0]).tobytes() == images[[2, 0]].tobytes()
