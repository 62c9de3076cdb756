"""The highest rate that matmuls reach on this machine now, to which every other rate is compared.

Rates are sustained over a while, as in training: other processes of the machine slow both down.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.peers._base import cores

SIZES = (512, 1024, 2048)
SECONDS = 1.2


def peak() -> float:
    """Floating-point operations per second of the fastest float32 matmul found, all cores busy.

    It tries square matrices of several sizes, one matmul on all cores together and one on each core. PyTorch's number
    of threads is as before when it returns.
    """
    threads = torch.get_num_threads()
    try:
        return max(max(_on_all_cores(size), _on_each_core(size)) for size in SIZES)
    finally:
        torch.set_num_threads(threads)


def _on_all_cores(size: int) -> float:
    torch.set_num_threads(cores())
    return _sustained(size)


def _on_each_core(size: int) -> float:
    count = cores()
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return sum(pool.map(_sustained, [size] * count))


def _sustained(size: int) -> float:
    a, b, out = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    torch.mm(a, b, out=out)
    matmuls, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS / len(SIZES) / 2:
        torch.mm(a, b, out=out)
        matmuls += 1
    return 2 * size**3 * matmuls / (time.perf_counter() - start)
