"""The parameters of many runs in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from paribus.spec.network import layer_names, norm_names, parameter_shapes, statistic_shapes, tied_layers, tracked_names
from paribus.training.engine import Architecture, Floats, State, tracked_batches
from paribus.training.torch.transfer import to_device, to_host

ALIGNMENT = 16
"""Widths are padded to a multiple of this many floats, 64 bytes: every matrix then begins at such an address, which
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
    """How the parameters of a network of this architecture lie in a row, one after another, each with its padding.

    Padding has no effect: it starts at zero, and its gradients are zero. A weight is stored with its longer side first:
    (2, 3) from 3 inputs to 2 outputs is stored as (in, out), and (3, 2) as (out, in). Most of its matmuls then read
    both factors along their rows. A layer whose weight is tied reads the numbers of its counterpart: (in, out) of the
    one is (out, in) of the other. Running statistics lie in a row of their own, in `statistics`.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.widths = architecture.widths
        self.padded = tuple(map(padded_width, self.widths))
        self.shapes = parameter_shapes(self.widths, batch_norm=architecture.batch_norm, tied=architecture.tied)
        self.layers = layer_names(self.widths)
        self.norms = norm_names(self.widths) if architecture.batch_norm else ()
        self.tracked = tracked_names(self.widths) if architecture.batch_norm else ()
        shared = tied_layers(self.widths) if architecture.tied else {}
        self.owners = tuple(shared.get(name, name) for name in self.layers)
        self.blocks: dict[str, Block] = {}
        self.size = 0
        own: dict[str, bool] = {}
        for name, (a, b) in zip(self.layers, pairwise(self.padded), strict=True):
            if name not in shared:
                own[name] = a >= b
                self._add(f"{name}.weight", (a, b) if own[name] else (b, a), transposed=own[name])
            self._add(f"{name}.bias", (b,))
        for name, width in zip(self.norms, self.padded[1:-1], strict=bool(self.norms)):
            self._add(f"{name}.weight", (width,))
            self._add(f"{name}.bias", (width,))
        # whether a layer's weight is stored as (in, out)
        self.transposed = tuple(
            own[owner] if owner == name else not own[owner]
            for name, owner in zip(self.layers, self.owners, strict=True)
        )
        self.statistics = _statistics(self.widths) if architecture.batch_norm else {}

    def _add(self, name: str, stored: tuple[int, ...], *, transposed: bool = False) -> None:
        end = self.size + int(np.prod(stored))
        self.blocks[name] = Block(self.size, end, stored, self.shapes[name], transposed)
        self.size = end

    def weights(self, matrix: Tensor) -> list[Tensor]:
        """The weights of each layer in `matrix` (run, parameter): views (run, longer side, shorter side)."""
        return [_view(matrix, self.blocks[f"{owner}.weight"]) for owner in self.owners]

    def biases(self, matrix: Tensor) -> list[Tensor]:
        """The biases of each layer in `matrix` (run, parameter): views (run, out)."""
        return [_view(matrix, self.blocks[f"{name}.bias"]) for name in self.layers]

    def norm_parameters(self, matrix: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The weight and the bias of each normalisation in `matrix` (run, parameter): views (run, unit)."""
        return [
            (_view(matrix, self.blocks[f"{name}.weight"]), _view(matrix, self.blocks[f"{name}.bias"]))
            for name in self.norms
        ]

    def norm_statistics(self, matrix: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The running mean and variance of each normalisation in `matrix` (run, statistic): views (run, unit)."""
        return [
            (_view(matrix, self.statistics[f"{n}.running_mean"]), _view(matrix, self.statistics[f"{n}.running_var"]))
            for n in self.norms
        ]


def _view(matrix: Tensor, block: Block) -> Tensor:
    return matrix[:, block.begin : block.end].unflatten(1, block.stored)


def _statistics(widths: Sequence[int]) -> dict[str, Block]:
    blocks: dict[str, Block] = {}
    begin = 0
    for name, (width,) in statistic_shapes(widths).items():
        blocks[name] = Block(begin, begin + padded_width(width), (padded_width(width),), (width,), transposed=False)
        begin = blocks[name].end
    return blocks


@final
class Parameters:
    """The parameters of all runs as one tensor, `values` (run, parameter); each row is laid out by `layout`.

    `statistics` (run, statistic) are the running statistics of batch normalisation, which have seen `tracked` (run,)
    training steps.
    """

    def __init__(self, architecture: Architecture, states: Sequence[State], device: torch.device) -> None:
        self.layout, self.runs, self.device = Layout(architecture), len(states), device
        self.values = self.stack(states)
        self.statistics = self._stacked(self.layout.statistics, states)
        self.tracked = [tracked_batches(state) for state in states]

    def stack(self, states: Sequence[State], prefix: str = "") -> Tensor:
        """The tensors of each run's state whose names begin with `prefix`, as (run, parameter)."""
        return self._stacked(self.layout.blocks, states, prefix)

    def _stacked(self, blocks: Mapping[str, Block], states: Sequence[State], prefix: str = "") -> Tensor:
        matrix = np.zeros((len(states), max((block.end for block in blocks.values()), default=0)), np.float32)
        for row, state in zip(matrix, states, strict=True):
            for name, block in blocks.items():
                block.of(row)[...] = state[prefix + name]
        return to_device(matrix, self.device)

    def state(self, run: int, buffers: Mapping[str, Tensor] | None = None) -> State:
        """A copy of one run's parameters, and of its row in each of the `buffers` (run, parameter)."""
        rows = {"": self.values[run]}
        rows |= {f"{name}/": matrix[run] for name, matrix in (buffers or {}).items()}
        statistics = to_host(self.statistics[run])
        copies = {prefix: to_host(row) for prefix, row in rows.items()}
        return StateCopy(self.layout, copies, statistics, self.tracked[run])


@final
class StateCopy(Mapping[str, Any]):
    """Rows of parameters by prefix, as a state dict. A tensor is copied out when it is asked for: most never are."""

    def __init__(self, layout: Layout, rows: Mapping[str, Floats], statistics: Floats, tracked: int) -> None:
        self._layout, self._rows, self._statistics, self._tracked = layout, rows, statistics, tracked

    def __getitem__(self, name: str) -> Any:
        if name in self._layout.tracked:
            return np.array(self._tracked, np.int64)
        if name in self._layout.statistics:
            return self._layout.statistics[name].of(self._statistics).copy()
        buffer, slash, parameter = name.rpartition("/")
        return self._layout.blocks[parameter].of(self._rows[buffer + slash]).copy()

    def __iter__(self) -> Iterator[str]:
        yield from (prefix + name for prefix in self._rows for name in self._layout.shapes)
        yield from self._layout.statistics
        yield from self._layout.tracked

    def __len__(self) -> int:
        return sum(1 for _ in self)
