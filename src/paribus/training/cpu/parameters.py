"""How the parameters of many networks lie in memory: one row per run, one tensor after the other, padded.

Every width is padded with zeros to a multiple of `LANES`, so that a run's tensors lie alike in every session and its
matmuls give the same bits. Padding starts at zero, its gradients are zero, and so it stays zero.

A weight is stored with its longer side first, (in, out) or (out, in): most of its matmuls then read both factors along
their rows, and some of its rows can be worked on alone. Example: for widths 784-32-10, `fc1.weight` is stored as
(784, 32) and `fc2.weight` as (32, 16), both (in, out); for 16-4096, as (4096, 16), which is (out, in).

With tied weights, a layer of the later half reads the numbers of its counterpart in the earlier half: (in, out) of the
one is (out, in) of the other. Batch normalisation's own weights and biases come behind those of all layers; its running
statistics, which no optimizer steps, have rows of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from paribus.spec.network import layer_names, norm_names, parameter_shapes, statistic_shapes, tied_layers, tracked_names
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


OWN_WEIGHT: Final = 0
SHARED_WEIGHT: Final = 1
TIED_WEIGHT: Final = 2
"""A layer's weight is its own, or shared with a later layer; or it is an earlier layer's, transposed."""


class Layers(NamedTuple):
    """A network's layers as compiled code takes them.

    `widths` (layer,) are padded, the input's first, and `units` (layer,) are not; `outputs` is the last of `units`.
    `weights` (layer,) and `biases` (layer,) are where each layer's tensors begin in a run's row of parameters, and
    `outputs_first` (layer,) says whether a weight is stored as (out, in). `tying` (layer,) is one of `OWN_WEIGHT`,
    `SHARED_WEIGHT` and `TIED_WEIGHT`. `tensors` (tensor, 2) are where all tensors begin and end. `activations` (hidden
    layer,) are `activations.CODES`, and `activation_parameters` (hidden layer,) float32 the parameter of each, 0 for
    none. `normalises` says whether hidden layers are normalised over the batch; then `norms` (hidden layer,) is
    where a layer's own weight begins, behind which its bias lies.
    """

    widths: Integers
    units: Integers
    outputs: int
    weights: Integers
    biases: Integers
    outputs_first: Any
    tying: Integers
    tensors: Integers
    activations: Integers
    activation_parameters: Floats
    normalises: bool
    norms: Integers


@dataclass(frozen=True)
class _Place:
    """Where a tensor of PyTorch's `shape` begins in a row, and its shape there; perhaps transposed."""

    begin: int
    stored: tuple[int, ...]
    shape: tuple[int, ...]
    transposed: bool = False

    @property
    def end(self) -> int:
        return self.begin + math.prod(self.stored)

    def of(self, rows: Floats) -> Floats:
        """The tensor in `rows` (..., number), without padding: a view."""
        tensor = rows[..., self.begin : self.end].reshape(*rows.shape[:-1], *self.stored)
        if not np.shares_memory(tensor, rows):
            raise AssertionError("a reshape of adjacent numbers is a view")
        if self.transposed:
            tensor = np.swapaxes(tensor, -1, -2)
        return tensor[(..., *(slice(length) for length in self.shape))]


