"""Streams: runs of one replicate, which see the same pictures in the same order and drop units by the same numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus import seeding
from paribus.data.pool import Split, Splits
from paribus.spec.recipe import Recipe


class InStream(Protocol):
    """What a stream needs to know of a run."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def splits(self) -> Splits: ...
    @property
    def stream(self) -> tuple[int, int]: ...


def streams_of(members: Sequence[InStream]) -> list[slice]:
    """The slice of the run axis of each stream; `members` are sorted by stream."""
    slices: list[slice] = []
    for _, same in groupby(members, key=lambda member: member.stream):
        start = slices[-1].stop if slices else 0
        slices.append(slice(start, start + len(list(same))))
    return slices


class StreamData:
    """The training images of one stream on the device, and the order in which each epoch takes them.

    `pools` holds what is on the device already, by the pool's `id`: streams without a centre share it.
    """

    def __init__(self, member: InStream, pools: dict[int, Tensor], device: torch.device) -> None:
        splits = member.splits
        self._stream = member.stream
        self._pool = splits.train.pool
        self._center = None if splits.center is None else shared(splits.center)
        if self._center is None:
            self.inputs = pools.setdefault(id(self._pool), shared(self._pool.inputs).to(device))
        else:
            self.inputs = (shared(self._pool.inputs) - self._center).to(device)
        self.indices = shared(splits.train.indices).to(device)
        labels = splits.train.labels if member.recipe.has_labels else None
        self.labels = None if labels is None else shared(labels).to(device)

    def order(self, epoch: int) -> Tensor:
        """The order of one epoch: a permutation that depends on the stream and the epoch alone."""
        seed, replicate = self._stream
        generator = torch.Generator().manual_seed(seeding.derive(seed, replicate, seeding.ORDER, epoch))
        return torch.randperm(len(self.indices), generator=generator).to(self.indices.device)

    def inputs_of(self, split: Split) -> Tensor:
        """The pictures of any split (image, pixel), centred as the training images are; a view where that can be."""
        if split.pool is self._pool:
            return _rows(self.inputs, split.indices)
        rows = _rows(shared(split.pool.inputs), split.indices)
        return (rows if self._center is None else rows - self._center).to(self.inputs.device)


class Dropout:
    """Masks for the hidden layers. Runs of one stream draw the same numbers, and each keeps its own share of them."""

    def __init__(self, members: Sequence[InStream], streams: Sequence[slice], device: torch.device) -> None:
        self._streams = streams
        self._ids = [members[runs.start].stream for runs in streams]
        self._rates = torch.tensor([m.recipe.network.dropout for m in members], device=device).view(-1, 1, 1)
        self._scales = 1 / (1 - self._rates)
        self._generators = [torch.Generator(device) for _ in streams]

    def begin_epoch(self, epoch: int) -> None:
        """Start every stream's numbers anew, from the epoch's own seed."""
        for generator, (seed, replicate) in zip(self._generators, self._ids, strict=True):
            generator.manual_seed(seeding.derive(seed, replicate, seeding.DROPOUT, epoch))

    def draw(self, masks: Sequence[Tensor]) -> None:
        """Fill one mask a hidden layer, (run, row, unit): 0 where dropped, 1 / (1 - rate) where kept."""
        for mask in masks:
            for runs, generator in zip(self._streams, self._generators, strict=True):
                numbers = torch.rand(mask.shape[1:], generator=generator, device=mask.device)
                torch.mul(numbers >= self._rates[runs], self._scales[runs], out=mask[runs])


def labels_by_run(per_stream: Sequence[Tensor | None], streams: Sequence[slice]) -> Tensor | None:
    """Labels of every run as (run, 1, image); None where a stream has none."""
    rows: list[Tensor] = []
    for labels, runs in zip(per_stream, streams, strict=True):
        if labels is None:
            return None
        rows += [labels] * (runs.stop - runs.start)
    return torch.stack(rows).unsqueeze(1)


def shared(array: npt.NDArray[Any]) -> Tensor:
    """A tensor over an array's own memory. PyTorch cannot mark it read-only, so nobody may write to it."""
    return torch.from_numpy(array)


def _hear_the_warning_once() -> None:
    """PyTorch warns of read-only arrays once in a process: here, where it tells nothing new, and in no thread."""
    array = np.zeros(1, np.float32)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(array)


_hear_the_warning_once()


def _rows(inputs: Tensor, indices: npt.NDArray[np.int64]) -> Tensor:
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        return inputs[int(indices[0]) : int(indices[-1]) + 1]
    return inputs[torch.from_numpy(indices).to(inputs.device)]
