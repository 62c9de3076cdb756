"""Every random draw of paribus starts here: a seed for a purpose, never a global generator.

A seed depends on the study's own seed, the replicate and the purpose, and on nothing else. Arms of one replicate
therefore share their split, their noise, their data order and, where their shapes agree, their initial weights:
all else equal.
"""

from __future__ import annotations

import hashlib

import numpy as np

SPLIT = "split"
LABEL_NOISE = "label-noise"
PIXEL_NOISE = "pixel-noise"
INIT = "init"
ORDER = "order"
DROPOUT = "dropout"


def derive(seed: int, replicate: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for `purpose` in one replicate; `counters` (epoch, layer) give independent streams within it.

    Counting instead of drawing on is what lets an interrupted run go on without a generator's state.
    """
    words = "/".join([str(seed), str(replicate), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little") >> 1


def generator(seed: int, replicate: int, purpose: str, *counters: int) -> np.random.Generator:
    """A NumPy generator (PCG64) started from `derive`."""
    return np.random.Generator(np.random.PCG64(derive(seed, replicate, purpose, *counters)))