class Layout:
    """Where the tensors of a network of one architecture lie in a row of parameters, or of an optimizer's buffer.

    `size` is how many numbers such a row has, and `statistics` how many a row of running statistics has.
    """

    def __init__(self, architecture: Architecture) -> None:
        widths = tuple(map(padded, architecture.widths))
        layers, norms = layer_names(widths), norm_names(widths) if architecture.batch_norm else ()
        shared = tied_layers(widths) if architecture.tied else {}
        self.hidden = architecture.widths[1:-1]
        self.shapes = parameter_shapes(architecture.widths, batch_norm=architecture.batch_norm, tied=architecture.tied)
        outputs_first = {
            # of a square weight, one of both layers reads it as (in, out) and the other as (out, in)
            name: width_in < width_out or (name in shared and width_in == width_out)
            for name, (width_in, width_out) in zip(layers, pairwise(widths), strict=True)
        }
        self._places: dict[str, _Place] = {}
        self.size = 0
        for name, (width_in, width_out) in zip(layers, pairwise(widths), strict=True):
            if name not in shared:
                stored = max(width_in, width_out), min(width_in, width_out)
                self._place(f"{name}.weight", stored, transposed=not outputs_first[name])
            self._place(f"{name}.bias", (width_out,))
        for name, width in zip(norms, widths[1:-1], strict=bool(norms)):
            self._place(f"{name}.weight", (width,))
            self._place(f"{name}.bias", (width,))
        begins = {name: place.begin for name, place in self._places.items()}
        tying = dict.fromkeys(shared, TIED_WEIGHT) | dict.fromkeys(shared.values(), SHARED_WEIGHT)
        self.layers = Layers(
            np.array(widths),
            np.array(architecture.widths),
            architecture.widths[-1],
            np.array([begins[f"{shared.get(name, name)}.weight"] for name in layers]),
            np.array([begins[f"{name}.bias"] for name in layers]),
            np.array([outputs_first[name] for name in layers]),
            np.array([tying.get(name, OWN_WEIGHT) for name in layers]),
            np.array([(place.begin, place.end) for place in self._places.values()]),
            np.array([CODES[activation.kind] for activation in architecture.activations], dtype=np.int64),
            np.array([activation.parameter for activation in architecture.activations], dtype=np.float32),
            architecture.batch_norm,
            np.array([begins[f"{name}.weight"] for name in norms], dtype=np.int64),
        )
        self._statistics = _statistics(architecture) if architecture.batch_norm else {}
        self.statistics = max((place.end for place in self._statistics.values()), default=0)
        self.tracked = tracked_names(widths) if architecture.batch_norm else ()

    def _place(self, name: str, stored: tuple[int, ...], *, transposed: bool = False) -> None:
        self._places[name] = _Place(self.size, stored, self.shapes[name], transposed)
        self.size = self._places[name].end

    def views(self, rows: Floats) -> dict[str, Floats]:
        """The tensors in `rows` (..., parameter) without padding, as PyTorch shapes them: (..., out, in), (..., out).

        They are views: writing to them writes to `rows`.
        """
        return {name: self._places[name].of(rows) for name in self.shapes}

    def statistic_views(self, rows: Floats) -> dict[str, Floats]:
        """The running statistics (..., unit) in `rows` (..., statistic), without padding: views."""
        return {name: place.of(rows) for name, place in self._statistics.items()}

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

    def stacked_statistics(self, states: Sequence[State]) -> Floats:
        """The running statistics of each run's state as (run, statistic), padded."""
        rows = aligned_zeros(len(states), self.statistics)
        for row, state in zip(rows, states, strict=True):
            for name, tensor in self.statistic_views(row).items():
                tensor[...] = state[name]
        return rows


def _statistics(architecture: Architecture) -> dict[str, _Place]:
    """Where running statistics lie in a row of their own: of each hidden layer, the mean and then the variance."""
    places: dict[str, _Place] = {}
    begin = 0
    for name, (width,) in statistic_shapes(architecture.widths).items():
        places[name] = _Place(begin, (padded(width),), (width,))
        begin = places[name].end
    return places


class RowState(Mapping[str, Any]):
    """A copy of a run's rows as a state dict. A tensor is cut out when it is asked for: most copies never are.

    `rows` are those of parameters and, by prefix, of optimizer buffers; `statistics` is that of running statistics,
    which have seen `tracked` training steps.
    """

    def __init__(self, layout: Layout, rows: Mapping[str, Floats], statistics: Floats, tracked: int) -> None:
        self._layout, self._statistics, self._tracked = layout, statistics.copy(), tracked
        self._rows = {prefix: row.copy() for prefix, row in rows.items()}

    def __getitem__(self, name: str) -> Any:
        if name in self._layout.tracked:
            return np.array(self._tracked, np.int64)
        statistics = self._layout.statistic_views(self._statistics)
        if name in statistics:
            return np.ascontiguousarray(statistics[name])
        prefix, slash, parameter = name.rpartition("/")
        return np.ascontiguousarray(self._layout.views(self._rows[prefix + slash])[parameter])

    def __iter__(self) -> Iterator[str]:
        yield from (prefix + name for prefix in self._rows for name in self._layout.shapes)
        yield from self._layout.statistic_views(self._statistics)
        yield from self._layout.tracked

    def __len__(self) -> int:
        return sum(1 for _ in self)
