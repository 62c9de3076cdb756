import numpy as np
import pytest
import torch

from paribus.data import fashion_mnist


@pytest.mark.parametrize(("part", "images"), [("t10k", 10_000), ("train", 60_000)])
def test_both_files_are_read_as_the_course_uses_them(part, images):
    pool = fashion_mnist.pool(part)
    assert pool.inputs.shape == (images, 784)
    assert pool.inputs.dtype == np.float32
    assert (pool.inputs.min(), pool.inputs.max()) == (0, 1)
    assert pool.shape == (28, 28)
    assert pool.labels.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(pool.labels), [images // 10] * 10)


def test_pixels_are_divided_as_torch_divides_them():
    pool = fashion_mnist.pool("t10k")
    as_bytes = torch.from_numpy(np.rint(pool.inputs[:100] * 255).astype(np.uint8))
    np.testing.assert_array_equal(pool.inputs[:100], as_bytes.to(torch.float32).div(255).numpy())


def test_a_pool_is_read_once():
    assert fashion_mnist.pool("t10k") is fashion_mnist.pool("t10k")
