"""The parameters of many runs in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor

from paribus.spec.network import layer_names
from paribus.training.engine import Floats, State
from paribus.training.torch.transfer import to_device, to_host

ALIGNMENT = 16
"""Widths are padded to a multiple of so many floats, 64 bytes: every matrix then begins at such an address, which
matmul kernels read faster."""


def padded_width(width: int) -> int:
    """`width` rounded up to a multiple of `ALIGNMENT`."""
    return -(-width // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Block:
    """Where a parameter lies in a run's row, and how.

    It takes the numbers from `begin` to `end`, of shape `stored`. `shape` is PyTorch's shape, without padding: a weight
    is (out, in), and is stored as (in, out) if `transposed`.
    """

    begin: int
    end: int
    stored: tuple[int, ...]
    shape: tuple[int, ...]
    transposed: bool

    def of(self, row: Floats) -> Floats:
        """This parameter in a run's row (parameter,), as a view of PyTorch's shape."""
        stored = row[self.begin : self.end].reshape(self.stored)
        return (stored.T if self.transposed else stored)[tuple(map(slice, self.shape))]


@final
class Layout:
    """How the parameters of a network of these widths lie in a row, one after another, each with its padding.

    Padding has no effect: it starts at zero, and its gradients are zero. A weight is stored with its longer side first:
    (2, 3) from 3 inputs to 2 outputs is stored as (in, out), and (3, 2) as (out, in). Most of its matmuls then read
    both factors along their rows.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        self.padded = tuple(map(padded_width, widths))
        self.transposed = tuple(a >= b for a, b in pairwise(self.padded))
        self.blocks: dict[str, Block] = {}
        self.size = 0
        sides = zip(layer_names(widths), pairwise(self.widths), pairwise(self.padded), self.transposed, strict=True)
        for name, (a, b), (padded_a, padded_b), transposed in sides:
            stored = (padded_a, padded_b) if transposed else (padded_b, padded_a)
            self._add(f"{name}.weight", stored, (b, a), transposed)
            self._add(f"{name}.bias", (padded_b,), (b,), False)

    def _add(self, name: str, stored: tuple[int, ...], shape: tuple[int, ...], transposed: bool) -> None:
        end = self.size + int(np.prod(stored))
        self.blocks[name] = Block(self.size, end, stored, shape, transposed)
        self.size = end

    def weights(self, matrix: Tensor) -> list[Tensor]:
        """The weights of each layer in `matrix` (run, parameter): views (run, longer side, shorter side)."""
        return self._views(matrix, 0)

    def biases(self, matrix: Tensor) -> list[Tensor]:
        """The biases of each layer in `matrix` (run, parameter): views (run, out)."""
        return self._views(matrix, 1)

    def _views(self, matrix: Tensor, first: int) -> list[Tensor]:
        blocks = list(self.blocks.values())[first::2]
        return [matrix[:, block.begin : block.end].unflatten(1, block.stored) for block in blocks]


@final
class Parameters:
    """The parameters of all runs as one tensor, `values` (run, parameter); each row is laid out by `layout`."""

    def __init__(self, widths: Sequence[int], states: Sequence[State], device: torch.device) -> None:
        self.layout, self.runs, self.device = Layout(widths), len(states), device
        self.values = self.stack(states)

    def stack(self, states: Sequence[State], prefix: str = "") -> Tensor:
        """The tensors of each run's state whose names begin with `prefix`, as (run, parameter)."""
        matrix = np.zeros((len(states), self.layout.size), np.float32)
        for row, state in zip(matrix, states, strict=True):
            for name, block in self.layout.blocks.items():
                block.of(row)[...] = state[prefix + name]
        return to_device(matrix, self.device)

    def state(self, run: int, buffers: Mapping[str, Tensor] | None = None) -> State:
        """A copy of one run's parameters, and of its row in each of the `buffers` (run, parameter)."""
        rows = {"": self.values[run]}
        rows |= {f"{name}/": matrix[run] for name, matrix in (buffers or {}).items()}
        return StateCopy(self.layout, {prefix: to_host(row) for prefix, row in rows.items()})


@final
class StateCopy(Mapping[str, Floats]):
    """Rows of parameters by prefix, as a state dict. A tensor is copied out when it is asked for: most never are."""

    def __init__(self, layout: Layout, rows: Mapping[str, Floats]) -> None:
        self._layout, self._rows = layout, rows

    def __getitem__(self, name: str) -> Floats:
        buffer, slash, parameter = name.rpartition("/")
        return self._layout.blocks[parameter].of(self._rows[buffer + slash]).copy()

    def __iter__(self) -> Iterator[str]:
        return (prefix + name for prefix in self._rows for name in self._layout.blocks)

    def __len__(self) -> int:
        return len(self._rows) * len(self._layout.blocks)
