import numpy as np
import pytest
import torch

from paribus.data import fashion_mnist
from paribus.data.pool import whole


@pytest.mark.parametrize(("part", "examples"), [("t10k", 10_000), ("train", 60_000)])
def test_both_files_are_read_as_bytes(part, examples):
    pool = fashion_mnist.pool(part)
    assert pool.values.shape == (examples, 784)
    assert (pool.values.dtype, pool.divisor) == (np.uint8, 255)
    assert (pool.values.min(), pool.values.max()) == (0, 255)
    assert pool.shape == (28, 28)
    assert pool.labels.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(pool.labels), [examples // 10] * 10)


def test_pixels_are_divided_as_torch_divides_them():
    part = whole(fashion_mnist.pool("t10k")).take(slice(100))
    as_bytes = torch.from_numpy(part.pool.values[:100].copy())
    np.testing.assert_array_equal(part.inputs, as_bytes.to(torch.float32).div(255).numpy())


def test_a_pool_is_read_once():
    assert fashion_mnist.pool("t10k") is fashion_mnist.pool("t10k")


def test_the_classes_have_their_names():
    assert len(fashion_mnist.CLASSES) == 10
    assert (fashion_mnist.CLASSES[0], fashion_mnist.CLASSES[9]) == ("T-shirt/top", "Ankle boot")
