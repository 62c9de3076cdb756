"""How the parameters of many networks lie in memory: one row per run, one tensor after the other, padded.

Every width is padded with zeros to a multiple of `LANES`, so that a run's tensors lie alike in every session and its
matmuls give the same bits. Padding starts at zero, its gradients are zero, and so it stays zero.

A weight is stored with its longer side first, (in, out) or (out, in): most of its matmuls then read both factors along
their rows, and some of its rows can be worked on alone. Example: for widths 784-32-10, `fc1.weight` is stored as
(784, 32) and `fc2.weight` as (32, 16), both (in, out); for 16-4096, as (4096, 16), which is (out, in).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from paribus.spec.network import parameter_shapes
from paribus.training.cpu.activations import CODES
from paribus.training.cpu.vectors import LANES
from paribus.training.engine import Architecture, Floats, Integers, State

CACHE_LINE = 64
"""Bytes. A vector of 16 float32 that starts at a multiple lies in one line of the cache, otherwise in two."""


def aligned_zeros(*shape: int) -> Floats:
    """A float32 array of zeros that starts at a multiple of `CACHE_LINE`; `np.zeros` promises 16 bytes only.

    Where an array starts changes how fast it is read, and no result.
    """
    size = 4 * math.prod(shape)
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(np.float32).reshape(shape)


def padded(width: int) -> int:
    """`width` rounded up to whole vectors."""
    return -(-width // LANES) * LANES


class Layers(NamedTuple):
    """A network's layers as compiled code takes them.

    `widths` (layer,) are padded, the input's first, and `units` (layer,) are not; `outputs` is the last of `units`.
    `starts` (tensor,) is where each tensor begins in a run's row of parameters, in the order fc1.weight, fc1.bias,
    fc2.weight, ...; `sizes` (tensor,) is how many numbers it has there. `activations` (hidden layer,) are
    `activations.CODES`, and `slopes` (hidden layer,) float32 the parameter of each, 0 for none.
    """

    widths: Integers
    units: Integers
    outputs: int
    starts: Integers
    sizes: Integers
    activations: Integers
    slopes: Floats


class Layout:
    """Where the tensors of a network of one architecture lie in a row of parameters, or of an optimizer's buffer."""

    def __init__(self, architecture: Architecture) -> None:
        self.shapes = parameter_shapes(architecture.widths)
        widths = tuple(map(padded, architecture.widths))
        self._stored = [shape for a, b in pairwise(widths) for shape in ((max(a, b), min(a, b)), (b,))]
        self._outputs_first = [first for a, b in pairwise(widths) for first in (a < b, True)]
        sizes = [int(np.prod(shape)) for shape in self._stored]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self.size = sum(sizes)
        self.layers = Layers(
            np.array(widths),
            np.array(architecture.widths),
            architecture.widths[-1],
            np.array(starts),
            np.array(sizes),
            np.array([CODES[activation.kind] for activation in architecture.activations], dtype=np.int64),
            np.array([activation.parameter for activation in architecture.activations], dtype=np.float32),
        )

    def views(self, rows: Floats) -> dict[str, Floats]:
        """The tensors in `rows` (..., parameter) without padding, as PyTorch shapes them: (..., out, in), (..., out).

        They are views: writing to them writes to `rows`.
        """
        found: dict[str, Floats] = {}
        layers = zip(self.layers.starts, self.layers.sizes, self._stored, self._outputs_first, strict=True)
        for (name, shape), (start, size, stored, outputs_first) in zip(self.shapes.items(), layers, strict=True):
            tensor = rows[..., start : start + size].reshape(*rows.shape[:-1], *stored)
            if not np.shares_memory(tensor, rows):
                raise AssertionError("a reshape of adjacent numbers is a view")
            if not outputs_first:
                tensor = np.swapaxes(tensor, -1, -2)
            found[name] = tensor[(..., *(slice(length) for length in shape))]
        return found

    def stacked(self, states: Sequence[State], prefix: str = "") -> Floats:
        """One state for each run as (run, parameter), padded; names in the states begin with `prefix`.

        A state without such names gives zeros, which is how every optimizer's buffers begin.
        """
        rows = aligned_zeros(len(states), self.size)
        for row, state in zip(rows, states, strict=True):
            for name, tensor in self.views(row).items():
                if prefix + name in state or not prefix:
                    tensor[...] = state[prefix + name]
        return rows


class RowState(Mapping[str, Floats]):
    """A copy of a run's rows as a state dict. A tensor is cut out when it is asked for: most copies never are."""

    def __init__(self, layout: Layout, rows: Mapping[str, Floats]) -> None:
        self._layout = layout
        self._rows = {prefix: row.copy() for prefix, row in rows.items()}

    def __getitem__(self, name: str) -> Floats:
        prefix, slash, parameter = name.rpartition("/")
        return np.ascontiguousarray(self._layout.views(self._rows[prefix + slash])[parameter])

    def __iter__(self) -> Iterator[str]:
        return (prefix + name for prefix in self._rows for name in self._layout.shapes)

    def __len__(self) -> int:
        return len(self._rows) * len(self._layout.shapes)
