"""What a training step is made of besides products, each beside its definition."""

from __future__ import annotations

import numpy as np

from paribus.training.kernels import pick, squared_error


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


def test_columns_of_an_image_are_judged_alike_in_strips_and_behind_them():
    rows, pixels, begin, columns = 5, 61, 16, 48
    draw = np.random.default_rng(2)
    output, images = (draw.standard_normal((rows, count), dtype=np.float32) for count in (columns, pixels))
    bias = draw.standard_normal(columns, dtype=np.float32)
    live = pixels - begin
    difference = output[:, :live] + bias[:live] - images[:, begin:]
    slope = difference * np.float32(2 / (rows * pixels))
    sums, squares = np.full((2, columns), np.nan, np.float32)
    loss = squared_error(output, bias, sums, images, begin, pixels, squares)
    assert output[:, :live].tobytes() == slope.tobytes()
    assert not output[:, live:].any()
    assert sums[:live].tobytes() == np.add.accumulate(slope)[-1].tobytes()
    assert not sums[live:].any()
    assert loss == sum(map(float, np.add.accumulate(difference**2)[-1])) / (rows * pixels)
