"""The random generators that any code can use without being given one: PyTorch's, NumPy's and Python's own.

The layers of `torch.nn` draw from them: initial weights, and dropout. Whoever calls a user's code seeds them for the
call, so that what the code draws depends on the run and the epoch alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Final

import numpy as np
import torch

_LOCK: Final = RLock()


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """The three generators seeded with `key`, an integer of 64 bits, and as they were afterwards.

    They are as after `torch.manual_seed(key)`, `numpy.random.seed([key % 2**32, key // 2**32])` and
    `random.seed(key)`. A process has them once, so one thread at a time is in here.
    """
    with _LOCK:
        ours = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
        torch.default_generator.manual_seed(key)
        np.random.seed([key % 2**32, key // 2**32])  # noqa: NPY002 - for users' code that draws from it
        random.seed(key)
        try:
            yield
        finally:
            torch.set_rng_state(ours[0])
            np.random.set_state(ours[1])  # noqa: NPY002
            random.setstate(ours[2])
