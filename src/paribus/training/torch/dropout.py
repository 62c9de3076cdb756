"""Dropout by the numbers that the engine contract states, so that every engine drops the same units.

With M the output function of SplitMix64 (Steele, Lea, Flood 2014) and G the golden ratio as a 64-bit fraction, number
`i` at `place` under `key` is the upper 24 bits of M(M(key + (place + 1) G) + i G), over 2^24. PyTorch has integers of
64 bits with a sign only: sums and products have the same bits, and `_shifted` shifts zeros in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np
import torch
from torch import Tensor

from paribus.training.engine import Architecture
from paribus.training.torch.parameters import padded_width
from paribus.training.torch.streams import StreamToRuns
from paribus.training.torch.transfer import Array, to_device

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTORS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@final
class Dropout:
    """Masks of the hidden layers. Each stream has its numbers, and each of its runs drops its own share by them."""

    def __init__(
        self, shares: Sequence[float], architecture: Architecture, per_run: StreamToRuns, batch_size: int, batches: int
    ) -> None:
        exact = np.array(shares)[:, None, None]
        self._shares = to_device(exact.astype(np.float32), per_run.device)
        self._scales = to_device((1.0 / (1.0 - exact)).astype(np.float32), per_run.device)
        self._per_run = per_run
        self._widths = [padded_width(width) for width in architecture.widths[1:-1]]
        hidden, layers = len(self._widths), len(architecture.widths) - 1
        places = np.arange(batches)[:, None] * layers + np.arange(hidden) + 1
        offsets = [np.arange(batch_size * width).reshape(batch_size, width) for width in self._widths]
        self._places = to_device(_times_golden(places), per_run.device).unsqueeze(1)
        self._offsets = to_device(_times_golden(np.concatenate(offsets, axis=1)), per_run.device)
        self._layer_of = torch.tensor(np.repeat(np.arange(hidden), self._widths), device=per_run.device)

    def begin(self, keys: Tensor) -> None:
        """Begin an epoch with its `keys` (stream,): M(key + (place + 1) G) as (batch, stream, layer)."""
        self._starts = _mixed(self._places + keys.unsqueeze(1))

    def masks(self, batch: int, rows: int) -> Sequence[Tensor]:
        """For each hidden layer (run, row, unit): 0, or 1 / (1 - share) for units that are kept."""
        starts = self._starts[batch].index_select(1, self._layer_of).unsqueeze(1)
        numbers = _shifted(_mixed(starts + self._offsets[:rows]), 40).to(torch.float32).mul_(2.0**-24)
        return ((self._per_run(numbers) >= self._shares) * self._scales).split(self._widths, 2)


def _times_golden(integers: Array) -> Array:
    """Modulo 2^64."""
    return (integers.astype(np.uint64) * _GOLDEN).view(np.int64)


def _mixed(z: Tensor) -> Tensor:
    """The output function of SplitMix64."""
    for shift, factor in zip((30, 27), _FACTORS, strict=True):
        z = (z ^ _shifted(z, shift)) * int(factor.view(np.int64))
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    """Bits shifted to the right, with zeros from the left: PyTorch shifts copies of the sign in."""
    return (z >> by) & (2 ** (64 - by) - 1)
