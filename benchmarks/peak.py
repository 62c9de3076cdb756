"""The most that matrix products reach on this machine now: what every share is a share of.

Rates are sustained ones: as a training does, a product meets what else the machine is doing.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.peers._base import cores

SIZES = (512, 1024, 2048)
SECONDS = 1.2


def peak() -> float:
    """Floating-point operations per second of the fastest float32 product found, all cores busy.

    Square products of several sizes, each on all cores together and one a core; leaves PyTorch's threads as they were.
    """
    threads = torch.get_num_threads()
    try:
        return max(max(_together(size), _apart(size)) for size in SIZES)
    finally:
        torch.set_num_threads(threads)


def _together(size: int) -> float:
    torch.set_num_threads(cores())
    return _sustained(size)


def _apart(size: int) -> float:
    count = cores()
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return sum(pool.map(_sustained, [size] * count))


def _sustained(size: int) -> float:
    a, b, out = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    torch.mm(a, b, out=out)
    products, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS / len(SIZES) / 2:
        torch.mm(a, b, out=out)
        products += 1
    return 2 * size**3 * products / (time.perf_counter() - start)
