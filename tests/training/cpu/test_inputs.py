"""Gathering a batch: the bits of NumPy's division."""

from __future__ import annotations

import numpy as np

from paribus.training.cpu.inputs import gather


def gathered(pool, divisor, centre, order):
    inputs = np.full((len(order), pool.shape[1] + 16), np.nan, np.float32)
    gather(pool, np.float32(divisor), centre, np.array(order), inputs)
    assert np.isnan(inputs[:, pool.shape[1] :]).all()
    return inputs[:, : pool.shape[1]]


def test_bytes_become_the_quotients_bit_for_bit_less_the_centre():
    levels = np.stack([np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)[::-1]])
    centre = np.random.default_rng(0).random(256, dtype=np.float32)
    for subtracted in (np.zeros(256, np.float32), centre):
        expected = levels[[1, 0, 1]].astype(np.float32) / np.float32(255) - subtracted
        assert gathered(levels, 255, subtracted, [1, 0, 1]).tobytes() == expected.tobytes()


def test_with_the_divisor_one_examples_are_copied_bit_for_bit():
    examples = np.random.default_rng(1).standard_normal((3, 40), dtype=np.float32)
    examples[0, :2] = -0.0, np.finfo(np.float32).tiny
    assert gathered(examples, 1, np.zeros(40, np.float32), [2, 0]).tobytes() == examples[[2, 0]].tobytes()
