"""The most that matrix products reach on this machine now: what every share is a share of."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.peers._base import cores

SIZES = (512, 1024, 2048)
SECONDS = 0.4


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
    return _fastest(size)


def _apart(size: int) -> float:
    count = cores()
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return sum(pool.map(_median, [size] * count))


def _fastest(size: int) -> float:
    return 2 * size**3 / min(_times(size))


def _median(size: int) -> float:
    times = sorted(_times(size))
    return 2 * size**3 / times[len(times) // 2]


def _times(size: int) -> list[float]:
    a, b, out = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    torch.mm(a, b, out=out)
    times: list[float] = []
    until = time.perf_counter() + SECONDS / len(SIZES) / 2
    while not times or time.perf_counter() < until:
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        times.append(time.perf_counter() - start)
    return times
